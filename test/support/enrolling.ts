/** Codes given out by a test gateway, and requests to its API for kiosks with every part in the test's hand. */
import type { KeyObject } from 'node:crypto';
import { type Door, type NewCode, openCodeDesk } from '../../gateway/enrol/give-codes.ts';
import { askGateway } from '../../kiosk/gateway-api.ts';
import { keyHashOfCertificate, makeCertificate } from '../../protocol/certificate.ts';
import { decodeCode, type EnrolmentCode } from '../../protocol/code.ts';
import { generateSigningKey, rawPublicKey } from '../../protocol/ed25519.ts';
import { ENROL_PATH, formatEnrolRequest, type Papers, parsePapers, RENEW_PATH } from '../../protocol/enrol.ts';
import { type KioskId, newPlaceId } from '../../protocol/ids.ts';
import { systemClock } from '../../protocol/time.ts';
import type { EpochMillis } from '../../protocol/units.ts';

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

export function enrolmentCodeOf({ text }: { readonly text: string }): EnrolmentCode {
  const code = decodeCode(text);
  if (code.kind !== 'enrolment') throw new Error('not an enrolment code');
  return code;
}

/** As `vestibule enrol` does, beside the running gateway. */
export async function giveCode(
  directory: string,
  door: Omit<Door, 'role'> & Partial<Door>,
  nowMs: number,
  lifeMs = HOUR_MS,
): Promise<NewCode> {
  const desk = await openCodeDesk(directory);
  try {
    const [code] = desk.give([{ role: 'kiosk', ...door }], lifeMs, nowMs as EpochMillis);
    if (code === undefined) throw new Error('no code');
    desk.book.open([code.number]);
    return code;
  } finally {
    desk.close();
  }
}

export async function giveCodeInPlaceOf(directory: string, kiosk: KioskId, nowMs: number): Promise<NewCode> {
  const desk = await openCodeDesk(directory);
  try {
    const code = desk.giveInPlaceOf(kiosk, HOUR_MS, nowMs as EpochMillis);
    desk.book.open([code.number]);
    return code;
  } finally {
    desk.close();
  }
}

/** A key and an id, as a stranger's kiosk has them. */
export class Candidate {
  readonly kiosk: KioskId;
  readonly privateKey: KeyObject;
  /** Shown in the next handshake; one signed by its own key when left out. */
  certificatePem: string | undefined;

  constructor(kiosk: KioskId = newPlaceId<KioskId>(), privateKey: KeyObject = generateSigningKey()) {
    this.kiosk = kiosk;
    this.privateKey = privateKey;
  }

  get publicKey(): Uint8Array {
    return rawPublicKey(this.privateKey);
  }

  async ask(path: string, body: string, { host, port, gatewayKeyHash }: Omit<EnrolmentCode, 'secret' | 'kind'>): Promise<string> {
    const address = {
      host,
      port,
      isGateway: (certificate: Uint8Array) => Buffer.compare(keyHashOfCertificate(certificate), gatewayKeyHash) === 0,
      certificatePem: this.certificatePem ?? (await makeCertificate(this.privateKey, this.kiosk)),
      privateKey: this.privateKey,
    };
    return await askGateway(address, path, body, systemClock, new AbortController().signal);
  }

  /** @throws as askGateway does. */
  async enrol(code: EnrolmentCode, kiosk = this.kiosk): Promise<Papers> {
    return parsePapers(await this.ask(ENROL_PATH, formatEnrolRequest({ secret: code.secret, kiosk }), code));
  }

  async renew(code: EnrolmentCode): Promise<Papers> {
    return parsePapers(await this.ask(RENEW_PATH, '{}', code));
  }
}

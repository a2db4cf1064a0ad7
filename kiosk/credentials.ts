/**
 * By what this kiosk and its gateway know each other at present: papers from an enrolment, which are renewed, or a trust document that was
 * carried here and a certificate of the kiosk's own, which are not.
 */
import { randomBytes } from 'node:crypto';
import { makeCertificate, namesOfCertificate } from '../protocol/certificate.ts';
import { publicKeyFromRaw } from '../protocol/ed25519.ts';
import {
  formatPapers,
  formatTimeRequest,
  NONCE_BYTES,
  type Papers,
  parsePapers,
  parseTimeAnswer,
  RENEW_PATH,
  ROLES,
  type Role,
  type Seen,
  TIME_PATH,
} from '../protocol/enrol.ts';
import { AdmissionError, DecodeError, LinkError, SealError, StoreError } from '../protocol/errors.ts';
import type { Log } from '../protocol/log.ts';
import { openTime } from '../protocol/signed-time.ts';
import type { Clock } from '../protocol/time.ts';
import type { TrustDocument } from '../protocol/trust.ts';
import type { EpochMillis, MonotonicMillis } from '../protocol/units.ts';
import type { KeyParts } from './content-key.ts';
import { askGateway, fetchPiece, type GatewayAddress } from './gateway-api.ts';
import { GatewayPin } from './gateway-pin.ts';
import { GatewayPlaces } from './gateway-places.ts';
import type { KioskIdentity } from './kiosk-identity.ts';
import { keepPapers } from './papers.ts';

export interface CredentialParts {
  /** The data directory. */
  readonly dir: string;
  readonly identity: KioskIdentity;
  readonly clock: Clock;
  readonly log: Log;
}

/** What the gateway said its time was, and when it was that by this machine's monotonic clock. */
export interface ToldTime {
  readonly wallMs: EpochMillis;
  readonly atMs: MonotonicMillis;
}

/** An answer that took longer says too little of the time. */
const LONGEST_ROUND_TRIP_MS = 10_000;

export class Credentials {
  readonly identity: KioskIdentity;
  readonly places: GatewayPlaces;
  /** What the gateway is known by. */
  readonly pin: GatewayPin;
  /** Told, each time the gateway was asked for papers, how far it has this kiosk's rows. */
  onSeen: (seen: readonly Seen[]) => void = () => {};
  /** Told when others are to be sealed for than before. */
  onRecipients: () => void = () => {};
  readonly #parts: CredentialParts;
  #certificatePem: string;
  #trust: TrustDocument;
  #papers: Papers | undefined;
  #renewing: Promise<boolean> | undefined;

  private constructor(parts: CredentialParts, certificatePem: string, trust: TrustDocument, papers: Papers | undefined) {
    this.identity = parts.identity;
    this.places = new GatewayPlaces(parts.dir, parts.log);
    this.pin = new GatewayPin(parts.dir, trust, parts.log);
    this.#parts = parts;
    this.#certificatePem = certificatePem;
    this.#trust = trust;
    this.#papers = papers;
  }

  static ofPapers(parts: CredentialParts, papers: Papers): Credentials {
    return new Credentials(parts, papers.certificatePem, papers.trust, papers);
  }

  static async ofTrust(parts: CredentialParts, trust: TrustDocument): Promise<Credentials> {
    return new Credentials(parts, await makeCertificate(parts.identity.privateKey, parts.identity.kiosk), trust, undefined);
  }

  /** To be shown in the next handshake. */
  get certificatePem(): string {
    return this.#certificatePem;
  }

  get trust(): TrustDocument {
    return this.#trust;
  }

  /** What the certificate says that this kiosk is for; `kiosk` without one from the gateway. */
  get role(): Role {
    return ROLES.find((role) => role === namesOfCertificate(this.#certificatePem).unit) ?? 'kiosk';
  }

  /** Whether the gateway is to be asked for fresh papers from time to time. */
  get areRenewed(): boolean {
    return this.#papers !== undefined;
  }

  /**
   * Asks for the papers as they are now, and keeps them where they differ: a certificate that is due, another address of the gateway.
   * The certificate that is shown for it may have ended. @returns whether they differ.
   * @throws LinkError as `askGateway`; AdmissionError when this kiosk is not admitted any more; DecodeError for an answer that is none.
   */
  renew(signal: AbortSignal): Promise<boolean> {
    // The link that was refused and the daily round may both ask.
    this.#renewing ??= this.#renew(signal).finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  /** Asks what time it is. @throws as `renew`; SealError when the answer is not the gateway's; LinkError link.timeout when it took too long to be of use. */
  async askTime(signal: AbortSignal): Promise<ToldTime> {
    const { clock } = this.#parts;
    const { deployment, receiptKey } = this.#trust;
    const nonce = new Uint8Array(randomBytes(NONCE_BYTES));
    const askedMs = clock.monotonic();
    const answer = parseTimeAnswer(await askGateway(this.#address, TIME_PATH, formatTimeRequest(nonce), clock, signal));
    const tookMs = clock.monotonic() - askedMs;
    const wallMs = openTime(answer, { nonce, deployment, publicKey: publicKeyFromRaw(receiptKey) });
    if (tookMs > LONGEST_ROUND_TRIP_MS) throw new LinkError('link.timeout', `gateway: its time took ${tookMs} ms to come`);
    return { wallMs, atMs: (askedMs + Math.round(tookMs / 2)) as MonotonicMillis };
  }

  /** Asks the gateway's API for kiosks. @throws as `askGateway`. */
  async ask(path: string, body: string, signal: AbortSignal): Promise<string> {
    return await askGateway(this.#address, path, body, this.#parts.clock, signal);
  }

  /** Fetches a piece of what the gateway hands out. @throws as `fetchPiece`. */
  async fetch(path: string, from: number, lengthBytes: number, signal: AbortSignal): Promise<Uint8Array> {
    return await fetchPiece(this.#address, { path, from, lengthBytes }, this.#parts.clock, signal);
  }

  async #renew(signal: AbortSignal): Promise<boolean> {
    const { dir, clock, log, identity } = this.#parts;
    const { seen, ...given } = parsePapers(await askGateway(this.#address, RENEW_PATH, '{}', clock, signal));
    const papers = { ...given, seen: [] };
    this.onSeen(seen);
    if (papers.trust.deployment !== this.#trust.deployment)
      throw new DecodeError('decode.malformed', 'renewal: papers of another deployment');
    if (this.#papers !== undefined && formatPapers(papers) === formatPapers(this.#papers)) return false;
    try {
      keepPapers(dir, papers, identity);
    } catch (error) {
      // They serve until the next start, which asks again.
      if (!(error instanceof StoreError)) throw error;
      log.error('papers.not_kept', { code: error.code });
    }
    log.info('certificate.renewed', { isOther: papers.certificatePem !== this.#certificatePem });
    this.#papers = papers;
    this.#certificatePem = papers.certificatePem;
    const isOther = recipientsText(papers.trust) !== recipientsText(this.#trust);
    this.#trust = papers.trust;
    if (isOther) this.onRecipients();
    return true;
  }

  get #address(): GatewayAddress {
    const { host, port } = this.places.known(this.#trust);
    return {
      host,
      port,
      isGateway: this.pin.isGateway,
      certificatePem: this.#certificatePem,
      privateKey: this.identity.privateKey,
    };
  }
}

/** What content keys are to be made of. */
export const keyPartsOf = ({ identity, trust }: Credentials): KeyParts => ({
  deployment: trust.deployment,
  kiosk: identity.kiosk,
  recipients: trust.recipients,
  signingKey: identity.privateKey,
});

const recipientsText = ({ recipients }: TrustDocument): string => recipients.map(({ id }) => Buffer.from(id).toString('hex')).join(' ');

/** Whether an error of asking means that another try may go well, and nobody has to act. */
export const isForNow = (error: unknown): error is LinkError | DecodeError | SealError | AdmissionError =>
  error instanceof LinkError || error instanceof DecodeError || error instanceof SealError || error instanceof AdmissionError;

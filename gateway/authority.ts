/**
 * The gateway's own certificate authority: made at first use, kept in `keys/ca.key` and `keys/ca.crt`. Says for whom a certificate is and
 * whether it is ours; whether its bearer is admitted is the registry's to say.
 * Source: RFC 5280; docs/decisions/0018-identity.md.
 */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { existsSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { onDisk } from '../disk/faults.ts';
import { syncDirectory } from '../disk/files.ts';
import { issueCertificate, makeCertificate, rawKeyOfCertificate, readIssued } from '../protocol/certificate.ts';
import { generateSigningKey, rawPublicKey } from '../protocol/ed25519.ts';
import { ROLES, type Role } from '../protocol/enrol.ts';
import { ConfigError } from '../protocol/errors.ts';
import { type DeploymentId, isPlaceId, type KioskId } from '../protocol/ids.ts';
import type { EpochMillis } from '../protocol/units.ts';
import { readOrMakeSecret } from './key-files.ts';

/** What a certificate of ours says of the kiosk that bears it. */
export interface IssuedTo {
  readonly kiosk: KioskId;
  readonly role: Role;
  /** Raw Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly notBeforeMs: EpochMillis;
  readonly notAfterMs: EpochMillis;
}

const DAY_MS = 86_400_000;
/** Long enough for a kiosk that is put away for a season, short enough that a forgotten one ends. Renewed from two thirds on. */
export const CERTIFICATE_DAYS = 90;
export const RENEW_FROM = 2 / 3;
/** Of the operators' web: browsers take no more (CA/Browser Forum, Baseline Requirements, 6.3.2, 398 days). */
const SERVER_DAYS = 397;

export class Authority {
  /** Public; who trusts it can check our certificates. */
  readonly certificatePem: string;
  readonly #deployment: DeploymentId;
  readonly #privateKey: KeyObject;
  readonly #publicKey: Uint8Array;

  constructor(deployment: DeploymentId, privateKey: KeyObject, certificatePem: string) {
    this.#deployment = deployment;
    this.#privateKey = privateKey;
    this.certificatePem = certificatePem;
    this.#publicKey = rawPublicKey(privateKey);
  }

  /** @returns a kiosk's certificate in PEM, good for 90 days from `nowMs` on. */
  async issueKiosk(to: Pick<IssuedTo, 'kiosk' | 'role' | 'publicKey'>, nowMs: EpochMillis): Promise<string> {
    return await this.#issue(to.publicKey, { commonName: to.kiosk, unit: to.role }, nowMs, CERTIFICATE_DAYS, { kind: 'client' });
  }

  /** @param names domain names and IP addresses, at least one. @returns a server's certificate in PEM, good for 397 days. */
  async issueServer(publicKey: Uint8Array, names: readonly string[], nowMs: EpochMillis): Promise<string> {
    const subject = { commonName: names[0] ?? 'vestibule', unit: 'gateway' };
    return await this.#issue(publicKey, subject, nowMs, SERVER_DAYS, { kind: 'server', names });
  }

  /**
   * @param certificate as shown in a handshake, DER or PEM.
   * @returns for whom this authority issued it; `undefined` when it did not. Dates are not judged.
   * @throws DecodeError when it is no certificate of an Ed25519 key.
   */
  recognise(certificate: Uint8Array | string): IssuedTo | undefined {
    const issued = readIssued(certificate, this.#publicKey);
    if (issued === undefined) return undefined;
    const { subject, ...rest } = issued;
    const role = ROLES.find((name) => name === subject.unit);
    if (role === undefined || subject.organisation !== this.#deployment || !isPlaceId(subject.commonName)) return undefined;
    return { ...rest, role, kiosk: subject.commonName as KioskId };
  }

  async #issue(
    publicKey: Uint8Array,
    names: { readonly commonName: string; readonly unit: string },
    nowMs: EpochMillis,
    days: number,
    use: Parameters<typeof issueCertificate>[0]['use'],
  ): Promise<string> {
    const order = {
      publicKey,
      subject: { ...names, organisation: this.#deployment },
      notBeforeMs: nowMs,
      notAfterMs: (nowMs + days * DAY_MS) as EpochMillis,
      use,
    };
    return await issueCertificate(order, { privateKey: this.#privateKey, certificatePem: this.certificatePem });
  }
}

/**
 * Reads the authority's key and certificate, making them when neither is there. Calling it again, or from a second process, gives the same.
 * @param keys the gateway's directory of keys, made by openIdentity.
 * @throws ConfigError `config.invalid` when a file is readable by others, damaged, of another key, or gone from beside the other.
 */
export async function openAuthority(keys: string, deployment: DeploymentId): Promise<Authority> {
  const [keyPath, certificatePath] = [join(keys, 'ca.key'), join(keys, 'ca.crt')];
  // The key comes first: a certificate without it is not a start cut short, and another key would be another authority.
  if (existsSync(certificatePath) && !existsSync(keyPath))
    throw new ConfigError(
      'config.invalid',
      `${keyPath}: is gone (put it back from the backup, or finish with "vestibule gateway rotate authority")`,
    );
  const keyPem = await readText(keyPath, () => generateSigningKey().export({ type: 'pkcs8', format: 'pem' }).toString());
  const privateKey = read(keyPath, () => createPrivateKey(keyPem));
  const certificatePem = await readText(certificatePath, () => makeCertificate(privateKey, `vestibule-ca ${deployment}`));
  const isOfKey = read(certificatePath, () => Buffer.compare(rawKeyOfCertificate(certificatePem), rawPublicKey(privateKey)) === 0);
  if (!isOfKey) throw new ConfigError('config.invalid', `${keys}: ca.crt is not of ca.key (put both back from one backup)`);
  return new Authority(deployment, privateKey, certificatePem);
}

/**
 * Puts the authority aside, so that the next start makes another one. Kiosks are refused once, renew by their key, and come back.
 * @returns the name under which the old certificate lies; its key is gone from its place, too, under the same number.
 * @throws StoreError as `onDisk`; half done, it is finished by being done again.
 */
export const retireAuthority = (keys: string): string => onDisk(keys, () => retire(keys));

function retire(keys: string): string {
  const path = (name: string): string => join(keys, name);
  const last = Math.max(0, ...readdirSync(keys).map((name) => Number(/^ca-(\d{1,9})\.(?:key|crt)$/.exec(name)?.[1] ?? 0)));
  const isCutShort = !existsSync(path('ca.key')) && existsSync(path(`ca-${last}.key`)) && !existsSync(path(`ca-${last}.crt`));
  const number = isCutShort ? last : last + 1;
  // The key first: cut short, a certificate without its key is refused at the next start, and this done again puts it aside, too.
  if (existsSync(path('ca.key'))) renameSync(path('ca.key'), path(`ca-${number}.key`));
  renameSync(path('ca.crt'), path(`ca-${number}.crt`));
  // Else a power cut may bring the key alone back, and the next start make a certificate for it: the authority would be the old one.
  syncDirectory(keys);
  return `ca-${number}.crt`;
}

async function readText(path: string, make: () => string | Promise<string>): Promise<string> {
  return Buffer.from(await readOrMakeSecret(path, async () => Buffer.from(await make(), 'utf8'))).toString('utf8');
}

function read<T>(path: string, readIt: () => T): T {
  try {
    return readIt();
  } catch (cause) {
    throw new ConfigError('config.invalid', `${path}: is damaged (put it back from the backup)`, { cause });
  }
}

/**
 * The certificate of the operators' page, where nobody gave one: ECDSA on P-256, since browsers take no Ed25519, signed by itself,
 * for the names at which the page is reached. The only importer of @peculiar/x509 in this room.
 * Source: RFC 5280, section 4.2.1.6 (subject alternative names); RFC 5480 (P-256).
 */
import 'reflect-metadata';
import { createPrivateKey, createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { replaceFile } from '../../disk/files.ts';
import { ConfigError } from '../../protocol/errors.ts';
import { readOrMakeSecret } from '../key-files.ts';

export interface WebCertificate {
  readonly keyPem: string;
  readonly certificatePem: string;
}

/** The longest that Apple's browsers take, less two days. */
const DAYS = 823;
const RENEW_AT_DAYS = 60;
const DAY_MS = 86_400_000;
const P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/**
 * @param keys the directory of the gateway's keys. @param names DNS names and addresses.
 * @returns the one that is kept there; another is made of the same key when it is about to end, or the names are others.
 * @throws ConfigError `config.invalid` for a damaged file.
 */
export async function openWebCertificate(keys: string, names: readonly string[], nowMs: number): Promise<WebCertificate> {
  const made = () => Buffer.from(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const keyPem = Buffer.from(await readOrMakeSecret(join(keys, 'web.key'), made)).toString('utf8');
  const path = join(keys, 'web.crt');
  const kept = existsSync(path) ? readFileSync(path, 'utf8') : undefined;
  if (kept !== undefined && isFit(kept, keyPem, names, nowMs)) return { keyPem, certificatePem: kept };
  const certificatePem = await selfSigned(keyPem, names, nowMs);
  replaceFile(path, Buffer.from(certificatePem), 0o644);
  return { keyPem, certificatePem };
}

/** @returns what an operator had made elsewhere. @throws ConfigError `config.invalid` when a file can not be read or they do not belong together. */
export function readWebCertificate(certificatePath: string, keyPath: string): WebCertificate {
  try {
    const [certificatePem, keyPem] = [readFileSync(certificatePath, 'utf8'), readFileSync(keyPath, 'utf8')];
    if (new X509Certificate(certificatePem).checkPrivateKey(createPrivateKey(keyPem))) return { certificatePem, keyPem };
  } catch (cause) {
    throw new ConfigError('config.invalid', `web: ${certificatePath} or ${keyPath} can not be read as PEM`, { cause });
  }
  throw new ConfigError('config.invalid', `web: ${certificatePath} is not of ${keyPath}`);
}

function isFit(pem: string, keyPem: string, names: readonly string[], nowMs: number): boolean {
  try {
    const certificate = new X509Certificate(pem);
    const isOurs = certificate.checkPrivateKey(createPrivateKey(keyPem));
    const isNamed = names.every((name) => (isIP(name) ? certificate.checkIP(name) : certificate.checkHost(name)) !== undefined);
    return isOurs && isNamed && certificate.validToDate.getTime() - nowMs > RENEW_AT_DAYS * DAY_MS;
  } catch (cause) {
    throw new ConfigError('config.invalid', 'keys: web.key or web.crt is damaged (take both away, and others are made)', { cause });
  }
}

async function selfSigned(keyPem: string, names: readonly string[], nowMs: number): Promise<string> {
  const privateKey = createPrivateKey(keyPem);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: [{ CN: ['Vestibule gateway'] }],
    // A laptop's clock may be a little behind.
    notBefore: new Date(nowMs - DAY_MS),
    notAfter: new Date(nowMs + DAYS * DAY_MS),
    signingAlgorithm: P256,
    keys: {
      privateKey: privateKey.toCryptoKey(P256, false, ['sign']),
      publicKey: createPublicKey(privateKey).toCryptoKey(P256, true, ['verify']),
    },
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension(names.map((value) => ({ type: isIP(value) ? 'ip' : 'dns', value }))),
    ],
  });
  return `${certificate.toString('pem')}\n`;
}

/**
 * The certificate of the core's REST listener, where nobody gave one: ECDSA on P-256, since browsers take no Ed25519, signed by itself, made
 * anew of the same key before it ends.
 */
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { makePageCertificate } from '../../protocol/certificate.ts';
import { ConfigError } from '../../protocol/errors.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import { keepFile } from '../http-files.ts';
import type { HttpTls } from '../http-listener.ts';
import type { RestConfig } from './config.ts';

const DAY_MS = 86_400_000;
/** The longest that Apple's browsers take, less two days. */
const VALID_MS = 823 * DAY_MS;
const RENEWED_BEFORE_MS = 60 * DAY_MS;

/** @param dir made if it is not there. @throws ConfigError `config.invalid` for files that can not be read or do not belong together. */
export async function openRestTls(dir: string, { tls, host, names }: RestConfig, nowMs: number): Promise<HttpTls> {
  if (tls !== undefined) return readTls(tls.certificatePath, tls.keyPath);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const keyPem = keepFile(join(dir, 'tls.key'), () =>
    Buffer.from(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' })),
  ).toString('utf8');
  const path = join(dir, 'tls.crt');
  const all = [...new Set(['localhost', '127.0.0.1', ...names, ...(isIP(host) !== 0 && !/^(0\.0\.0\.0|::)$/.test(host) ? [host] : [])])];
  const kept = existsSync(path) ? readFileSync(path, 'utf8') : undefined;
  if (kept !== undefined && isFit(kept, keyPem, all, nowMs)) return { keyPem, certificatePem: kept };
  const certificatePem = await makePageCertificate(keyPem, {
    commonName: 'Vestibule core',
    names: all,
    // A laptop's clock may be a little behind.
    notBeforeMs: (nowMs - DAY_MS) as EpochMillis,
    notAfterMs: (nowMs + VALID_MS) as EpochMillis,
  });
  writeFileSync(path, certificatePem, { mode: 0o644 });
  return { keyPem, certificatePem };
}

/** One that was cut short or is another key's is made anew: it says nothing that is not known besides. */
function isFit(pem: string, keyPem: string, names: readonly string[], nowMs: number): boolean {
  try {
    const certificate = new X509Certificate(pem);
    const isNamed = names.every((name) => (isIP(name) === 0 ? certificate.checkHost(name) : certificate.checkIP(name)) !== undefined);
    return (
      certificate.checkPrivateKey(createPrivateKey(keyPem)) && isNamed && certificate.validToDate.getTime() - nowMs > RENEWED_BEFORE_MS
    );
  } catch {
    return false;
  }
}

function readTls(certificatePath: string, keyPath: string): HttpTls {
  try {
    const [certificatePem, keyPem] = [readFileSync(certificatePath, 'utf8'), readFileSync(keyPath, 'utf8')];
    if (new X509Certificate(certificatePem).checkPrivateKey(createPrivateKey(keyPem))) return { certificatePem, keyPem };
  } catch (cause) {
    throw new ConfigError('config.invalid', `rest: ${certificatePath} or ${keyPath} can not be read as PEM`, { cause });
  }
  throw new ConfigError('config.invalid', `rest: ${certificatePath} is not of ${keyPath}`);
}

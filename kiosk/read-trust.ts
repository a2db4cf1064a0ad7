/** The trust document in a file, as a kiosk needs it. */
import { readFileSync } from 'node:fs';
import { rawKeyOfCertificate } from '../protocol/certificate.ts';
import { ConfigError, ExpectedError } from '../protocol/errors.ts';
import { parseTrust, type TrustDocument } from '../protocol/trust.ts';
import { openIdentity } from './kiosk-identity.ts';
import { isEnrolled, readPapers } from './papers.ts';

/** @throws ConfigError config.invalid with every fault of the document in one line. */
export function readTrust(path: string): TrustDocument {
  try {
    const trust = parseTrust(readFileSync(path, 'utf8'));
    // Refused here, and not at each try to reach the gateway.
    rawKeyOfCertificate(trust.gateway.certificatePem);
    return trust;
  } catch (error) {
    const why = error instanceof ExpectedError ? error.message : `trust document: ${isMissing(error) ? 'is not there' : 'can not be read'}`;
    throw new ConfigError('config.invalid', why, { cause: error });
  }
}

/**
 * @param trustPath of a kiosk that is admitted by its key. An enrolled one has its own.
 * @returns the trust document that the kiosk in a data directory goes by. @throws ConfigError config.invalid, also where it has none.
 */
export function trustOf(dataDir: string, trustPath: string | undefined): TrustDocument {
  const papers = isEnrolled(dataDir) ? readPapers(dataDir, openIdentity(dataDir)) : undefined;
  if (papers !== undefined) return papers.trust;
  if (trustPath === undefined) throw new ConfigError('config.invalid', 'trust document: is not there, and this kiosk has not enrolled');
  return readTrust(trustPath);
}

const isMissing = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT';

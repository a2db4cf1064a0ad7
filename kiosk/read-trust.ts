/** The trust document in a file, as a kiosk needs it. */
import { readFileSync } from 'node:fs';
import { rawKeyOfCertificate } from '../protocol/certificate.ts';
import { ConfigError, ExpectedError } from '../protocol/errors.ts';
import { parseTrust, type TrustDocument } from '../protocol/trust.ts';

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

const isMissing = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT';

/**
 * What a kiosk was given when it enrolled, in `enrolment.json` of its data directory: certificate, trust document, posting. Public all of it;
 * the key is in `kiosk.key`. And, until then, the code it is enrolling with, in `enrolment.code`: kept before it is first used, so that a
 * kiosk that loses power goes on by itself.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { onDisk } from '../disk/faults.ts';
import { writeWhole } from '../disk/files.ts';
import { rawKeyOfCertificate } from '../protocol/certificate.ts';
import { decodeCode, type EnrolmentCode, encodeCode } from '../protocol/code.ts';
import { formatPapers, type Papers, parsePapers } from '../protocol/enrol.ts';
import { ConfigError, codeOf, DecodeError } from '../protocol/errors.ts';
import type { KioskIdentity } from './kiosk-identity.ts';

const papersPath = (dir: string): string => join(dir, 'enrolment.json');
const codePath = (dir: string): string => join(dir, 'enrolment.code');

/** @returns whether a kiosk has enrolled in that data directory. */
export const isEnrolled = (dir: string): boolean => existsSync(papersPath(dir));

/** @returns the papers in a data directory; `undefined` when it has none. @throws ConfigError config.invalid when they are damaged or another kiosk's. */
export function readPapers(dir: string, identity: KioskIdentity): Papers | undefined {
  if (!isEnrolled(dir)) return undefined;
  try {
    const papers = parsePapers(readFileSync(papersPath(dir), 'utf8'));
    refuseOthers(papers, identity);
    return papers;
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EACCES')
      throw new ConfigError('config.invalid', 'enrolment.json: this user may not read it');
    if (codeOf(cause) === undefined) throw cause;
    throw new ConfigError(
      'config.invalid',
      'enrolment.json: damaged, or of another kiosk than kiosk.key (take it away and enrol with a new code)',
      {
        cause,
      },
    );
  }
}

/** After a power cut they are as before, or these. @throws DecodeError decode.malformed when they are another kiosk's; StoreError when the disk does not take them. */
export function keepPapers(dir: string, papers: Papers, identity: KioskIdentity): void {
  refuseOthers(papers, identity);
  onDisk('enrolment', () => writeWhole(papersPath(dir), Buffer.from(`${formatPapers(papers)}\n`), 0o644));
}

export const hasPendingCode = (dir: string): boolean => existsSync(codePath(dir));

/** @returns the code that this kiosk was enrolling with when it stopped; `undefined` when there is none, or it can not be read. */
export function readPendingCode(dir: string): EnrolmentCode | undefined {
  try {
    const code = decodeCode(readFileSync(codePath(dir), 'utf8').trim());
    return code.kind === 'enrolment' ? code : undefined;
  } catch {
    return undefined;
  }
}

/** @throws StoreError when the disk does not take it. */
export function keepPendingCode(dir: string, code: EnrolmentCode): void {
  onDisk('enrolment', () => writeWhole(codePath(dir), Buffer.from(`${encodeCode(code)}\n`), 0o600));
}

/** @throws StoreError when it is still there. */
export const erasePendingCode = (dir: string): void => onDisk('enrolment', () => rmSync(codePath(dir), { force: true }));

function refuseOthers({ kiosk, certificatePem }: Papers, identity: KioskIdentity): void {
  const isKey = Buffer.compare(rawKeyOfCertificate(certificatePem), identity.publicKey) === 0;
  if (kiosk !== identity.kiosk || !isKey) throw new DecodeError('decode.malformed', 'papers: of another kiosk than asked');
}

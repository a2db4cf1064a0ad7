/**
 * Makes a kiosk of this machine by a code. May be cut off anywhere: the code is kept before it is used and erased after the papers are kept,
 * and the gateway gives the same papers to the same key and code.
 */
import { keyHashOfCertificate, makeCertificate } from '../protocol/certificate.ts';
import type { EnrolmentCode } from '../protocol/code.ts';
import { ENROL_PATH, formatEnrolRequest, type Papers, parsePapers } from '../protocol/enrol.ts';
import { AdmissionError, EnrolError, type ErrorCode, LinkError, StoreError } from '../protocol/errors.ts';
import type { Log } from '../protocol/log.ts';
import type { Clock } from '../protocol/time.ts';
import { askGateway } from './gateway-api.ts';
import type { KioskIdentity } from './kiosk-identity.ts';
import { erasePendingCode, keepPapers, keepPendingCode } from './papers.ts';

export interface Enrolling {
  /** The data directory, locked by the caller. */
  readonly dir: string;
  readonly identity: KioskIdentity;
  readonly clock: Clock;
  readonly log: Log;
  /** 0 up to, not including, 1. */
  readonly random: () => number;
  /** Told of each try that did not reach the gateway, or whose papers the disk did not take; another follows. */
  readonly onUnreached: (code: ErrorCode) => void;
}

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 30_000;

/**
 * Tries until the gateway has answered. When this returns the papers are kept.
 * @returns `undefined` on abort: the code is kept then, and the next start goes on with it.
 * @throws EnrolError, AdmissionError when the gateway refuses this code or this kiosk: the code is erased. DecodeError for an answer that is none.
 */
export async function enrol(enrolling: Enrolling, code: EnrolmentCode, signal: AbortSignal): Promise<Papers | undefined> {
  const { dir, clock, log, random, onUnreached } = enrolling;
  let isKept = false;
  for (let failures = 0; !signal.aborted; failures++) {
    try {
      if (!isKept) keepPendingCode(dir, code);
      isKept = true;
      log.debug('enrolment.code_kept');
      const papers = await askOnce(enrolling, code, signal);
      log.debug('enrolment.answered');
      keepPapers(dir, { ...papers, seen: [] }, enrolling.identity);
      log.debug('enrolment.papers_kept');
      erasePendingCode(dir);
      log.debug('enrolment.code_erased');
      log.info('kiosk.enrolled', { kiosk: papers.kiosk });
      return papers;
    } catch (error) {
      if (error instanceof EnrolError || error instanceof AdmissionError) erasePendingCode(dir);
      if (!(error instanceof LinkError) && !(error instanceof StoreError)) throw error;
      if (signal.aborted) return undefined;
      log.warn('enrolment.unreached', { code: error.code });
      onUnreached(error.code);
    }
    await clock.sleep(Math.ceil((0.5 + random() / 2) * Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(failures, 10))), signal);
  }
  return undefined;
}

async function askOnce({ identity, clock }: Enrolling, code: EnrolmentCode, signal: AbortSignal): Promise<Papers> {
  const { host, port, gatewayKeyHash, secret } = code;
  const address = {
    host,
    port,
    isGateway: (certificate: Uint8Array) => Buffer.compare(keyHashOfCertificate(certificate), gatewayKeyHash) === 0,
    certificatePem: await makeCertificate(identity.privateKey, identity.kiosk),
    privateKey: identity.privateKey,
  };
  return parsePapers(await askGateway(address, ENROL_PATH, formatEnrolRequest({ secret, kiosk: identity.kiosk }), clock, signal));
}

/**
 * Turns a code into a kiosk, once, and keeps each kiosk's certificate fresh. Every step is durable before the next, and the whole may be
 * cut off anywhere and asked for again: the same key with the same code is given the same papers.
 * Order: the code is bound to the key; the registry admits the kiosk; the one it replaces is revoked; it gets its name; the code is done; the certificate is
 * kept; the answer.
 */
import type { Placement } from '../../core/intake.ts';
import type { EnrolRequest, Papers, Role, Seen } from '../../protocol/enrol.ts';
import { AdmissionError, EnrolError } from '../../protocol/errors.ts';
import type { KioskId } from '../../protocol/ids.ts';
import type { Log } from '../../protocol/log.ts';
import type { Clock } from '../../protocol/time.ts';
import type { TrustDocument } from '../../protocol/trust.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import { type Authority, type IssuedTo, RENEW_FROM } from '../authority.ts';
import type { Kiosk, Registry } from '../registry.ts';
import type { CodeBook, GivenCode } from './code-book.ts';

export interface EnrollerParts {
  readonly book: CodeBook;
  readonly registry: Registry;
  readonly authority: Authority;
  readonly trust: () => TrustDocument;
  /** How far the rows of a kiosk's outboxes have come. @throws StoreError. */
  readonly seen: (kiosk: KioskId) => readonly Seen[];
  /** What time it has become: a clock that is set back does not bring a code back that had expired. */
  readonly leastNowMs: () => EpochMillis;
  readonly clock: Clock;
  readonly log: Log;
}

export class Enroller {
  readonly #parts: EnrollerParts;
  /**
   * By kiosk, the last that was asked for: two requests of one kiosk must not both issue, or one would be told of a certificate that is not the
   * one kept. Each waits for the one before, so that the certificate that is kept is of the role that was given last.
   */
  readonly #issuing = new Map<KioskId, Promise<string>>();

  constructor(parts: EnrollerParts) {
    this.#parts = parts;
  }

  /**
   * @param publicKey whose possession the handshake proved; raw Ed25519, 32 bytes.
   * @returns the papers of the kiosk that this code makes, or has made, of this key.
   * @throws EnrolError `enrol.unknown`, `enrol.used`, `enrol.expired`, `enrol.withdrawn`; AdmissionError `admission.wrong_key` when the key
   * or the id is another kiosk's, `admission.revoked`, `admission.unknown_venue`; StoreError. A refused kiosk has used up no code.
   */
  async enrol({ secret, kiosk }: EnrolRequest, publicKey: Uint8Array): Promise<Papers> {
    const { book, registry, clock, log } = this.#parts;
    const code = book.find(secret);
    if (code === undefined) throw new EnrolError('enrol.unknown', 'enrolment: a code that was not given out here');
    if (code.bound === undefined) this.#refuseUnfit(code, kiosk, publicKey);
    if (!book.bind(code.number, kiosk, publicKey, clock.wall())) {
      if (book.find(secret)?.withdrawnAtMs !== undefined)
        throw new EnrolError('enrol.withdrawn', `enrolment: code ${code.number} was taken back`);
      throw new EnrolError('enrol.used', `enrolment: code ${code.number} is another kiosk's`);
    }
    log.debug('enrol.bound');
    if (code.bound?.isDone !== true) this.#carryOut(code, kiosk, publicKey);
    const admitted = registry.kiosk(kiosk);
    if (admitted === undefined) throw new AdmissionError('admission.unknown_kiosk', `kiosk ${kiosk}: is not in the registry any more`);
    refuseRevoked(admitted);
    return await this.#papersOf(admitted);
  }

  /**
   * @param publicKey as of `enrol`. Its certificate may have ended, or be any that carries the key: possession of an admitted key is asked for.
   * @returns the kiosk's papers; the certificate is the one it has until two thirds of its time are over, then another.
   * @throws AdmissionError `admission.unknown_kiosk`, `admission.revoked`; StoreError.
   */
  async renew(publicKey: Uint8Array): Promise<Papers> {
    const { registry } = this.#parts;
    const admitted = [...registry.kiosks()].find((other) => Buffer.compare(other.publicKey, publicKey) === 0);
    if (admitted === undefined) throw new AdmissionError('admission.unknown_kiosk', 'renewal: a key that is not admitted here');
    refuseRevoked(admitted);
    return await this.#papersOf(admitted);
  }

  #refuseUnfit(code: GivenCode, kiosk: KioskId, publicKey: Uint8Array): void {
    const { registry, clock, leastNowMs } = this.#parts;
    const wallMs = clock.wall();
    // One that was given since the clock is wrong bears that clock's time.
    const nowMs = wallMs < code.madeAtMs ? leastNowMs() : wallMs;
    if (code.withdrawnAtMs !== undefined) throw new EnrolError('enrol.withdrawn', `enrolment: code ${code.number} was taken back`);
    if (nowMs >= code.expiresAtMs) throw new EnrolError('enrol.expired', `enrolment: code ${code.number} has expired`);
    if (!registry.venues().some(({ id }) => id === code.venue))
      throw new AdmissionError('admission.unknown_venue', `enrolment: the venue of code ${code.number} is not there any more`);
    for (const other of registry.kiosks()) {
      const [isId, isKey] = [other.kiosk === kiosk, Buffer.compare(other.publicKey, publicKey) === 0];
      if (isId !== isKey) throw new AdmissionError('admission.wrong_key', 'enrolment: the kiosk’s id or its key is another’s');
      // A revoked key may be a thief's; a kiosk that is to come back makes another.
      if (isId) refuseRevoked(other);
    }
  }

  /** Admits the kiosk, or moves it when it is admitted already. Done again after a cut it changes nothing. */
  #carryOut({ number, venue, entrance, direction, dwellMs, role, replaces, name }: GivenCode, kiosk: KioskId, publicKey: Uint8Array): void {
    const { book, registry, clock, log } = this.#parts;
    const door = { venue, entrance, ...(direction && { direction, isDirectionTold: true }), ...(dwellMs && { dwellMs }) };
    // Between the code's binding and its being done an operator may have thought better of it.
    registry.admit({ kiosk, publicKey, role, ...door }, clock.wall(), { takesBackRevoked: false });
    log.debug('enrol.admitted');
    if (replaces !== undefined && replaces !== kiosk && registry.revoke(replaces, clock.wall()))
      log.info('kiosk.replaced', { kiosk: replaces, by: kiosk, code: number });
    // Only now: until then it was the other one's.
    const called = name ?? (replaces === undefined ? undefined : registry.kiosk(replaces)?.name);
    if (called !== undefined) registry.renameWhereFree(kiosk, called);
    log.debug('enrol.replaced');
    book.finish(number);
    log.info('kiosk.enrolled', { kiosk, code: number });
    log.debug('enrol.done');
  }

  /** Its role is what the registry says: a code that comes again says what the kiosk was for then. */
  async #papersOf({ kiosk, publicKey, placement, role }: Kiosk): Promise<Papers> {
    const certificatePem = await this.#certificateFor(kiosk, publicKey, role);
    return { kiosk, role, certificatePem, trust: this.#parts.trust(), posting: postingOf(placement), seen: this.#parts.seen(kiosk) };
  }

  #certificateFor(kiosk: KioskId, publicKey: Uint8Array, role: Role): Promise<string> {
    const issue = () => this.#issueIfDue(kiosk, publicKey, role);
    const before = this.#issuing.get(kiosk);
    const issuing = (before === undefined ? issue() : before.then(issue, issue)).finally(() => {
      if (this.#issuing.get(kiosk) === issuing) this.#issuing.delete(kiosk);
    });
    this.#issuing.set(kiosk, issuing);
    return issuing;
  }

  async #issueIfDue(kiosk: KioskId, publicKey: Uint8Array, role: Role): Promise<string> {
    const { book, authority, clock, log } = this.#parts;
    const held = book.certificateOf(kiosk);
    if (held !== undefined && !this.#isDue(held.certificatePem, { publicKey, role }, clock.wall())) return held.certificatePem;
    const certificatePem = await authority.issueKiosk({ kiosk, role, publicKey }, clock.wall());
    log.debug('enrol.issued');
    book.keep({ kiosk, role, publicKey, certificatePem });
    log.debug('enrol.kept');
    log.info('certificate.issued', { kiosk, isRenewal: held !== undefined });
    return certificatePem;
  }

  /** Also when it is of another key, role or authority, or begins after now: the gateway's clock was ahead when it was made. */
  #isDue(certificatePem: string, { publicKey, role }: Pick<IssuedTo, 'publicKey' | 'role'>, nowMs: EpochMillis): boolean {
    const issued = this.#parts.authority.recognise(certificatePem);
    if (issued === undefined || issued.role !== role || Buffer.compare(issued.publicKey, publicKey) !== 0) return true;
    const { notBeforeMs, notAfterMs } = issued;
    return nowMs < notBeforeMs - CLOCK_LEEWAY_MS || nowMs >= notBeforeMs + (notAfterMs - notBeforeMs) * RENEW_FROM;
  }
}

/** A certificate's dates are whole seconds, and a clock that NTP sets may step back by some. */
const CLOCK_LEEWAY_MS = 60_000;

function refuseRevoked({ kiosk, revokedAtMs }: Kiosk): void {
  if (revokedAtMs !== undefined) throw new AdmissionError('admission.revoked', `kiosk ${kiosk}: is revoked`);
}

const postingOf = ({ venue, entrance, direction }: Placement): Papers['posting'] => ({ venue, entrance, direction });

/**
 * Keeps what is known of time over restarts, in a file beside what is to be forgotten; and takes an operator's word, left by another process in a
 * second file, that the machine's clock is right.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf, type ErrorCode, StoreError } from '../protocol/errors.ts';
import type { Log } from '../protocol/log.ts';
import { type ClockDoubt, type ClockReading, type ClockTrust, type JudgedClock, judgeClock } from '../protocol/retention-clock.ts';
import { type Clock, readBootId } from '../protocol/time.ts';
import type { EpochMillis } from '../protocol/units.ts';
import { onDisk, systemCodeOf } from './faults.ts';
import { replaceFile } from './files.ts';

const TRUST = 'retention-clock.json';
const CONFIRMED = 'retention-clock.confirmed.json';
/** Nothing is lost where less is written: within one boot, running time is counted from the last that was. */
const WRITE_EVERY_MS = 600_000;
/** One that has no id counts for this process alone. */
const BOOT = Buffer.from(readBootId() ?? randomBytes(16)).toString('hex');

/** How each doubt is called where a person reads of it. */
export const DOUBT_CODES = { ahead: 'retention.clock_ahead', behind: 'retention.clock_behind' } as const satisfies Record<
  ClockDoubt['kind'],
  ErrorCode
>;

export class RetentionClock {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #boot: string;
  #trust: ClockTrust | undefined;
  #doubt: ClockDoubt | undefined;
  /** Why an operator's word could not be read at the last look. */
  #deafFor: ErrorCode | undefined;
  /** When it was written down last; `undefined` where it is to be at the next look. */
  #writtenMs: number | undefined;

  /** @param directory that is there. @throws StoreError when what is known can not be read. */
  constructor(directory: string, clock: Clock, log: Log, boot = BOOT) {
    this.#directory = directory;
    this.#clock = clock;
    this.#log = log;
    this.#boot = boot;
    this.#trust = readTrust(join(directory, TRUST));
  }

  /** As far as it is believed now. Touches no file. */
  get nowMs(): EpochMillis {
    return this.#judge().nowMs;
  }

  /** What time it has become, as far as is known: of a clock that is behind, the time that it had been before. Touches no file. */
  get leastNowMs(): EpochMillis {
    const { nowMs, doubt } = this.#judge();
    return (nowMs + (doubt?.kind === 'behind' ? doubt.byMs : 0)) as EpochMillis;
  }

  /** Why it is not forgotten by the wall clock; `undefined` while it is. */
  get doubt(): ClockDoubt | undefined {
    return this.#judge().doubt;
  }

  /** Hears an operator's word, and writes down what is known. On a full disk it goes by what it knows, and tries again at the next look. @returns as `nowMs`. */
  look(): EpochMillis {
    const isConfirmed = this.#hearWord();
    const { trust, nowMs, doubt } = this.#judge();
    if (doubt?.kind !== this.#doubt?.kind) {
      if (doubt === undefined) this.#log.info('retention.clock_believed', { isConfirmed });
      else this.#log.error('retention.clock_doubted', { code: DOUBT_CODES[doubt.kind], byS: Math.round(doubt.byMs / 1_000) });
      this.#writtenMs = undefined;
    }
    this.#doubt = doubt;
    this.#trust = trust;
    const isDue = this.#writtenMs === undefined || trust.monotonicMs - this.#writtenMs >= WRITE_EVERY_MS;
    if (isDue || isConfirmed) this.#write(trust, isConfirmed);
    return nowMs;
  }

  #judge = (): JudgedClock => judgeClock(this.#trust, readingOf(this.#clock, this.#boot));

  /** A word that can not be read, as one that another user left, holds nothing up: the doubt stays, and the log says why. */
  #hearWord(): boolean {
    let why: ErrorCode | undefined;
    try {
      const confirmed = readTrust(join(this.#directory, CONFIRMED));
      if (confirmed !== undefined) this.#trust = confirmed;
      return confirmed !== undefined;
    } catch (error) {
      why = codeOf(error);
      if (why === undefined) throw error;
      if (why !== this.#deafFor) this.#log.error('retention.word_unread', { code: why });
      return false;
    } finally {
      this.#deafFor = why;
    }
  }

  #write(trust: ClockTrust, isConfirmed: boolean): void {
    try {
      replaceFile(join(this.#directory, TRUST), Buffer.from(`${JSON.stringify(trust)}\n`), 0o600);
      this.#writtenMs = trust.monotonicMs;
      // After it is written down: a kill between the two hears the word once more.
      if (isConfirmed) onDisk(CONFIRMED, () => rmSync(join(this.#directory, CONFIRMED), { force: true }));
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.#writtenMs = undefined;
    }
  }
}

/** Leaves an operator's word that the clock is right now, for whoever forgets in `directory`: heard within a minute, or at the next start. @throws StoreError. */
export function confirmClock(directory: string, clock: Clock, boot = BOOT): void {
  const { wallMs, ...read } = readingOf(clock, boot);
  replaceFile(join(directory, CONFIRMED), Buffer.from(`${JSON.stringify({ ...read, atMs: wallMs })}\n`), 0o600);
}

const readingOf = (clock: Clock, boot: string): ClockReading => ({ wallMs: clock.wall(), monotonicMs: clock.monotonic(), boot });

/** @returns `undefined` where there is none, or none that is whole. @throws StoreError when it can not be read. */
function readTrust(path: string): ClockTrust | undefined {
  const text = onDisk(path, () => {
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      if (systemCodeOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  });
  try {
    const { atMs, monotonicMs, boot, aheadForMs } = JSON.parse(text ?? '{}');
    const isWhole = [atMs, monotonicMs, aheadForMs ?? 0].every(Number.isFinite) && typeof boot === 'string';
    return isWhole ? { atMs, monotonicMs, boot, aheadForMs } : undefined;
  } catch {
    return undefined;
  }
}

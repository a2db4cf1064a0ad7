/**
 * Does what a gateway asks that was brought back from a backup: rows that it had acknowledged since, and has no more, are sent again. Takes
 * back the settling of those that are still here, some at a time, so that neither a scan nor the bound of unsent rows is in the way of it.
 * What was begun and not finished is begun anew by the same command, which is retained; a row that is sent twice counts once.
 */
import { publicKeyFromRaw } from '../protocol/ed25519.ts';
import { codeOf, PolicyError, StoreError } from '../protocol/errors.ts';
import type { DeploymentId, KioskId } from '../protocol/ids.ts';
import type { Log } from '../protocol/log.ts';
import { openSendAgain, type SendAgain, type SeqRange } from '../protocol/send-again.ts';
import type { Clock } from '../protocol/time.ts';
import type { Outbox } from './outbox.ts';
import type { KeyNumber, SettledRow } from './outbox-row.ts';

export interface ResenderOptions {
  readonly deployment: DeploymentId;
  readonly kiosk: KioskId;
  /** The gateway's, raw Ed25519, 32 bytes. */
  readonly receiptKey: Uint8Array;
  readonly clock: Clock;
  readonly log: Log;
  /** Whether the wall clock may say that something has expired. */
  readonly mayJudgeTime: () => boolean;
  readonly outbox: () => Outbox | undefined;
  /** While so many rows wait to be sent, no more are taken back; 5,000 when left out. */
  readonly mostQueued?: number;
  readonly onStoreFailed: (error: StoreError) => void;
  /** Rows are to be sent that were settled before; also what was acknowledged and is not settled yet. */
  readonly onUnsettled: () => void;
  /** A command was carried out: the state tells of it. */
  readonly onDone: (version: number) => void;
}

/** Looked at in one transaction, so that a scan waits for a few ms of it at most. */
const ROWS_AT_ONCE = 500;
/** Waiting to be sent, they take the room that the door may need. */
const MOST_QUEUED = 5_000;
const LOOK_EVERY_MS = 1_000;
const DAY_MS = 86_400_000;
/** There is no settled row any more. */
const END = 'end';

export class Resender {
  readonly #options: ResenderOptions;
  readonly #signer: Parameters<typeof openSendAgain>[1];
  #wanted: SendAgain | undefined;
  #wake = new AbortController();

  constructor(options: ResenderOptions) {
    const { deployment, kiosk, receiptKey } = options;
    this.#options = options;
    this.#signer = { deployment, kiosk, publicKey: publicKeyFromRaw(receiptKey) };
  }

  /** The version that was last carried out; 0 for none. What the store can not say now is 0, too. */
  get version(): number {
    return this.#guarded((outbox) => outbox.sentAgain) ?? 0;
  }

  /** Hears a command as it came from the gateway, or refuses it by a code. Takes no time: the work comes after. */
  take(bytes: Uint8Array): void {
    const { log } = this.#options;
    // What is taken off the broker comes as an empty message.
    if (bytes.length === 0) return;
    try {
      const command = openSendAgain(bytes, this.#signer);
      if (command.version <= Math.max(this.version, this.#wanted?.version ?? 0)) return;
      if (this.#isOver(command)) throw new PolicyError('policy.expired', `command: version ${command.version} has expired`);
      this.#wanted = command;
      log.info('send_again.asked', { version: command.version });
      this.#wake.abort();
    } catch (error) {
      const code = codeOf(error);
      if (code === undefined) throw error;
      log.warn('command.refused', { code });
    }
  }

  /** Until abort: carries out what was asked. */
  async run(signal: AbortSignal): Promise<void> {
    const stop = () => this.#wake.abort();
    signal.addEventListener('abort', stop, { once: true });
    while (!signal.aborted) {
      if (this.#wanted === undefined) await this.#options.clock.sleep(DAY_MS, this.#wake.signal);
      this.#wake = new AbortController();
      if (signal.aborted) return;
      if (this.#wanted !== undefined) await this.#carryOut(this.#wanted, signal);
    }
  }

  async #carryOut(command: SendAgain, signal: AbortSignal): Promise<void> {
    const { clock, log, outbox, onUnsettled, onDone, mostQueued = MOST_QUEUED } = this.#options;
    const began = outbox();
    const isLacking = lackingOf(command, (key) => began?.keyOf(key).keyId);
    let at = Number.MIN_SAFE_INTEGER;
    let rows = 0;
    onUnsettled();
    while (!signal.aborted && this.#wanted === command) {
      // In another's place, one that was set aside as damaged: what it had unsent was carried over, and there is nothing settled in it.
      if (outbox() !== began) return;
      const isRoom = began !== undefined && began.queued < mostQueued;
      const looked = isRoom ? this.#guarded((present) => present.unsettle(at, ROWS_AT_ONCE, isLacking) ?? END) : undefined;
      if (looked === END && this.#guarded((present) => this.#finish(present, command)) === true) {
        log.warn('send_again.done', { version: command.version, rows });
        onDone(command.version);
        return;
      }
      if (looked === undefined || looked === END) {
        await clock.sleep(LOOK_EVERY_MS, signal);
        continue;
      }
      at = looked.at;
      rows += looked.rows;
      if (looked.rows > 0) onUnsettled();
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  #finish(outbox: Outbox, command: SendAgain): true {
    outbox.setSentAgain(command.version);
    if (this.#wanted === command) this.#wanted = undefined;
    return true;
  }

  /** A kiosk boots without knowing the time: then it can not say. */
  #isOver = ({ expiresAtMs }: SendAgain): boolean => this.#options.mayJudgeTime() && this.#options.clock.wall() >= expiresAtMs;

  /** @returns `undefined` where there is no outbox, or it failed, which is told. */
  #guarded<T>(work: (outbox: Outbox) => T): T | undefined {
    const present = this.#options.outbox();
    if (present === undefined) return undefined;
    try {
      return work(present);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.#options.onStoreFailed(error);
      return undefined;
    }
  }
}

/** @returns whether the gateway lacks a row. */
function lackingOf({ had }: SendAgain, keyIdOf: (key: KeyNumber) => Uint8Array | undefined): (row: SettledRow) => boolean {
  const rangesOf = new Map(had.map(({ keyId, ranges }) => [nameOf(keyId), ranges]));
  const known = new Map<KeyNumber, readonly SeqRange[]>();
  return ({ key, seq }) => {
    let ranges = known.get(key);
    if (ranges === undefined) {
      ranges = rangesOf.get(nameOf(keyIdOf(key) ?? new Uint8Array())) ?? [];
      known.set(key, ranges);
    }
    return !ranges.some(({ from, to }) => seq >= from && seq <= to);
  };
}

const nameOf = (keyId: Uint8Array): string => Buffer.from(keyId).toString('hex');

/**
 * The switch of a machine that a kiosk has no rights over: it leaves a word in a file of its own, and something that has them looks after that
 * file and does one of three things. Which slot runs and which lasts, the machine tells in files that the kiosk only reads.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { onDisk } from '../../disk/faults.ts';
import { replaceFile } from '../../disk/files.ts';
import { ConfigError, StoreError } from '../../protocol/errors.ts';
import type { Clock } from '../../protocol/time.ts';
import { SLOT_NAMES, type SlotName, type SlotSwitch } from './slots.ts';

export interface WishSwitchOptions {
  /** Where the machine tells: `running` and `lasting`, each with `a` or `b`. */
  readonly state: string;
  /** Where the kiosk asks: `slot-wish`, with `keep`, `try` or `leave`. */
  readonly wishes: string;
  readonly clock: Clock;
}

/** It is one sector that is written. */
const KEEP_LONGEST_MS = 30_000;
const LOOK_EVERY_MS = 200;

export class WishSwitch implements SlotSwitch {
  readonly #options: WishSwitchOptions;

  constructor(options: WishSwitchOptions) {
    this.#options = options;
  }

  running = (): SlotName => this.#told('running');
  lasting = (): SlotName => this.#told('lasting');

  async tryOther(): Promise<void> {
    this.#wish('try');
  }

  /** @throws StoreError `store.failed` when the machine has not done it in half a minute. */
  async keep(): Promise<void> {
    const { clock } = this.#options;
    if (this.lasting() === this.running()) return;
    this.#wish('keep');
    const { signal } = new AbortController();
    for (let waitedMs = 0; waitedMs < KEEP_LONGEST_MS; waitedMs += LOOK_EVERY_MS) {
      await clock.sleep(LOOK_EVERY_MS, signal);
      if (this.lasting() === this.running()) return;
    }
    throw new StoreError('store.failed', `slots: the machine has not made ${this.running()} lasting in ${KEEP_LONGEST_MS} ms`);
  }

  async leave(): Promise<void> {
    this.#wish('leave');
  }

  #wish(word: 'keep' | 'try' | 'leave'): void {
    replaceFile(join(this.#options.wishes, 'slot-wish'), Buffer.from(`${word}\n`), 0o644);
  }

  #told(what: 'running' | 'lasting'): SlotName {
    const path = join(this.#options.state, what);
    const said = onDisk(path, () => readFileSync(path, 'utf8')).trim();
    const slot = SLOT_NAMES.find((name) => name === said);
    if (slot === undefined) throw new ConfigError('config.invalid', `${path}: expected a or b`);
    return slot;
  }
}

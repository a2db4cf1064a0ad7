/**
 * Forgets cards that their holders took back, as the policy document tells of them: what is in RAM at once, and then settled rows. Those that
 * were sealed in this start of the process are opened, and the card's go; of earlier starts nobody here has the key, so that all of them go:
 * the gateway has them. Unsent rows stay sealed and go where they belong: the gateway refuses those of the card, and then they go as the
 * others. So the kiosk says that it is forgetting until each row that it had when it heard of the card is settled, and gone if it may be the
 * card's; from then on no row of the card is made.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeWhole } from '../disk/files.ts';
import { codeOf, StoreError } from '../protocol/errors.ts';
import { decodeEvent } from '../protocol/event-codec.ts';
import type { VisitorUuid } from '../protocol/ids.ts';
import type { Log } from '../protocol/log.ts';
import { type Policy, revokedIn } from '../protocol/policy.ts';
import type { RowOpener } from '../protocol/row.ts';
import type { Clock } from '../protocol/time.ts';
import { eraseAdopted } from './open-outbox.ts';
import type { Outbox } from './outbox.ts';
import type { KeyNumber, OutboxRow } from './outbox-row.ts';
import type { PolicyStanding } from './policy-keeper.ts';

export interface CardForgetterOptions {
  /** The data directory. */
  readonly dir: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly recorder: {
    readonly outbox: Outbox | undefined;
    /** Of this start of the process. */
    readonly present: { readonly key: KeyNumber; readonly opener: RowOpener } | undefined;
    failed(error: unknown): void;
  };
  /** Forgets what is in RAM. */
  readonly onForget: (isGone: (card: VisitorUuid) => boolean) => void;
  /** Takes what was dropped out of the outbox's log; false when it is to be tried again. */
  readonly emptyLog: () => Promise<boolean>;
  /** How the kiosk stands with its policy, and whether it is still forgetting what that tells it to forget. */
  readonly onStanding: (standing: PolicyStanding & Forgetting) => void;
}

export interface Forgetting {
  readonly isForgetting: boolean;
}

const FILE = 'forgotten';
/** Looked at in one transaction, so that a scan waits for a few ms of it at most. */
const ROWS_AT_ONCE = 200;
const TRY_AGAIN_MS = 1_000;
const DAY_MS = 86_400_000;

export class CardForgetter {
  readonly #options: CardForgetterOptions;
  #isGone: (card: VisitorUuid) => boolean = () => false;
  /** Of what the document tells to forget; empty for nothing. */
  #asked = '';
  #done: string;
  /** Rows from there on were appended when the card was refused at the door already; of which outbox. */
  #mark: { readonly outbox: Outbox; readonly before: number } | undefined;
  /** What could go was dropped while others waited to be sent. */
  #isSwept = false;
  #standing: PolicyStanding | undefined;
  #wake = new AbortController();

  constructor(options: CardForgetterOptions) {
    this.#options = options;
    this.#done = readIfThere(join(options.dir, FILE));
  }

  /** Hears what the policy tells to forget. What is in RAM is forgotten when this returns. */
  adopt(policy: Policy): void {
    const { revokedCards } = policy;
    this.#asked =
      revokedCards === undefined ? '' : createHash('sha256').update(revokedCards.tombstoneKey).update(revokedCards.marks).digest('hex');
    if (this.#asked === '' || this.#asked === this.#done) return;
    this.#isGone = revokedIn(policy);
    this.#mark = undefined;
    this.#options.onForget(this.#isGone);
    this.#wake.abort();
  }

  /** Hears how the kiosk stands with its policy, and tells it on. */
  told(standing: PolicyStanding): void {
    this.#standing = standing;
    this.#say();
  }

  /** Until abort: forgets rows. */
  async run(signal: AbortSignal): Promise<void> {
    const stop = () => this.#wake.abort();
    signal.addEventListener('abort', stop, { once: true });
    while (!signal.aborted) {
      if (!this.#isBusy) await this.#options.clock.sleep(DAY_MS, this.#wake.signal);
      this.#wake = new AbortController();
      if (signal.aborted) return;
      if (this.#isBusy && !(await this.#forgetRows(signal))) await this.#options.clock.sleep(TRY_AGAIN_MS, signal);
    }
  }

  get #isBusy(): boolean {
    return this.#asked !== '' && this.#asked !== this.#done;
  }

  /** @returns whether it is done, and written down. */
  async #forgetRows(signal: AbortSignal): Promise<boolean> {
    const { dir, log, recorder, emptyLog } = this.#options;
    const asked = this.#asked;
    const { outbox } = recorder;
    if (outbox === undefined) return false;
    if (this.#mark?.outbox !== outbox) {
      this.#mark = { outbox, before: outbox.nextSeq };
      this.#isSwept = false;
    }
    const mark = this.#mark;
    let rows: number | undefined = 0;
    try {
      // A damaged outbox that could not be read yet may hold more of them: it is tried again at the next start.
      const isWaiting = !eraseAdopted(dir, outbox) || outbox.hasUnsentBefore(mark.before);
      if (isWaiting && this.#isSwept) return false;
      rows = await this.#dropRows(outbox, signal);
      if (rows === undefined || !(await emptyLog()) || this.#mark !== mark) return false;
      this.#isSwept = true;
      if (isWaiting) return false;
      writeWhole(join(dir, FILE), Buffer.from(asked), 0o600);
    } catch (error) {
      if (error instanceof StoreError) recorder.failed(error);
      else if (!(error instanceof Error && 'syscall' in error)) throw error;
      return false;
    }
    this.#done = asked;
    log.info('cards.forgotten', { rows });
    this.#say();
    return true;
  }

  /** @returns how many; `undefined` when it was cut off. @throws StoreError. */
  async #dropRows(outbox: Outbox, signal: AbortSignal): Promise<number | undefined> {
    const { recorder } = this.#options;
    const { present } = recorder;
    let at = Number.MIN_SAFE_INTEGER;
    let rows = 0;
    for (;;) {
      const looked = outbox.dropSettled(at, ROWS_AT_ONCE, (row) => this.#isToGo(row, present));
      if (looked === undefined) return rows;
      at = looked.at;
      rows += looked.rows;
      await new Promise<void>((resolve) => setImmediate(resolve));
      if (signal.aborted || recorder.outbox !== outbox) return undefined;
    }
  }

  #isToGo({ key, seq, row }: OutboxRow, present: CardForgetterOptions['recorder']['present']): boolean {
    if (present === undefined || key !== present.key) return true;
    try {
      const event = decodeEvent(present.opener.open(row, seq));
      return 'card' in event && this.#isGone(event.card);
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      // Damaged: nobody can say whose it is, and the gateway has it whole.
      return true;
    }
  }

  #say(): void {
    if (this.#standing !== undefined) this.#options.onStanding({ ...this.#standing, isForgetting: this.#isBusy });
  }
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

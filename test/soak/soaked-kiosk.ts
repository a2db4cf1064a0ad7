/** The real kiosk with a real outbox, in this process, and what is left of its run: every answer as it came, every row that it kept. */
import { join } from 'node:path';
import { askKiosk } from '../../kiosk/ask-kiosk.ts';
import { parseConfig } from '../../kiosk/config.ts';
import type { Feedback } from '../../kiosk/feedback.ts';
import { openIdentity } from '../../kiosk/kiosk-identity.ts';
import { openOutbox } from '../../kiosk/open-outbox.ts';
import { type RunKioskOptions, runKiosk } from '../../kiosk/run-kiosk.ts';
import { sealRows } from '../../kiosk/seal-rows.ts';
import type { BootId, VisitorUuid } from '../../protocol/ids.ts';
import { silentLog } from '../../protocol/log.ts';
import { systemClock } from '../../protocol/time.ts';
import { topicOf } from '../../protocol/topics.ts';
import { cardOf, type Deployment, LIMITS, mono, newDeployment, wall } from '../kiosk/fixtures.ts';
import { openBatch } from '../kiosk/open-batches.ts';

/** No gateway: what is kept stays here, to be counted. */
const NOWHERE = 1;
const BATCH_ROWS = 64;

export class SoakedKiosk {
  readonly deployment: Deployment;
  readonly dataDir: string;
  readonly feedback: Feedback[] = [];
  /** When each answer was given: what it tells of is durable by then. By performance.now. */
  readonly answeredAtMs: number[] = [];
  readonly stopping = new AbortController();
  /** Codes that drivers handed up, complete or not, by the kiosk's own word. */
  scans = 0;
  readonly #watching = new AbortController();
  #watched: Promise<void> = Promise.resolve();
  /** What staff were last told of the kiosk's state. */
  status = '';
  #running: Promise<void> = Promise.resolve();
  #failure: { readonly error: unknown } | undefined;
  #counted = 0;
  #seen = 0;

  private constructor(deployment: Deployment, dataDir: string) {
    this.deployment = deployment;
    this.dataDir = dataDir;
  }

  static async start(dir: string, json: Record<string, unknown>, options: Partial<RunKioskOptions> = {}): Promise<SoakedKiosk> {
    const deployment = await newDeployment();
    const kiosk = new SoakedKiosk(deployment, join(dir, 'kiosk'));
    const config = parseConfig({
      dataDir: kiosk.dataDir,
      trustPath: deployment.writeTrust(dir, NOWHERE),
      page: { isOn: false },
      door: { maxCards: 20_000 },
      uplink: { firstBackoffMs: 60_000, longestBackoffMs: 60_000 },
      ...json,
    });
    await new Promise<void>((resolve, reject) => {
      const doors: RunKioskOptions = {
        clock: systemClock,
        log: silentLog,
        onReady: () => resolve(),
        terminal: {
          hasColour: false,
          write: (text) => {
            if (/online|offline|connecting/.test(text)) kiosk.status = text;
          },
        },
        onFeedback: (feedback) => {
          kiosk.feedback.push(feedback);
          kiosk.answeredAtMs.push(performance.now());
        },
        ...options,
      };
      kiosk.#running = runKiosk(config, doors, kiosk.stopping.signal);
      kiosk.#running.catch((error: unknown) => {
        kiosk.#failure = { error };
        reject(error);
      });
    });
    kiosk.#watched = kiosk.#watch();
    // Asked later, so that its answer says that the watch is heard.
    await askKiosk(kiosk.dataDir, 'state', kiosk.#watching.signal).next();
    return kiosk;
  }

  async #watch(): Promise<void> {
    for await (const answer of askKiosk(this.dataDir, 'watch', this.#watching.signal))
      if ('sight' in answer && answer.sight.what === 'scan') this.scans += 1;
  }

  /** The text of card number `index`. */
  code(index: number): string {
    return this.deployment.textOf(cardOf(index));
  }

  /** How many answers tell of something kept: one a code that was taken. */
  get kept(): number {
    for (; this.#seen < this.feedback.length; this.#seen++) if (this.feedback[this.#seen]?.seq !== undefined) this.#counted += 1;
    return this.#counted;
  }

  /** Waits for as many as that. */
  async untilKept(count: number): Promise<void> {
    await this.until(() => this.kept >= count);
  }

  /** Waits until the scanner named `door` works, or does not. */
  async untilDoor(isReady: boolean): Promise<void> {
    if (isReady) await this.until(() => this.status.includes('door ready'));
    else await this.untilAbsent('door');
  }

  /** Waits until the device of that name is missing, wherever it was. */
  async untilAbsent(name: string, why = ''): Promise<void> {
    const words = new RegExp(`${name}( [^·]+)? absent [^·]*${why}`);
    await this.until(() => words.test(this.status));
  }

  /** @throws what ended the kiosk, if something did. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      if (this.#failure !== undefined) throw this.#failure.error;
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  /** Stops, once it has told of every code that it kept. */
  async stop(): Promise<void> {
    await this.until(() => this.scans >= this.kept);
    this.#watching.abort();
    await this.#watched;
    this.stopping.abort();
    await this.#running;
  }

  /** The cards of all check-ins that lie in the outbox of the stopped kiosk, in the order of their sequence numbers, as their numbers. */
  async checkIns(cards: number): Promise<number[]> {
    const indexOf = new Map(Array.from({ length: cards }, (_, index) => [nameOf(cardOf(index)), index]));
    const identity = openIdentity(this.dataDir);
    const { outbox } = openOutbox(this.dataDir, LIMITS, { wallMs: wall(Date.now()), monotonicMs: mono(0) }, silentLog);
    const { deployment } = this.deployment;
    const topic = topicOf(identity.kiosk, 'batch');
    const sending = { deployment, topic, bootId: new Uint8Array(16) as BootId, monotonicMs: mono(0), signingKey: identity.privateKey };
    const found: number[] = [];
    let position = Number.MIN_SAFE_INTEGER;
    for (;;) {
      const rows = outbox.unsentAfter(position, BATCH_ROWS);
      const [first] = rows;
      if (first === undefined) break;
      const ofOneKey = rows.filter(({ key }) => key === first.key);
      position = ofOneKey.at(-1)?.position ?? position;
      for (const { event } of await openBatch(sealRows(ofOneKey, outbox.keyOf(first.key), sending), this.deployment, identity)) {
        if (event.type === 'check-in') found.push(indexOf.get(nameOf(event.card)) ?? -1);
      }
    }
    outbox.close();
    return found;
  }
}

const nameOf = (card: VisitorUuid): string => Buffer.from(card).toString('hex');

/** @returns median, 95th and 99th hundredth, and the longest, in words. */
export function distribution(ms: readonly number[]): string {
  const sorted = ms.toSorted((a, b) => a - b);
  const at = (part: number) => (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0).toFixed(2);
  return `${sorted.length} scans: p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, p99 ${at(0.99)} ms, longest ${at(1)} ms`;
}

/** Kiosks that do what kiosks do while others attack: a batch, its PUBACK, a short wait, the next. They are to notice nothing. */
import type { MqttClient } from 'mqtt';
import type { Test } from 'tap';
import { systemClock } from '../../protocol/time.ts';
import { checkIn, type KioskStart, type TestKiosk } from '../support/test-kiosk.ts';
import type { AttackedGateway } from './attacked-gateway.ts';
import { pause } from './eventually.ts';

/** What one may wait for a PUBACK while others attack, on a machine that may be busy with other things too. */
const UNHARMED_MS = 15_000;
const BETWEEN_MS = 40;
const ROWS = 4;

interface Honest {
  readonly kiosk: TestKiosk;
  readonly start: KioskStart;
  readonly client: MqttClient;
}

export class HonestKiosks {
  readonly #tookMs: number[] = [];
  /** What should not have happened to them. */
  readonly #faults: string[] = [];
  readonly #gateway: AttackedGateway;
  readonly #kiosks: readonly Honest[];
  readonly #stopping = new AbortController();
  readonly #sent = new Map<string, number>();
  #running: Promise<unknown> = Promise.resolve();

  private constructor(gateway: AttackedGateway, kiosks: readonly Honest[]) {
    this.#gateway = gateway;
    this.#kiosks = kiosks;
  }

  static async start(gateway: AttackedGateway, count = 4): Promise<HonestKiosks> {
    const kiosks: Honest[] = [];
    for (let i = 0; i < count; i++) {
      const kiosk = await gateway.admit();
      kiosks.push({ kiosk, start: await kiosk.start(), client: await kiosk.connect(gateway.tlsPort) });
    }
    const honest = new HonestKiosks(gateway, kiosks);
    honest.#running = Promise.all(kiosks.map((one) => honest.#send(one)));
    return honest;
  }

  get kiosks(): readonly TestKiosk[] {
    return this.#kiosks.map(({ kiosk }) => kiosk);
  }

  get acknowledged(): number {
    return this.#tookMs.length;
  }

  /** Ends them. Holds that the gateway runs, that nothing happened to them, and that each row of theirs came to the intake, once. */
  async areUnharmed(t: Test): Promise<void> {
    const { missing, twice } = await this.#stop();
    t.strictSame(this.#faults, []);
    t.equal(this.#gateway.end, undefined);
    t.strictSame({ missing, twice }, { missing: 0, twice: 0 });
    const slowestMs = Math.max(0, ...this.#tookMs.slice(-10_000));
    t.ok(slowestMs < UNHARMED_MS, `${this.acknowledged} batches, the slowest PUBACK after ${Math.round(slowestMs)} ms`);
  }

  /** Waits until all that was acknowledged has reached the intake. @returns rows that did not, or came twice. */
  async #stop(): Promise<{ readonly missing: number; readonly twice: number }> {
    this.#stopping.abort();
    await this.#running;
    for (const { client } of this.#kiosks) client.end(true);
    for (let attempts = 0; ; attempts++) {
      const { rows, twice } = await this.#gateway.tell();
      const missing = [...this.#sent].reduce((sum, [kiosk, sent]) => sum + Math.max(0, sent - (rows[kiosk] ?? 0)), 0);
      if (missing === 0 || attempts >= 100) return { missing, twice };
      await pause(50);
    }
  }

  async #send({ kiosk, start, client }: Honest): Promise<void> {
    let onClosed = (): void => {};
    client.on('close', () => onClosed());
    const publish = (batch: Uint8Array): Promise<void> =>
      new Promise((resolve, reject) => {
        onClosed = () => reject(new Error('closed'));
        client.publish(kiosk.batchTopic, Buffer.from(batch), { qos: 1 }, (error) => (error ? reject(error) : resolve()));
      });
    while (!this.#stopping.signal.aborted) {
      const rows = Array.from({ length: ROWS }, () => start.seal(checkIn()));
      const fromMs = performance.now();
      try {
        await publish(start.batch(rows));
      } catch (error) {
        this.#faults.push(`${(error as Error).message} after ${this.#sent.get(kiosk.kiosk) ?? 0} rows`);
        return;
      }
      this.#tookMs.push(performance.now() - fromMs);
      this.#sent.set(kiosk.kiosk, (this.#sent.get(kiosk.kiosk) ?? 0) + ROWS);
      await systemClock.sleep(BETWEEN_MS, this.#stopping.signal);
    }
  }
}

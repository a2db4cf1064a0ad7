/**
 * What goes with the outbox that is in use: an uplink that sends its rows, and a thread that keeps its log short. Where another comes in the place
 * of a damaged one, both are made anew; those of the one before end, and with the kiosk all do.
 */
import type { BootId } from '../protocol/ids.ts';
import type { Log } from '../protocol/log.ts';
import type { Clock } from '../protocol/time.ts';
import type { ClockWatch } from './clock-state.ts';
import type { KioskConfig } from './config.ts';
import type { Credentials } from './credentials.ts';
import { keepDeployment } from './deployment-mark.ts';
import type { GatewayWord } from './gateway-word.ts';
import type { Health } from './health.ts';
import { openUplink } from './open-uplink.ts';
import type { Outbox } from './outbox.ts';
import { OutboxCheckpoints } from './outbox-checkpoint.ts';
import type { OutboxRow } from './outbox-row.ts';
import type { Recorder } from './recorder.ts';
import type { Tasks } from './tasks.ts';
import type { Uplink } from './uplink.ts';

export interface OutboxServiceOptions {
  readonly config: KioskConfig;
  readonly credentials: Credentials;
  readonly version: string;
  readonly bootId: BootId;
  readonly recorder: Recorder;
  readonly word: GatewayWord;
  readonly health: Health;
  readonly watch: ClockWatch;
  readonly tasks: Tasks;
  readonly clock: Clock;
  readonly log: Log;
  /** The link is up. */
  readonly onUp: () => void;
  /** The disk does not answer a checkpoint, or does again. */
  readonly onHung: (isHung: boolean) => void;
}

export class OutboxService {
  readonly #options: OutboxServiceOptions;
  #uplink: Uplink | undefined;
  #checkpoints: OutboxCheckpoints | undefined;
  #ending = new AbortController();

  constructor(options: OutboxServiceOptions) {
    this.#options = options;
  }

  /**
   * An outbox came into use.
   * @param salvagedRows saved from the one before, where that was damaged. @throws ConfigError as keepDeployment.
   */
  serve(outbox: Outbox, salvagedRows: number | undefined): void {
    const { config, credentials, version, bootId, recorder, word, health, watch, tasks, clock, log, onUp, onHung } = this.#options;
    keepDeployment(config.dataDir, credentials.trust.deployment, outbox.queued);
    this.#ending.abort();
    this.#ending = new AbortController();
    const signal = AbortSignal.any([tasks.signal, this.#ending.signal]);
    watch.learn(outbox.knownWallMs);
    health.sentAgain(outbox.sentAgain);
    if (salvagedRows !== undefined) health.damaged(salvagedRows);
    const limits = config.uplink;
    this.#uplink = openUplink({ outbox, credentials, version, bootId, limits, recorder, word, health, clock, log, onUp });
    tasks.add(this.#uplink.run(signal));
    this.#checkpoints = new OutboxCheckpoints({
      path: outbox.path,
      maxBytes: config.outbox.maxBytes,
      clock,
      log,
      appended: () => recorder.appended,
      deleted: () => outbox.deleted,
      onHung,
    });
    tasks.add(this.#checkpoints.run(signal));
  }

  /** The outbox is let go of: resolves once no thread has its files open. */
  async leave(): Promise<void> {
    await this.#checkpoints?.end();
  }

  /** As OutboxCheckpoints.emptyLog; false while there is no outbox. */
  async emptyLog(): Promise<boolean> {
    return (await this.#checkpoints?.emptyLog()) === true;
  }

  /** As Uplink's; nothing while there is no outbox. */
  offer(row: OutboxRow): void {
    this.#uplink?.offer(row);
  }

  /** As Uplink's; nothing while there is no outbox. */
  rewind(): void {
    this.#uplink?.rewind();
  }

  /** As Uplink's; nothing while there is no outbox. */
  redial(): void {
    this.#uplink?.redial();
  }

  /** As Uplink's; nothing while there is no outbox. */
  say(topic: string, payload: Uint8Array): void {
    this.#uplink?.say(topic, payload);
  }
}

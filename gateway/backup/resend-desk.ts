/**
 * Asks the kiosks of a gateway that was brought back from a backup for the rows that came since: one signed command for each, retained until
 * the kiosk's state says that it has done it, or until no kiosk can have such rows any more.
 */
import type { KeyObject } from 'node:crypto';
import type { DeploymentId, KioskId } from '../../protocol/ids.ts';
import type { KioskStateReport } from '../../protocol/kiosk-state.ts';
import type { Log } from '../../protocol/log.ts';
import { encodeSendAgain, GREATEST_COMMAND_VERSION } from '../../protocol/send-again.ts';
import type { Clock } from '../../protocol/time.ts';
import { DELIVERY, topicOf } from '../../protocol/topics.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import type { Db } from '../database.ts';
import type { Registry } from '../registry.ts';
import { hadOf } from './had.ts';
import type { Restore } from './restore-book.ts';

export interface ResendDeskDoors {
  readonly registry: Registry;
  /** The ledger's index. */
  readonly ledger: Db;
  readonly deployment: DeploymentId;
  /** Ed25519. */
  readonly receiptKey: KeyObject;
  readonly publish: (topic: string, payload: Uint8Array, delivery: { readonly qos: 0 | 1; readonly retain: boolean }) => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
  onBug(error: unknown): void;
}

/** A kiosk keeps nothing longer than retention allows. */
const LIFETIME_MS = 21 * 86_400_000;
/** Between two slices kiosks are served: a command is made of thousands of rows' numbers. */
const MOST_IN_SLICE = 8;

export class ResendDesk {
  readonly #doors: ResendDeskDoors;
  readonly #published = new Set<KioskId>();
  #restore: Restore | undefined;
  #done = new Map<KioskId, EpochMillis>();
  /** Said by kiosks since the last look. */
  readonly #said = new Map<KioskId, number>();
  /** Kiosks that did what a later restore asked than this gateway knows of: what they sent then is lost here as well. */
  readonly #ahead = new Map<KioskId, number>();
  #revision: number | undefined;

  /** @throws StoreError. */
  constructor(doors: ResendDeskDoors) {
    this.#doors = doors;
    this.#read();
  }

  /** Asks whom it has to, and keeps what kiosks have said. To be called every second. @throws StoreError; the next call does what was left. */
  async look(signal: AbortSignal): Promise<void> {
    const restore = this.#restore;
    if (restore === undefined) return;
    const { registry, clock } = this.#doors;
    this.#keepWhatWasSaid(restore);
    const revision = registry.revision();
    if (revision === this.#revision || clock.wall() >= restore.restoredAtMs + LIFETIME_MS) return;
    const kiosks = [...registry.kiosks()].filter(({ revokedAtMs }) => revokedAtMs === undefined).map(({ kiosk }) => kiosk);
    const waiting = kiosks.filter((kiosk) => !this.#done.has(kiosk) && !this.#published.has(kiosk));
    for (let from = 0; from < waiting.length; from += MOST_IN_SLICE) {
      if (signal.aborted) return;
      for (const kiosk of waiting.slice(from, from + MOST_IN_SLICE)) this.#ask(kiosk, restore);
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    if (waiting.length > 0) this.#doors.log.warn('send_again.asked', { kiosks: waiting.length, version: restore.version });
    this.#revision = revision;
  }

  /** Hears a kiosk's state. Only what it says of having sent again is taken from it. */
  heard(kiosk: KioskId, { sentAgain }: KioskStateReport): void {
    if (this.#restore !== undefined && sentAgain !== undefined && sentAgain > 0 && !this.#done.has(kiosk)) this.#said.set(kiosk, sentAgain);
  }

  #read(): void {
    const { restoreBook } = this.#doors.registry;
    this.#restore = restoreBook.newest();
    if (this.#restore !== undefined) this.#done = restoreBook.sentAgain(this.#restore.version);
  }

  #keepWhatWasSaid(restore: Restore): void {
    const { registry, clock, log } = this.#doors;
    const said = [...this.#said];
    this.#said.clear();
    for (const [kiosk, one] of said) {
      const asked = this.#versionFor(kiosk, restore);
      if (one > asked && one < GREATEST_COMMAND_VERSION) {
        // One that says ever later versions makes work for itself alone.
        this.#ahead.set(kiosk, one);
        this.#published.delete(kiosk);
        this.#revision = undefined;
      }
      if (one !== asked) continue;
      registry.restoreBook.setSentAgain(kiosk, asked, clock.wall());
      this.#done.set(kiosk, clock.wall());
      log.info('send_again.done', { kiosk });
      if (this.#published.delete(kiosk))
        this.#doors.publish(topicOf(kiosk, 'command'), new Uint8Array(0), DELIVERY.command).catch(this.#doors.onBug);
    }
  }

  #versionFor = (kiosk: KioskId, { version }: Restore): number => Math.max(version, (this.#ahead.get(kiosk) ?? 0) + 1);

  #ask(kiosk: KioskId, restore: Restore): void {
    const { deployment, receiptKey, ledger, publish, onBug } = this.#doors;
    const { restoredAtMs } = restore;
    const expiresAtMs = (restoredAtMs + LIFETIME_MS) as EpochMillis;
    const command = encodeSendAgain(
      { version: this.#versionFor(kiosk, restore), issuedAtMs: restoredAtMs, expiresAtMs, had: hadOf(ledger, kiosk) },
      { deployment, kiosk },
      receiptKey,
    );
    this.#published.add(kiosk);
    publish(topicOf(kiosk, 'command'), command, DELIVERY.command).catch(onBug);
  }
}

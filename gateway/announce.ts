/**
 * Tells of what is committed: a signed receipt to the kiosk where there is something to tell, CloudEvents to operators who listen. Nothing is told before its commit, and
 * nothing waits for those who are told.
 */
import type { KeyObject } from 'node:crypto';
import type { DeploymentId, KioskId } from '../protocol/ids.ts';
import { encodeReceipt, type ReceiptRange } from '../protocol/receipt.ts';
import { digestOf } from '../protocol/row.ts';
import { DELIVERY, topicOf } from '../protocol/topics.ts';
import type { Broker } from './broker.ts';
import type { Doubt } from './doubts/doubts.ts';
import type { Decided } from './ingest.ts';
import type { OperatorEvents, OperatorMessage } from './operator-events.ts';
import type { FlagChange } from './triage.ts';

export interface AnnounceDoors {
  readonly publish: Broker['publish'];
  readonly hasListeners: Broker['hasListeners'];
  readonly deployment: DeploymentId;
  /** Ed25519. */
  readonly receiptKey: KeyObject;
  readonly events: OperatorEvents;
  onEventDropped(): void;
  onBug(error: unknown): void;
}

/** A reader that stalls holds what is published for it until it is let go; what comes meanwhile is dropped past this. */
const MOST_EVENTS_UNDER_WAY = 1_000;

export class Announcer {
  readonly #doors: AnnounceDoors;
  /** Kiosks that had a receipt on the connection they have. */
  readonly #greeted = new Set<KioskId>();
  #eventsUnderWay = 0;

  constructor(doors: AnnounceDoors) {
    this.#doors = doors;
  }

  /** A connection of this kiosk has begun, or ended: it has had no receipt on it. */
  connected(kiosk: KioskId): void {
    this.#greeted.delete(kiosk);
  }

  decided(decided: readonly Decided[]): void {
    const { events, hasListeners } = this.#doors;
    for (const { kiosk, message, decision } of decided) {
      if (decision.kind === 'refused') continue;
      this.#sendReceipt(kiosk.kiosk, message, decision.ranges);
      if (decision.kind !== 'taken' || !hasListeners()) continue;
      this.#publishEvents(events.ofRows(kiosk, decision.batch, decision.taken, decision.receivedAtMs));
      this.flags(decision.flagChanges);
    }
  }

  doubts(doubts: readonly Doubt[]): void {
    if (!this.#doors.hasListeners()) return;
    this.#publishEvents(doubts.flatMap((doubt) => this.#doors.events.ofDoubt(doubt) ?? []));
  }

  flags(changes: readonly FlagChange[]): void {
    this.#publishEvents(changes.map((change) => this.#doors.events.ofFlag(change)));
  }

  /** That all was accepted, PUBACK says, and it needs no signature, which takes longer than to take a row: it is told once a connection. */
  #sendReceipt(kiosk: KioskId, message: Uint8Array, ranges: readonly ReceiptRange[]): void {
    if (this.#greeted.has(kiosk) && ranges.every(({ outcome }) => outcome === 'accepted')) return;
    this.#greeted.add(kiosk);
    const { publish, deployment, receiptKey, onBug } = this.#doors;
    const receipt = encodeReceipt({ batchDigest: digestOf(message), ranges }, { deployment, kiosk }, receiptKey);
    publish(topicOf(kiosk, 'receipt'), receipt, DELIVERY.receipt).catch(onBug);
  }

  #publishEvents(messages: readonly OperatorMessage[]): void {
    for (const { topic, payload } of messages) {
      if (this.#eventsUnderWay >= MOST_EVENTS_UNDER_WAY) {
        this.#doors.onEventDropped();
        continue;
      }
      this.#eventsUnderWay += 1;
      this.#doors.publish(topic, payload, { qos: 0, retain: false }).then(() => {
        this.#eventsUnderWay -= 1;
      }, this.#doors.onBug);
    }
  }
}

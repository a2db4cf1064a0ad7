/**
 * Tells of what is committed: a signed receipt to the kiosk, CloudEvents to operators. Nothing is told before its commit, and
 * nothing waits for those who are told.
 */
import type { KeyObject } from 'node:crypto';
import type { DeploymentId } from '../protocol/ids.ts';
import { encodeReceipt } from '../protocol/receipt.ts';
import { digestOf } from '../protocol/row.ts';
import { DELIVERY, topicOf } from '../protocol/topics.ts';
import type { Broker } from './broker.ts';
import type { Decided } from './ingest.ts';
import type { OperatorEvents, OperatorMessage } from './operator-events.ts';
import type { FlagChange } from './triage.ts';

export interface AnnounceDoors {
  readonly publish: Broker['publish'];
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
  #eventsUnderWay = 0;

  constructor(doors: AnnounceDoors) {
    this.#doors = doors;
  }

  decided(decided: readonly Decided[]): void {
    for (const { kiosk, message, decision } of decided) {
      if (decision.kind === 'refused') continue;
      const { publish, deployment, receiptKey, events, onBug } = this.#doors;
      const receipt = encodeReceipt(
        { batchDigest: digestOf(message), ranges: decision.ranges },
        { deployment, kiosk: kiosk.kiosk },
        receiptKey,
      );
      publish(topicOf(kiosk.kiosk, 'receipt'), receipt, DELIVERY.receipt).catch(onBug);
      if (decision.kind !== 'taken') continue;
      this.#publishEvents(events.ofRows(kiosk, decision.batch, decision.taken, decision.receivedAtMs));
      this.flags(decision.flagChanges);
    }
  }

  flags(changes: readonly FlagChange[]): void {
    this.#publishEvents(changes.map((change) => this.#doors.events.ofFlag(change)));
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

/**
 * What operators may see of what happens at the doors: CloudEvents on MQTT, structured mode, JSON. A card appears only as the
 * operator's pseudonym of its venue and day; of temperatures only the flag; of test stickers nothing. Published after the commit,
 * from memory: an operator's view may miss what fell between a commit and a crash, the ledger does not.
 * The only importer of cloudevents. Source: CloudEvents 1.0.2; CloudEvents MQTT protocol binding 1.0.2, section 3.2.
 */
import { createSecretKey, type KeyObject } from 'node:crypto';
import { CloudEvent } from 'cloudevents';
import { correct } from '../protocol/clock-correction.ts';
import type { VestibuleEvent } from '../protocol/event.ts';
import type { DeploymentId, KeyId, KioskId, Seq } from '../protocol/ids.ts';
import { eventTopic } from '../protocol/topics.ts';
import type { EpochMillis } from '../protocol/units.ts';
import type { Doubt } from './doubts/doubts.ts';
import type { OpenedBatch, OpenedRow } from './open-batch.ts';
import { operatorPseudonym, type VenueCalendar } from './pseudonym.ts';
import type { Kiosk } from './registry.ts';
import type { FlagChange } from './triage.ts';

export interface OperatorMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
}

type Told = Readonly<Record<string, string | number | boolean | undefined>>;

export class OperatorEvents {
  readonly #deployment: DeploymentId;
  readonly #pseudonymKey: KeyObject;
  readonly #calendar: VenueCalendar;

  /** @param pseudonymKey 32 bytes. */
  constructor(deployment: DeploymentId, pseudonymKey: Uint8Array, calendar: VenueCalendar) {
    this.#deployment = deployment;
    this.#pseudonymKey = createSecretKey(pseudonymKey);
    this.#calendar = calendar;
  }

  /** @returns one message for each row that operators may see. */
  ofRows(kiosk: Kiosk, batch: OpenedBatch, taken: readonly OpenedRow[], receivedAtMs: EpochMillis): OperatorMessage[] {
    return taken.flatMap((row) => {
      if (!('event' in row)) return [];
      const { venue, entrance } = kiosk.placement;
      const when = correct({ stamp: row.event.stamp, sentAt: batch.sentAt, receivedAtMs });
      const day = this.#calendar.dayAt(kiosk.timezone, when.atMs);
      const told = tell(row.event, (card) => operatorPseudonym(this.#pseudonymKey, venue, day, card));
      if (told === undefined) return [];
      const { subject, ...facts } = told;
      return [
        this.#message(row.event.type, {
          venue,
          kiosk: kiosk.kiosk,
          id: idOf(batch.keyId, row.seq),
          atMs: when.atMs,
          subject,
          data: { kiosk: kiosk.kiosk, entrance, uncertaintyMs: when.uncertaintyMs, ...facts },
        }),
      ];
    });
  }

  ofDoubt({ row, venue, reason, raisedAtMs }: Doubt): OperatorMessage {
    const of = idOf(row.keyId, row.seq);
    return this.#message('doubt', {
      venue,
      kiosk: row.kiosk,
      id: `${of}-${reason}`,
      atMs: raisedAtMs,
      subject: undefined,
      data: { kiosk: row.kiosk, of, reason },
    });
  }

  ofFlag({ reading, venue, entrance, subject, state, raisedAtMs, expiresAtMs }: FlagChange): OperatorMessage {
    return this.#message('temperature-flag', {
      venue,
      kiosk: reading.kiosk,
      id: `${idOf(reading.keyId, reading.seq)}-${state}`,
      atMs: raisedAtMs,
      subject,
      data: { kiosk: reading.kiosk, entrance, state, expiresAt: new Date(expiresAtMs).toISOString() },
    });
  }

  #message(
    type: string,
    about: {
      readonly venue: Kiosk['placement']['venue'];
      readonly kiosk: KioskId;
      readonly id: string;
      readonly atMs: EpochMillis;
      readonly subject: string | undefined;
      readonly data: Told;
    },
  ): OperatorMessage {
    const event = new CloudEvent({
      id: about.id,
      source: `/vestibule/${this.#deployment}/kiosk/${about.kiosk}`,
      type: `vestibule.${type}`,
      time: new Date(about.atMs).toISOString(),
      datacontenttype: 'application/json',
      ...(about.subject === undefined ? {} : { subject: about.subject }),
      data: about.data,
    });
    return { topic: eventTopic(about.venue, type), payload: Buffer.from(JSON.stringify(event)) };
  }
}

/** Unique for its source; an undo names the event it takes back by it. */
const idOf = (keyId: KeyId, seq: Seq): string => `${Buffer.from(keyId).toString('hex')}-${seq}`;

/** @returns what an operator may know of it; `undefined` for what is told in no way, or in another. */
function tell(
  event: VestibuleEvent,
  subjectOf: (card: Extract<VestibuleEvent, { type: 'check-in' }>['card']) => string,
): (Told & { readonly subject?: string }) | undefined {
  switch (event.type) {
    case 'check-in':
      return { subject: subjectOf(event.card), groupSize: event.groupSize, isSigned: event.isSigned };
    case 'check-out':
      return { subject: subjectOf(event.card) };
    case 'undo':
      return { undoes: idOf(event.of.keyId, event.of.seq) };
    case 'occupancy':
      return { slotMs: event.slotMs, tokens: event.tokens };
    case 'device-state':
      return { device: event.device, isUp: event.isUp, why: event.why };
    case 'kiosk-state':
      return { state: event.state, byMs: event.byMs };
    // Triage tells of the flag, if there is one.
    case 'temperature':
    // Who was tested, and how it went, is for clinicians.
    case 'sticker-link':
    case 'sticker-result':
      return undefined;
  }
}

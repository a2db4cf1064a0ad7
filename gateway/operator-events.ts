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
import type { DeploymentId, KeyId, KioskId, Seq, VenueId, VisitorUuid } from '../protocol/ids.ts';
import type { OperatorEventData, OperatorEventType } from '../protocol/operator-event.ts';
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

/** What is told of one row, besides its envelope. */
type Told = {
  readonly [Type in OperatorEventType]: { readonly type: Type; readonly subject?: string; readonly data: OperatorEventData<Type> };
}[OperatorEventType];

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
      const door = { kiosk: kiosk.kiosk, entrance, uncertaintyMs: when.uncertaintyMs };
      const told = tell(row.event, door, (card) => operatorPseudonym(this.#pseudonymKey, venue, day, card));
      if (told === undefined) return [];
      return [this.#message(told, { venue, kiosk: kiosk.kiosk, id: idOf(batch.keyId, row.seq), atMs: when.atMs })];
    });
  }

  /**
   * @returns `undefined` for a card at two venues: rows of both are doubted at one moment, each row is named by the event that has its
   * pseudonym, and so the two would say that these pseudonyms are one card. Operators see how many a kiosk has.
   */
  ofDoubt({ row, venue, reason, raisedAtMs }: Doubt): OperatorMessage | undefined {
    if (reason === 'two-places') return undefined;
    const of = idOf(row.keyId, row.seq);
    const about = { venue, kiosk: row.kiosk, id: `${of}-${reason}`, atMs: raisedAtMs };
    return this.#message({ type: 'doubt', data: { kiosk: row.kiosk, of, reason } }, about);
  }

  ofFlag({ reading, venue, entrance, subject, state, raisedAtMs, expiresAtMs }: FlagChange): OperatorMessage {
    const { kiosk, keyId, seq } = reading;
    const data = { kiosk, entrance, state, expiresAt: new Date(expiresAtMs).toISOString() };
    const about = { venue, kiosk, id: `${idOf(keyId, seq)}-${state}`, atMs: raisedAtMs };
    return this.#message({ type: 'temperature-flag', subject, data }, about);
  }

  #message(
    { type, subject, data }: Told,
    about: { readonly venue: VenueId; readonly kiosk: KioskId; readonly id: string; readonly atMs: EpochMillis },
  ): OperatorMessage {
    const event = new CloudEvent({
      id: about.id,
      source: `/vestibule/${this.#deployment}/kiosk/${about.kiosk}`,
      type: `vestibule.${type}`,
      time: new Date(about.atMs).toISOString(),
      datacontenttype: 'application/json',
      ...(subject === undefined ? {} : { subject }),
      data,
    });
    return { topic: eventTopic(about.venue, type), payload: Buffer.from(JSON.stringify(event)) };
  }
}

/** Unique for its source; an undo names the event it takes back by it. */
const idOf = (keyId: KeyId, seq: Seq): string => `${Buffer.from(keyId).toString('hex')}-${seq}`;

/** @returns what an operator may know of it; `undefined` for what is told in no way, or in another. */
function tell(event: VestibuleEvent, door: OperatorEventData<'check-out'>, subjectOf: (card: VisitorUuid) => string): Told | undefined {
  const { type } = event;
  switch (type) {
    case 'check-in':
      return { type, subject: subjectOf(event.card), data: { ...door, groupSize: event.groupSize, isSigned: event.isSigned } };
    case 'check-out':
      return { type, subject: subjectOf(event.card), data: door };
    case 'undo':
      return { type, data: { ...door, undoes: idOf(event.of.keyId, event.of.seq) } };
    case 'occupancy':
      return { type, data: { ...door, slotMs: event.slotMs, tokens: event.tokens } };
    case 'device-state':
      return { type, data: { ...door, device: event.device, isUp: event.isUp, why: event.why } };
    case 'kiosk-state':
      return { type, data: { ...door, state: event.state, byMs: event.byMs } };
    // Triage tells of the flag, if there is one.
    case 'temperature':
    // Who was tested, and how it went, is for clinicians.
    case 'sticker-link':
    case 'sticker-result':
    // Who was told to isolate is nobody's but theirs.
    case 'notice-shown':
      return undefined;
  }
}

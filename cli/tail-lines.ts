/** One event at a door as a line for a terminal, in words. Pure. */
import type { WordsFor } from '../gateway/web/error-words.ts';
import { DOUBT_WORDS, spanWords } from '../gateway/web/kiosk-words.ts';
import type { OperatorEventType } from '../protocol/operator-event.ts';
import { calledOf, type KnownKiosks } from './place-names.ts';

interface OperatorEvent {
  readonly type?: unknown;
  readonly time?: unknown;
  readonly subject?: unknown;
  readonly data?: Readonly<Record<string, unknown>>;
}

/** What a terminal would take for a command is not handed on, whoever wrote it. */
const clean = (value: unknown): string => String(value).replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, '?');

export interface Names {
  /** By id; of a kiosk what status calls it, or nothing. */
  readonly venues: ReadonlyMap<string, string>;
  readonly kiosks: ReadonlyMap<string, string>;
}

/** @returns a copy: what is called otherwise later is not in it. */
export function namesOf(registry: KnownKiosks): Names {
  const venues = registry.venues();
  return {
    venues: new Map(venues.map(({ id, name }) => [id, name])),
    kiosks: new Map([...registry.kiosks()].map((kiosk) => [kiosk.kiosk, calledOf(kiosk, venues)])),
  };
}

/** @param topic `vestibule/1/events/<venue>/<type>`. @returns when, where, and what happened. */
export function eventLine(topic: string, event: unknown, { venues, kiosks }: Names, words: WordsFor): string {
  const { type = '', time = '', subject, data = {} } = event as OperatorEvent;
  const { kiosk = '' } = data;
  const kind = String(type).replace(/^vestibule\./, '');
  const venue = topic.split('/')[3] ?? '';
  const where = clean(venues.get(venue) ?? venue);
  return [
    clean(time).replace('T', ' ').slice(0, 19),
    where,
    kioskWords(String(kiosk), kiosks.get(String(kiosk))),
    Object.hasOwn(WORDS, kind) ? clean(WORDS[kind as OperatorEventType](data, words)) : clean(kind),
    subject === undefined ? '' : `card ${clean(subject).slice(0, 8)}`,
  ]
    .filter((part) => part !== '')
    .join('  ');
}

type Facts = Readonly<Record<string, unknown>>;

/** Of each type; `--json` has all that the event says. */
const WORDS: Readonly<Record<OperatorEventType, (facts: Facts, words: WordsFor) => string>> = {
  'check-in': ({ groupSize = 1, isSigned }) =>
    `check-in${groupSize === 1 ? '' : `, ${groupSize} people`}${isSigned === false ? ', card without a signature' : ''}`,
  'check-out': () => 'check-out',
  undo: () => 'a scan is taken back',
  occupancy: ({ tokens, slotMs }) =>
    `${tokens === undefined ? 'too few Bluetooth devices to count' : `${tokens} Bluetooth devices`} within ${spanWords(Number(slotMs))}`,
  'device-state': ({ device, isUp, why }, words) => `${device} ${isUp === true ? 'works' : `does not work: ${whyWords(why, words)}`}`,
  'kiosk-state': ({ state, byMs }) => KIOSK_WORDS.get(state)?.(Number(byMs)) ?? `kiosk: ${state}`,
  'temperature-flag': ({ state, expiresAt }) =>
    `high temperature, ${state}${state === 'cleared' ? '' : `, stands until ${String(expiresAt).replace('T', ' ').slice(0, 16)}`}`,
  doubt: ({ reason }) => {
    const known = Object.entries(DOUBT_WORDS).find(([name]) => name === reason);
    return `doubtful: ${known?.[1].meaning ?? reason}`;
  },
};

const KIOSK_WORDS = new Map<unknown, (byMs: number) => string>([
  ['started', () => 'kiosk started'],
  ['stopping', () => 'kiosk stops'],
  ['clock-stepped', (byMs) => `its clock was set ${byMs < 0 ? 'back' : 'forward'} by ${spanWords(Math.abs(byMs))}`],
  ['store-refused', () => 'its store refuses: no card is taken'],
  ['store-recovered', () => 'its store keeps again'],
]);

const whyWords = (why: unknown, words: WordsFor): string =>
  why === undefined ? 'no reason told' : `${words(String(why)).meaning} [${why}]`;

/** The id as well: it is what commands take, and what is on the kiosk's label. */
const kioskWords = (kiosk: string, name = ''): string => (name === '' ? `kiosk ${clean(kiosk)}` : `${clean(name)} (${clean(kiosk)})`);

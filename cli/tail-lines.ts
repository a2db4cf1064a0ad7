/** One event at a door as a line for a terminal. Pure. */

interface OperatorEvent {
  readonly type?: unknown;
  readonly time?: unknown;
  readonly subject?: unknown;
  readonly data?: Readonly<Record<string, unknown>>;
}

/** What a terminal would take for a command is not handed on, whoever wrote it. */
const clean = (value: unknown): string => String(value).replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, '?');

export interface Names {
  /** By id; of a kiosk only where it has one. */
  readonly venues: ReadonlyMap<string, string>;
  readonly kiosks: ReadonlyMap<string, string>;
}

/** @param topic `vestibule/1/events/<venue>/<type>`. @returns when, where, what, and the facts that the event tells. */
export function eventLine(topic: string, event: unknown, { venues, kiosks }: Names): string {
  const { type = '', time = '', subject, data = {} } = event as OperatorEvent;
  const { kiosk = '', entrance: _entrance, uncertaintyMs: _uncertaintyMs, ...facts } = data;
  const told = Object.entries(facts)
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([name, value]) => `${clean(name)} ${clean(value)}`);
  const venue = topic.split('/')[3] ?? '';
  const where = clean(venues.get(venue) ?? venue);
  return [
    clean(time).replace('T', ' ').slice(0, 19),
    where,
    kioskWords(String(kiosk), kiosks.get(String(kiosk))),
    clean(type).replace(/^vestibule\./, ''),
    subject === undefined ? '' : `card ${clean(subject).slice(0, 8)}`,
    told.join(', '),
  ]
    .filter((part) => part !== '')
    .join('  ');
}

/** The id as well: it is what commands take, and what is on the kiosk's label. */
const kioskWords = (kiosk: string, name: string | undefined): string =>
  name === undefined ? `kiosk ${clean(kiosk)}` : `${clean(name)} (${clean(kiosk)})`;

/** Venues, doors and kiosks by the names that people gave them, where a command would else want sixteen letters. Pure. */
import type { Kiosk, Venue } from '../gateway/registry.ts';
import { ConfigError } from '../protocol/errors.ts';
import { type EntranceId, isPlaceId, type KioskId, type VenueId } from '../protocol/ids.ts';

/** @returns the venue of that id, or the only one of that name. @throws ConfigError `config.invalid`. */
export function venueNamed(subject: string, text: string, venues: readonly Venue[]): Venue {
  const byId = venues.find(({ id }) => id === text);
  const named = byId === undefined ? venues.filter(({ name }) => name === text) : [byId];
  const [venue] = named;
  if (named.length > 1)
    throw fault(`${subject}: ${named.length} venues are called "${text}": give the id ("vestibule venue list" tells it)`);
  if (venue === undefined) throw fault(`${subject}: no venue "${text}" is registered here ("vestibule venue list" tells them)`);
  return venue;
}

/** @returns the entrance of that id, or the venue's of that name; an id that is not known is one that shall be made. @throws ConfigError `config.invalid`. */
export function entranceNamed(subject: string, text: string, { name, entrances }: Venue): EntranceId {
  const known = entrances.find((entrance) => entrance.id === text || entrance.name === text);
  if (known !== undefined) return known.id;
  if (isPlaceId(text)) return text as EntranceId;
  const names = doorNames(entrances);
  throw fault(`${subject}: ${name} has no door "${text}"; ${names === '' ? 'none has a name there' : `there are ${names}`}`);
}

/** Of a registry, what names kiosks. */
export interface KnownKiosks {
  kiosks(): Iterable<Kiosk>;
  venues(): readonly Venue[];
}

/**
 * @returns the kiosk of that id, known or not; or the only admitted one that status calls so: by its name, or its door's where it has none,
 * with or without its venue before that. @throws ConfigError `config.invalid`.
 */
export function kioskNamed(subject: string, text: string, registry: KnownKiosks): KioskId {
  if (isPlaceId(text)) return text as KioskId;
  const found = onlyOne(
    subject,
    text,
    calledSo(text, registry).filter(({ revokedAtMs }) => revokedAtMs === undefined),
  );
  if (found === undefined) throw fault(`${subject}: no admitted kiosk is called "${text}" ("vestibule status" tells names and ids)`);
  return found.kiosk;
}

/** @returns as kioskNamed, the kiosk of that id or so called, admitted or revoked; `undefined` for none. @throws ConfigError `config.invalid` for several. */
export function anyKioskNamed(subject: string, text: string, registry: KnownKiosks): Kiosk | undefined {
  if (isPlaceId(text)) return [...registry.kiosks()].find(({ kiosk }) => kiosk === text);
  return onlyOne(subject, text, calledSo(text, registry));
}

/** @returns its name, or its door's where it has none; empty where that has none either. */
export const calledOf = ({ name, placement }: Kiosk, venues: readonly Venue[]): string =>
  name ?? doorName(venues, placement.venue, placement.entrance);

/** One with that name and one whose door alone is called so are both meant: who types it can not know of the other. */
function calledSo(text: string, registry: KnownKiosks): Kiosk[] {
  const venues = registry.venues();
  return [...registry.kiosks()].filter((kiosk) => {
    const called = calledOf(kiosk, venues);
    if (called === '') return false;
    return called === text || `${venues.find(({ id }) => id === kiosk.placement.venue)?.name}, ${called}` === text;
  });
}

function onlyOne(subject: string, text: string, named: readonly Kiosk[]): Kiosk | undefined {
  if (named.length <= 1) return named[0];
  const ids = named.slice(0, MOST_NAMED).map(({ kiosk, revokedAtMs }) => (revokedAtMs === undefined ? kiosk : `${kiosk} (revoked)`));
  throw fault(`${subject}: ${named.length} kiosks are called "${text}": give the id (${ids.join(', ')})`);
}

const MOST_NAMED = 8;

/** @returns `"Main door", "Exit"`; empty where none has a name. */
export const doorNames = (entrances: Venue['entrances']): string =>
  entrances
    .filter(({ name }) => name !== '')
    .map(({ name }) => `"${name}"`)
    .join(', ');

/** @returns what the door is called; empty for one without a name, or that is not made yet. */
export const doorName = (venues: readonly Venue[], venue: VenueId, entrance: EntranceId): string =>
  venues.find(({ id }) => id === venue)?.entrances.find(({ id }) => id === entrance)?.name ?? '';

const fault = (text: string): ConfigError => new ConfigError('config.invalid', text);

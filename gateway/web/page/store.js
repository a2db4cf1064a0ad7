// What the page knows. Pages read it and are drawn anew after each change.

export const store = {
  session: undefined,
  gateway: undefined,
  venues: [],
  kiosks: new Map(),
  /** `on`, `lost`, or `none` before the first word. */
  live: 'none',
  /** What was found under a page's own question: flags, quarantine, audit. */
  answers: new Map(),
  /** What a person typed or chose. */
  filter: { text: '', tone: 'all' },
  shown: 120,
  trouble: '',
};

const RANK = { act: 0, look: 1, good: 2, off: 3 };

export function takeAll({ gateway, venues, kiosks }) {
  store.gateway = gateway;
  store.venues = venues;
  store.kiosks = new Map(kiosks.map((kiosk) => [kiosk.kiosk, kiosk]));
}

export function takeChange({ gateway, venues, kiosks, gone }) {
  store.gateway = gateway;
  store.venues = venues;
  for (const kiosk of kiosks) store.kiosks.set(kiosk.kiosk, kiosk);
  for (const kiosk of gone) store.kiosks.delete(kiosk);
}

export const venueOf = (kiosk) => store.venues.find(({ id }) => id === kiosk?.venue);
export const isManager = () => store.session?.role === 'manager';

/** By venue: those with the gravest kiosk first, then by name; kiosks the same way. */
export function byVenue(kiosks) {
  const groups = new Map();
  for (const kiosk of kiosks) {
    const group = groups.get(kiosk.venue ?? '') ?? [];
    groups.set(kiosk.venue ?? '', [...group, kiosk]);
  }
  const rankOf = (group) => Math.min(...group.map(({ tone }) => RANK[tone]));
  return [...groups]
    .map(([id, group]) => ({
      venue: store.venues.find((venue) => venue.id === id),
      kiosks: group.toSorted((a, b) => RANK[a.tone] - RANK[b.tone] || a.kiosk.localeCompare(b.kiosk)),
      rank: rankOf(group),
    }))
    .sort((a, b) => (a.rank < 2 || b.rank < 2 ? a.rank - b.rank : 0) || (a.venue?.name ?? '~').localeCompare(b.venue?.name ?? '~'));
}

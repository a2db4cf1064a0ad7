/**
 * Which process dies where, drawn from a seed: the same seed gives each process the same deaths in the same order. A process gets its
 * death at its start, so that one of the two may die while the other is at any point of its own life.
 */

export type Role = 'kiosk' | 'gateway';

/** Where a process can kill itself: what the product logs at debug, and what it calls of what it was handed. In the order of a row's way. */
const POINTS: Readonly<Record<Role, readonly string[]>> = {
  kiosk: [
    'key.kept',
    'row.sealed',
    'row.appended',
    'feedback.giving',
    'feedback.given',
    'batch.sent',
    'batch.acknowledged',
    'rows.settled',
  ],
  gateway: [
    'batch.received',
    'batches.decided',
    'batches.committed',
    'batch.acknowledged',
    'entries.offered',
    'entries.taken',
    'entries.forwarded',
  ],
};

/** A point that comes once a life, or for which each scan or batch is one, may be passed so often before the process dies at it. */
const MOST_PASSED: Readonly<Record<string, number>> = { 'key.kept': 0, 'row.sealed': 40, 'row.appended': 40, 'rows.settled': 2 };
const MOST_PASSED_ELSE = 12;
/** From the process's start: while it still starts, too. */
const LONGEST_LIFE_MS = 1_600;

export type Death =
  /** By its own hand, when it has passed the point so often before. */
  | { readonly by: 'point'; readonly point: string; readonly passed: number }
  /** By the test's hand, at any instant. `both`: the other process with it. */
  | { readonly by: 'time' | 'both'; readonly afterMs: number };

/** Beside the points: at any instant, three times as often as at a point; and both processes together. */
const STRIKES = ['time', 'time', 'time'] as const;

export const KINDS: Readonly<Record<Role, readonly string[]>> = {
  kiosk: [...POINTS.kiosk, ...STRIKES, 'both'],
  gateway: [...POINTS.gateway, ...STRIKES],
};

/** @returns `count` deaths: of every kind in turn, from any one on. */
export function planDeaths(role: Role, count: number, random: () => number): Death[] {
  const kinds = KINDS[role];
  const first = Math.floor(random() * kinds.length);
  return Array.from({ length: count }, (_, at): Death => {
    const kind = kinds[(first + at) % kinds.length] ?? '';
    const chance = random();
    if (kind === 'time' || kind === 'both') return { by: kind, afterMs: Math.floor(chance * LONGEST_LIFE_MS) };
    return { by: 'point', point: kind, passed: Math.floor(chance * ((MOST_PASSED[kind] ?? MOST_PASSED_ELSE) + 1)) };
  });
}

/** How far kiosks are with a release, as lines of a terminal. Pure. */
import type { Kiosk, Venue } from '../gateway/registry.ts';
import type { Rollout, RolloutStep } from '../gateway/rollout/rollout-book.ts';
import type { KioskId } from '../protocol/ids.ts';

/** @returns what a kiosk is called where people read it: venue, and its name or its door's; its id where it has neither. */
export type KioskWords = (kiosk: KioskId) => string;

export function kioskWordsOf(kiosks: Iterable<Kiosk>, venues: readonly Venue[]): KioskWords {
  const known = new Map([...kiosks].map((kiosk) => [kiosk.kiosk, kiosk]));
  return (id) => {
    const { name, placement } = known.get(id) ?? {};
    const venue = venues.find((one) => one.id === placement?.venue);
    const door = venue?.entrances.find((entrance) => entrance.id === placement?.entrance)?.name;
    return [venue?.name, name || door || id].filter((word) => word !== undefined).join(', ');
  };
}

export const rolloutLine = ({ number, version, state, why, percent, startedAtMs }: Rollout): string =>
  `rollout ${number}: release ${version}, ${state}${why === undefined ? '' : ` (${why})`}, ${percent} % of the kiosks, since ${new Date(startedAtMs).toISOString()}`;

/** All of it, with each kiosk that is not done yet, or does without it. */
export function statusLines(rollout: Rollout, steps: readonly RolloutStep[], words: KioskWords): string[] {
  const phases = Object.entries(Object.groupBy(steps, ({ phase }) => phase)).map(([phase, some]) => `${phase} ${some?.length ?? 0}`);
  return [
    rolloutLine(rollout),
    `  ${phases.length === 0 ? `nobody was told yet: it goes to connected kiosks that take releases for ${rollout.board}` : phases.join(', ')}; pauses with more than ${rollout.mostFailed} that go back`,
    ...steps.filter(({ phase }) => phase !== 'kept').map((step) => `  ${stepWords(step, words)}`),
  ];
}

/** @returns a line for each kiosk that went on between two looks. */
export function changeLines(before: readonly RolloutStep[], steps: readonly RolloutStep[], words: KioskWords): string[] {
  const known = new Map(before.map((step) => [step.kiosk, step]));
  return steps
    .filter((step) => known.get(step.kiosk)?.phase !== step.phase)
    .map((step) => `${new Date(step.atMs).toISOString().slice(11, 19)}  ${stepWords(step, words)}`);
}

/** What it is called, and its id once. */
export function wordsAndId(kiosk: KioskId, words: KioskWords): string {
  const called = words(kiosk);
  return called.includes(kiosk) ? called : `${called} (${kiosk})`;
}

const stepWords = ({ kiosk, phase, why }: RolloutStep, words: KioskWords): string =>
  `${wordsAndId(kiosk, words)}  ${phase}${why === undefined ? '' : ` (${why})`}`;

/** How far a release is on its way to kiosks, in words. Pure. */
import type { KioskStateReport } from '../../protocol/kiosk-state.ts';
import type { RolloutStep } from '../rollout/rollout-book.ts';
import type { RolloutSummary } from '../rollout/rollout-desk.ts';
import type { WordsFor } from './error-words.ts';
import { plural } from './kiosk-words.ts';
import type { GatewayView, KioskView, Trouble } from './schema.ts';

export function rolloutOf(summary: RolloutSummary, words: WordsFor): NonNullable<GatewayView['rollout']> {
  const { number, version, state, percent, startedAtMs, meant, mostFailed, phases, failed } = summary;
  const { kept = 0, failed: wentBack = 0, refused = 0 } = phases;
  const told = Object.values(phases).reduce((sum, count) => sum + count, 0);
  return {
    ...{ number, version, state, percent, startedAtMs, meant, mostFailed, kept },
    underWay: told - kept - wentBack - refused,
    failed: wentBack + refused,
    failures: failed.map(({ kiosk, code }) => ({ kiosk, code, meaning: words(code).meaning })),
  };
}

/** How far one kiosk is; how much of it it has taken, it says itself. */
export function releaseOf(step: RolloutStep, report: KioskStateReport | undefined, words: WordsFor): NonNullable<KioskView['release']> {
  const { phase, why, atMs } = step;
  const percent = phase === 'taking' ? report?.update?.percent : undefined;
  return {
    phase,
    atMs,
    ...(percent === undefined ? {} : { percent }),
    ...(why === undefined ? {} : { code: why, why: words(why).meaning }),
  };
}

/** @returns nothing while it goes well, and when it is stopped. */
export function rolloutTroubles(summary: RolloutSummary | undefined, words: WordsFor): Trouble[] {
  if (summary === undefined || summary.state === 'stopped') return [];
  const { version, state, why, startedAtMs, phases } = summary;
  const failed = (phases.failed ?? 0) + (phases.refused ?? 0);
  const failedWords = `${plural(failed, 'kiosk does', 'kiosks do')} without it`;
  if (state === 'paused' && why !== undefined) {
    const text = `The rollout of release ${version} has paused by itself: ${failedWords}.`;
    return [{ tone: 'act', text, advice: words(why).advice, code: why, sinceMs: startedAtMs }];
  }
  if (failed === 0) return [];
  const text = `Release ${version}: ${failedWords}, and went on with what they had.`;
  return [{ tone: 'look', text, advice: 'vestibule rollout status names them and why.', sinceMs: startedAtMs }];
}

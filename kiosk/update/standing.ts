/** How far the kiosk is with a release, as it says it of itself. */
import { codeOf } from '../../protocol/errors.ts';
import type { KioskStateReport } from '../../protocol/kiosk-state.ts';
import { parseVersion, type ReleaseVersion } from '../../protocol/release-version.ts';
import type { UpdateState } from './update-state.ts';

export type UpdateStanding = NonNullable<KioskStateReport['update']>;

const RELEASE_LETTERS = 16;

/** @param total chunks of the bundle that is being taken; 0 before it is known. */
export function standingOf({ work, last }: UpdateState, total: number): UpdateStanding | undefined {
  if (work !== undefined) {
    const { digest, version, phase } = work;
    const standing = { release: digest.slice(0, RELEASE_LETTERS), version };
    if (phase === 'trial') return { ...standing, phase: 'trying' };
    if (phase === 'ready') return { ...standing, phase };
    return { ...standing, phase, ...(total === 0 ? {} : { percent: Math.floor((100 * work.chunks) / total) }) };
  }
  if (last === undefined) return undefined;
  const { digest, version, outcome, why } = last;
  return { release: digest.slice(0, RELEASE_LETTERS), version, phase: outcome, ...(why && { why }) };
}

/** @returns the version that runs; `undefined` where it is no release's. */
export function releaseVersionOf(text: string): ReleaseVersion | undefined {
  try {
    return parseVersion(text);
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return undefined;
  }
}

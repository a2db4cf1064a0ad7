/** The version of a release: three numbers, and an order among them. Source: Semantic Versioning 2.0.0, section 2; without what may follow. */
import { DecodeError } from './errors.ts';

/** Major, minor, patch; 0 to 65,535 each. */
export type ReleaseVersion = readonly [number, number, number];

const FORM = /^(0|[1-9]\d{0,4})\.(0|[1-9]\d{0,4})\.(0|[1-9]\d{0,4})(?:[-+].*)?$/;
export const GREATEST_VERSION_NUMBER = 65_535;

export const versionText = ([major, minor, patch]: ReleaseVersion): string => `${major}.${minor}.${patch}`;

/** @param text such as `1.4.0`; what follows a `-` or `+` is not looked at. @throws DecodeError `decode.malformed`. */
export function parseVersion(text: string): ReleaseVersion {
  const numbers = FORM.exec(text)?.slice(1, 4).map(Number) ?? [];
  const [major, minor, patch] = numbers;
  if (major === undefined || minor === undefined || patch === undefined || numbers.some((number) => number > GREATEST_VERSION_NUMBER))
    throw new DecodeError('decode.malformed', 'version: expected three numbers such as 1.4.0');
  return [major, minor, patch];
}

/** @returns below 0 when `one` is the earlier. */
export const compareVersions = (one: ReleaseVersion, other: ReleaseVersion): number =>
  one[0] - other[0] || one[1] - other[1] || one[2] - other[2];

/**
 * Which revisions of the wire this software speaks. A revision is counted up when something is added that the other end has to know of; each
 * release speaks its own and the one before, so that a fleet is updated one kiosk after the other while all of it delivers.
 * Source: docs/protocol.md, "Releases", "Revisions".
 */

export interface WireRevisions {
  /** 1 to 65,535. */
  readonly least: number;
  /** Not below `least`. */
  readonly greatest: number;
}

/** 1: without releases. 2: the topic `release`, and `wire` and `update` in a kiosk's state. */
export const OUR_WIRE: WireRevisions = { least: 1, greatest: 2 };
/** What an end speaks that does not say. */
export const FIRST_WIRE: WireRevisions = { least: 1, greatest: 1 };

/** @returns the greatest revision that both speak; `undefined` when there is none. */
export function commonRevision(one: WireRevisions, other: WireRevisions): number | undefined {
  const greatest = Math.min(one.greatest, other.greatest);
  return greatest >= Math.max(one.least, other.least) ? greatest : undefined;
}

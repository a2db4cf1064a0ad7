/** Identities as types, and the one text form each has. */
import { randomBytes } from 'node:crypto';

declare const id: unique symbol;
type Id<Name extends string, Form = string> = Form & { readonly [id]: Name };

/** 16 bytes, version 8 UUID (RFC 9562, section 5.8) cut from SHA-256 of the visitor's public key. Lies only sealed. */
export type VisitorUuid = Id<'VisitorUuid', Uint8Array>;
/** 16 characters of lower-case Crockford base32 (80 random bits); fit for a topic and a log. */
export type KioskId = Id<'KioskId'>;
/** As KioskId. One gateway and the kiosks, cards and cores that trust it. Bound into every signature and sealed row. */
export type DeploymentId = Id<'DeploymentId'>;
/** As KioskId; one made by `newVenueId` begins as its deployment does. */
export type VenueId = Id<'VenueId'>;
/** As KioskId. A door of a venue; outlives the kiosk that hangs there. */
export type EntranceId = Id<'EntranceId'>;
/** 8 random bytes: the life of one outbox. A restored or copied SD card keeps it, a new outbox gets a new one. */
export type Epoch = Id<'Epoch', Uint8Array>;
/** 8 random bytes: one content key, made at each start of a kiosk's process. */
export type KeyId = Id<'KeyId', Uint8Array>;
/** 16 bytes: one boot of a machine. */
export type BootId = Id<'BootId', Uint8Array>;
/** 1 to 2^53 - 1; counts the rows of an epoch, never reused within it. */
export type Seq = Id<'Seq', number>;

const PLACE_ID = /^[0-9a-hjkmnp-tv-z]{16}$/;
const PLACE_ID_LENGTH = 16;
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

/** @returns whether `text` has the form shared by kiosk, deployment, venue and entrance ids. */
export const isPlaceId = (text: string): boolean => PLACE_ID.test(text);

/** A new kiosk, deployment, venue or entrance id: 80 random bits, 5 to a character. */
export const newPlaceId = <T extends KioskId | DeploymentId | VenueId | EntranceId>(): T => randomText(PLACE_ID_LENGTH) as T;

/**
 * The beginning of the ids of a deployment's venues, so that a core tells whose a venue is without having been told of it: the first 6
 * characters of the deployment's own id.
 */
export const venuesBeginWith = (deployment: DeploymentId): string => deployment.slice(0, 6);

/** A new venue id: 30 bits that say of which deployment it is, and 50 random ones. */
export const newVenueId = (deployment: DeploymentId): VenueId => {
  const start = venuesBeginWith(deployment);
  return `${start}${randomText(PLACE_ID_LENGTH - start.length)}` as VenueId;
};

function randomText(length: number): string {
  let text = '';
  // 256 is a whole multiple of 32, so that the remainder is not biased.
  for (const byte of randomBytes(length)) text += ALPHABET.charAt(byte % 32);
  return text;
}

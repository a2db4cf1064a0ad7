/**
 * Where a kiosk hangs, in words for whoever stands before it, and its farewell. JSON bodies of the gateway's API for kiosks.
 * Source: docs/protocol.md, "Enrolment".
 */
import { z } from 'zod';
import { DecodeError } from './errors.ts';

export const PLACE_PATH = '/1/place';
export const LEAVE_PATH = '/1/leave';

export const LONGEST_ENTRANCE_NAME = 64;

export interface KioskPlace {
  /** The venue's name. */
  readonly venue: string;
  /** The entrance's name; empty while it has none. */
  readonly entrance: string;
}

/**
 * What an entrance may be called: what a person can say in one breath, nothing that moves a terminal, and no code: a scanner types a label, or
 * somebody's card, into whatever field is open.
 */
export const entranceName = z
  .string()
  .trim()
  .min(1)
  .max(LONGEST_ENTRANCE_NAME)
  .regex(/^[^\p{Cc}]*$/u)
  .regex(/^(?!.*[0-9A-Z]{20})/);

const request = z.object({ name: entranceName.optional() });
const answer = z.object({ venue: z.string().max(100), entrance: z.string().max(100) });

/** @param name for an entrance that has none yet; left out, it is only asked. */
export const formatPlaceRequest = (name: string | undefined): string => JSON.stringify(name === undefined ? {} : { name });

/** @returns the name, if one is wanted. @throws DecodeError `decode.malformed`. */
export const parsePlaceRequest = (body: string): string | undefined => read(request, body, 'place request').name;

export const formatPlaceAnswer = ({ venue, entrance }: KioskPlace): string => JSON.stringify({ venue, entrance });

/** @throws DecodeError `decode.malformed`. */
export const parsePlaceAnswer = (body: string): KioskPlace => read(answer, body, 'place answer');

function read<T>(schema: z.ZodType<T>, body: string, what: string): T {
  try {
    const parsed = schema.safeParse(JSON.parse(body));
    if (parsed.success) return parsed.data;
  } catch {
    // As below.
  }
  throw new DecodeError('decode.malformed', `${what}: not as it should be`);
}

/** What operators call a kiosk, and how such a name from outside is read. Pure. */
import { z } from 'zod';
import { ConfigError } from '../protocol/errors.ts';
import { isPlaceId } from '../protocol/ids.ts';

export const LONGEST_KIOSK_NAME = 60;

/** Neither control characters, nor what turns a line round or breaks it: a name stands between other words, in terminals as well. */
const UNFIT = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;

/** As `parseKioskName` takes it; empty for none. */
export const kioskName = z
  .string()
  .trim()
  .max(LONGEST_KIOSK_NAME)
  .refine((name) => !UNFIT.test(name), 'expected no control characters')
  .refine((name) => !isPlaceId(name), 'expected another name than an id');

/**
 * @returns the name without spaces around it, up to 60 characters; empty takes a name back.
 * @throws ConfigError `config.invalid` for one that is longer, has control characters, or is an id, by which commands would mean another.
 */
export function parseKioskName(wanted: unknown): string {
  const result = kioskName.safeParse(wanted);
  if (result.success) return result.data;
  const faults = result.error.issues.map(({ message }) => message.replace(/^Invalid input: /, ''));
  throw new ConfigError('config.invalid', `name of a kiosk: ${faults.join('; ')}`);
}

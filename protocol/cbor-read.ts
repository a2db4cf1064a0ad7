/**
 * Takes a decoded CBOR value apart, each step with its bounds. Messages name the place, never the value: it may be a person's.
 */
import type { CborValue } from './cbor.ts';
import { DecodeError } from './errors.ts';

/** @throws DecodeError `decode.malformed` when it is no array, or shorter or longer than the bounds. */
export function readArray(value: CborValue | undefined, subject: string, fewest: number, most = fewest): readonly CborValue[] {
  if (!Array.isArray(value)) throw new DecodeError('decode.malformed', `${subject}: not an array`);
  if (value.length < fewest || value.length > most)
    throw new DecodeError('decode.malformed', `${subject}: ${value.length} of ${fewest} to ${most} entries`);
  return value;
}

/** @throws DecodeError `decode.malformed` when it is no map. */
export function readMap(value: CborValue | undefined, subject: string): ReadonlyMap<number, CborValue> {
  if (!(value instanceof Map)) throw new DecodeError('decode.malformed', `${subject}: not a map`);
  return value;
}

/** @throws DecodeError `decode.malformed` when it is no byte string, or shorter or longer than the bounds. */
export function readBytes(value: CborValue | undefined, subject: string, shortest: number, longest = shortest): Uint8Array {
  if (!(value instanceof Uint8Array)) throw new DecodeError('decode.malformed', `${subject}: not a byte string`);
  if (value.length < shortest || value.length > longest)
    throw new DecodeError('decode.malformed', `${subject}: ${value.length} of ${shortest} to ${longest} bytes`);
  return value;
}

/** @throws DecodeError `decode.malformed` when it is no whole number, `decode.out_of_range` outside `least` to `greatest`. */
export function readInteger(value: CborValue | undefined, subject: string, least: number, greatest: number): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value))
    throw new DecodeError('decode.malformed', `${subject}: not a whole number`);
  if (value < least || value > greatest) throw new DecodeError('decode.out_of_range', `${subject}: not within ${least} to ${greatest}`);
  return value;
}

/** @throws DecodeError `decode.malformed` when it is no boolean. */
export function readBoolean(value: CborValue | undefined, subject: string): boolean {
  if (typeof value !== 'boolean') throw new DecodeError('decode.malformed', `${subject}: not a boolean`);
  return value;
}

/** @throws DecodeError `decode.malformed` when it is no text, or not of the form. */
export function readText(value: CborValue | undefined, subject: string, form: RegExp): string {
  if (typeof value !== 'string' || !form.test(value))
    throw new DecodeError('decode.malformed', `${subject}: not text of the form ${form.source}`);
  return value;
}

/** @param names what 0, 1, 2… stand for. @throws DecodeError `decode.malformed`; `decode.out_of_range` for a number that stands for nothing. */
export function readChoice<Name extends string>(value: CborValue | undefined, subject: string, names: readonly Name[]): Name {
  const name = names[readInteger(value, subject, 0, names.length - 1)];
  if (name === undefined) throw new DecodeError('decode.out_of_range', `${subject}: not within 0 to ${names.length - 1}`);
  return name;
}

/**
 * The Log every room is handed. Event = noun.verb, fields flat, units in names.
 * Fields never carry a symbol, a person's id, a temperature, an address or a key: sequence numbers, lengths, counts and codes only.
 */

export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Log {
  error(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  /** @param fields made only when debug is on. */
  debug(event: string, fields?: () => LogFields): void;
}

/** @returns a bug's name, and the file and line that it came from; never its message, which may quote what was read. */
export function placeOf(bug: unknown): { readonly bug: string; readonly at?: string } {
  if (!(bug instanceof Error)) return { bug: typeof bug };
  const frame = bug.stack?.split('\n').find((line) => line.startsWith('    at '));
  const at = /([\w.-]+:\d+):\d+\)?$/.exec(frame ?? '')?.[1];
  return { bug: bug.name, ...(at === undefined ? {} : { at }) };
}

export const silentLog: Log = { error() {}, warn() {}, info() {}, debug() {} };

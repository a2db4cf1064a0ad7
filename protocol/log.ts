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

export const silentLog: Log = { error() {}, warn() {}, info() {}, debug() {} };

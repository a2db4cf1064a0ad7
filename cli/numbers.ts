/** Numbers: as a person typed them as an option, and as one reads them. */
import { ConfigError } from '../protocol/errors.ts';

/** @throws ConfigError `config.invalid`, for a comma too: what "37,8" means differs from country to country. */
export function decimalOf(option: string, text: string): number {
  if (/^-?\d{1,9}(\.\d{1,9})?$/.test(text)) return Number(text);
  const hint = /^-?\d+,\d+$/.test(text) ? ` (a point, not a comma: ${text.replace(',', '.')})` : '';
  throw new ConfigError('config.invalid', `${option}: "${text}" is no number${hint}`);
}

/** @throws ConfigError `config.invalid` for what is no whole number from 1 on. */
export function wholeNumberOf(option: string, text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new ConfigError('config.invalid', `${option}: "${text}" is no whole number from 1 on`);
}

/** @returns 0 to 65535; 0 asks for any that is free. @throws ConfigError `config.invalid`. */
export function portOf(option: string, text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw new ConfigError('config.invalid', `${option}: "${text}" is no port, 0 to 65535`);
}

/** @returns `1 record`, `0 records`, `3 records`. */
export const counted = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;

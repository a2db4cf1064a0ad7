/**
 * Looks for secrets in whatever a run left behind: every file of a tree and every captured stream, in each form that a
 * secret could have slipped out in. Finding nothing proves little unless the same search finds a planted one; callers plant one.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

export interface Secret {
  /** What it is, for the report: never the secret itself. */
  readonly name: string;
  readonly forms: readonly Buffer[];
}

export interface Leak {
  readonly where: string;
  readonly secret: string;
  readonly offset: number;
}

const textForms = (text: string): Buffer[] =>
  [text, text.toLowerCase(), text.replaceAll(' ', ''), text.toLowerCase().replaceAll(' ', '')].map((form) => Buffer.from(form, 'utf8'));

const unique = (forms: readonly Buffer[]): Buffer[] => [...new Map(forms.map((form) => [form.toString('latin1'), form])).values()];

/** @param text a code, a symbol, a password: eight characters or more. */
export const textSecret = (name: string, text: string): Secret => ({
  name,
  forms: unique([...textForms(text), Buffer.from(text, 'utf16le'), Buffer.from(Buffer.from(text).toString('base64').replace(/=+$/, ''))]),
});

/** @param bytes a key or a UUID: eight bytes or more. Raw, hexadecimal, with dashes, base64 and base64url. */
export function bytesSecret(name: string, bytes: Uint8Array): Secret {
  const raw = Buffer.from(bytes);
  const hex = raw.toString('hex');
  const dashed = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  const base64 = raw.toString('base64').replace(/=+$/, '');
  return {
    name,
    forms: unique([
      raw,
      ...textForms(hex),
      ...textForms(hex.toUpperCase()),
      ...textForms(dashed),
      Buffer.from(base64),
      Buffer.from(raw.toString('base64url')),
    ]),
  };
}

/** @param centiCelsius as the events carry it. Searched as a written number that stands alone: 3847, 38.47 or 38,47. */
export const temperatureSecret = (name: string, centiCelsius: number): Secret => {
  const degrees = (centiCelsius / 100).toFixed(2);
  return { name, forms: [String(centiCelsius), degrees, degrees.replace('.', ',')].map((form) => Buffer.from(form)) };
};

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x30 && byte <= 0x39;

/** @returns where each secret is found in `haystack`, once each. Short written numbers count only where no digit touches them. */
export function searchBytes(where: string, haystack: Buffer, secrets: readonly Secret[]): Leak[] {
  const leaks: Leak[] = [];
  for (const secret of secrets) {
    for (const form of secret.forms) {
      let offset = haystack.indexOf(form);
      while (offset >= 0 && form.length < 8 && (isDigit(haystack[offset - 1]) || isDigit(haystack[offset + form.length]))) {
        offset = haystack.indexOf(form, offset + 1);
      }
      if (offset >= 0) {
        leaks.push({ where, secret: secret.name, offset });
        break;
      }
    }
  }
  return leaks;
}

/** Searches each file under `directory`, its path included. @param isSkipped tells which files may hold secrets in the open: key files. */
export function searchTree(directory: string, secrets: readonly Secret[], isSkipped: (path: string) => boolean): Leak[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !isSkipped(relative(directory, path)))
    .flatMap((path) => {
      const name = relative(directory, path);
      return [...searchBytes(`path ${name}`, Buffer.from(name), secrets), ...searchBytes(name, readFileSync(path), secrets)];
    });
}

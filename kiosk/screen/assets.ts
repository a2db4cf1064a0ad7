/** The screen's own files, read once, and what they say and show, as a module: nothing else is ever served, whatever a path says. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { PASSAGES } from '../feedback.ts';
import { LOOKS } from '../feedback-words.ts';
import { WORDS } from './languages.ts';
import { REST_LOOKS } from './rest.ts';

export interface Asset {
  /** In the URL. */
  readonly path: string;
  readonly type: string;
  readonly content: string;
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
};

/** @returns every file of `page/`, and `/words.js`. */
export function screenAssets(isDesk: boolean): readonly Asset[] {
  const directory = join(import.meta.dirname, 'page');
  const files = readdirSync(directory)
    .filter((name) => TYPES[extname(name)] !== undefined)
    .map((name) => ({
      path: name === 'index.html' ? '/' : `/${name}`,
      type: TYPES[extname(name)] ?? '',
      content: readFileSync(join(directory, name), 'utf8'),
    }));
  const said = { LANGUAGES: WORDS, LOOKS, PASSAGES, RESTS: REST_LOOKS, IS_DESK: isDesk };
  const lines = Object.entries(said).map(([name, value]) => `export const ${name} = ${JSON.stringify(value)};`);
  return [...files, { path: '/words.js', type: TYPES['.js'] ?? '', content: lines.join('\n') }];
}

/** @returns what changes with any of them: a page of another build loads itself anew. */
export const buildOf = (assets: readonly Asset[]): string =>
  createHash('sha256').update(JSON.stringify(assets)).digest('base64url').slice(0, 16);

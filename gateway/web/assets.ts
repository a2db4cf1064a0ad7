/** The dashboard's own files, read once: nothing else is ever served, whatever a path says. */
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';

export interface Asset {
  /** In the URL. */
  readonly path: string;
  readonly type: string;
  readonly content: Buffer;
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

export function readAssets(directory: string = join(import.meta.dirname, 'page')): Asset[] {
  return readdirSync(directory)
    .filter((name) => TYPES[extname(name)] !== undefined)
    .map((name) => ({
      path: name === 'index.html' ? '/' : `/${name}`,
      type: TYPES[extname(name)] ?? 'application/octet-stream',
      content: readFileSync(join(directory, name)),
    }));
}

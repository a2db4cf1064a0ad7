/** The holder's page, as files that anybody may load: they hold nothing of anybody. */
import { readFileSync } from 'node:fs';
import type { RestAsset } from '../rest/server.ts';

const FILES = [
  ['index.html', 'text/html; charset=utf-8', '/holder/'],
  ['page.css', 'text/css; charset=utf-8'],
  ['page.js', 'text/javascript; charset=utf-8'],
  ['key-code.js', 'text/javascript; charset=utf-8'],
  ['words.js', 'text/javascript; charset=utf-8'],
  ['icon.svg', 'image/svg+xml'],
] as const;

/** @returns the page at `/holder/`, and its parts behind that; whoever leaves the slash away is sent there. */
export const holderPage = (): RestAsset[] => [
  { path: '/holder', to: 'holder/' },
  ...FILES.map(([name, type, path = `/holder/${name}`]) => ({
    path,
    type,
    content: readFileSync(new URL(`./page/${name}`, import.meta.url)),
  })),
];

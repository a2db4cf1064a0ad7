/**
 * An error code in words, as docs/errors.md has them: one text for the page, the terminal and the manual. A test holds that every
 * code has its heading there.
 */
import { existsSync, readFileSync } from 'node:fs';

export interface ErrorWords {
  readonly code: string;
  /** What it is, a sentence. The code itself where nothing is written about it: a newer kiosk may say one that is unknown here. */
  readonly meaning: string;
  /** What a person does about it; empty where nothing is written. */
  readonly advice: string;
}

export type WordsFor = (code: string) => ErrorWords;

/** @param path of docs/errors.md. Where it is not there, a code stands for itself. */
export function readErrorWords(path: URL = new URL('../../docs/errors.md', import.meta.url)): WordsFor {
  const known = new Map<string, ErrorWords>();
  const page = existsSync(path) ? readFileSync(path, 'utf8') : '';
  for (const section of page.split(/^### /m).slice(1)) {
    const code = /^`([a-z_.]+)`/.exec(section)?.[1];
    const meaning = section.split('\n')[1]?.trim() ?? '';
    const advice = /^- \*\*Do\*\*: ([\s\S]*?)(?=\n\n|\n- |\n#|$(?![\s\S]))/m.exec(section)?.[1]?.replaceAll(/\s+/g, ' ').trim() ?? '';
    if (code !== undefined) known.set(code, { code, meaning: plain(meaning), advice: plain(advice) });
  }
  return (code) => known.get(code) ?? { code, meaning: code, advice: '' };
}

/** Without Markdown's marks, which a page and a terminal would show as they are. */
const plain = (text: string): string => text.replaceAll(/\[([^\]]+)\]\([^)]*\)/g, '$1').replaceAll(/[`*]/g, '');

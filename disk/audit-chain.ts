/**
 * What makes a log one that shows what was done to it: each entry bound to the one before by HMAC-SHA-256 under a key made from the store's
 * key, and a second file that says how far the log goes, so that an end that was cut off shows too.
 */
import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { StoreError } from '../protocol/errors.ts';
import { onDisk, systemCodeOf } from './faults.ts';
import { replaceFile } from './files.ts';

/** How far a log goes. */
export interface AuditHead {
  readonly entries: number;
  /** Of the last entry: hexadecimal, 64 characters. */
  readonly hash: string;
}

export type AuditFinding =
  | { readonly kind: 'whole'; readonly head: AuditHead }
  /** The first entry that does not follow from those before it. */
  | { readonly kind: 'broken'; readonly entry: number }
  /** The log once went further than it goes, or the file that says how far is gone or altered. */
  | { readonly kind: 'cut'; readonly entries: number; readonly expected: number };

/** An entry as it lies in the log. */
export interface Link {
  readonly entry: number;
  readonly hash: string;
  /** What its hash has to be. @param before the hash of the one before it. */
  readonly hashAfter: (before: string) => string;
  /** Whether a head was written with it. */
  readonly hasHead: boolean;
}

export const NO_ENTRIES: AuditHead = { entries: 0, hash: '0'.repeat(64) };
const HEAD = /^(\d{1,15}) ([0-9a-f]{64}) ([0-9a-f]{64})\n$/;

export class AuditChain {
  readonly #key: Uint8Array;
  readonly #headPath: string;

  /** @param storeKey 32 bytes. @param label tells one log's chain from another's. @param headPath the second file. */
  constructor(storeKey: Uint8Array, label: string, headPath: string) {
    this.#key = new Uint8Array(hkdfSync('sha256', storeKey, new Uint8Array(), label, 32));
    this.#headPath = headPath;
  }

  /** @param values of an entry, beginning with the hash of the one before. @returns hexadecimal, 64 characters. */
  hashOf(values: readonly (string | number)[]): string {
    return createHmac('sha256', this.#key).update(JSON.stringify(values)).digest('hex');
  }

  /** To be called behind the commit of what it speaks of: a crash between leaves a head that is behind, never one ahead of the log. @throws StoreError. */
  writeHead({ entries, hash }: AuditHead): void {
    replaceFile(this.#headPath, Buffer.from(`${entries} ${hash} ${this.#sealOf(entries, hash)}\n`), 0o600);
  }

  /**
   * Follows a whole log. @param links every entry in its order. @param kept a head that was noted earlier and elsewhere: the log must hold that very entry.
   * @throws StoreError.
   */
  verify(links: Iterable<Link>, kept: AuditHead | undefined): AuditFinding {
    const told = this.#readHead();
    const heads = [told, kept].filter((head) => head !== undefined && head !== 'damaged').filter(({ entries }) => entries > 0);
    let before = NO_ENTRIES.hash;
    let entries = 0;
    let withHead = 0;
    for (const { entry, hash, hashAfter, hasHead } of links) {
      const isOther = heads.some((head) => head.entries === entry && !isSame(head.hash, hash));
      if (entry !== entries + 1 || !isSame(hash, hashAfter(before)) || isOther) return { kind: 'broken', entry: entries + 1 };
      before = hash;
      entries += 1;
      if (hasHead) withHead += 1;
    }
    const expected = Math.max(0, ...heads.map((head) => head.entries));
    if (expected > entries) return { kind: 'cut', entries, expected };
    // A head was written with the first of them: one that is gone or damaged was not lost by a crash.
    if (told === 'damaged' || (withHead > 1 && told === undefined)) return { kind: 'cut', entries, expected: entries };
    return { kind: 'whole', head: { entries, hash: before } };
  }

  #readHead(): AuditHead | 'damaged' | undefined {
    const text = this.#headText();
    if (text === undefined) return undefined;
    const [, count, hash, seal] = HEAD.exec(text) ?? [];
    if (count === undefined || hash === undefined || seal === undefined) return 'damaged';
    const entries = Number(count);
    return isSame(seal, this.#sealOf(entries, hash)) ? { entries, hash } : 'damaged';
  }

  #headText(): string | undefined {
    try {
      return onDisk('audit.head', () => readFileSync(this.#headPath, 'latin1'));
    } catch (error) {
      if (systemCodeOf(error instanceof Error ? error.cause : undefined) === 'ENOENT') return undefined;
      throw error;
    }
  }

  #sealOf(entries: number, hash: string): string {
    return this.hashOf(['head', entries, hash]);
  }
}

/** @param text as `vestibule audit verify` prints it: `<entries>:<hash>`. @returns `undefined` for another text. */
export function parseHead(text: string): AuditHead | undefined {
  const [, entries, hash] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  return entries === undefined || hash === undefined ? undefined : { entries: Number(entries), hash };
}

/** @param subject begins the message. @throws StoreError `store.altered` unless the log is whole. @returns its head. */
export function refuseAltered(finding: AuditFinding, subject: string): AuditHead {
  switch (finding.kind) {
    case 'whole':
      return finding.head;
    case 'broken':
      throw new StoreError('store.altered', `${subject}: entry ${finding.entry} does not follow from those before it`);
    case 'cut':
      throw new StoreError(
        'store.altered',
        `${subject}: ${finding.entries} entries of ${finding.expected}, or the file that says how many is gone or altered`,
      );
  }
}

const isSame = (a: string, b: string): boolean => a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));

/** An outbox for tests: rows that say their own sequence number, and what went wrong as a code. */
import { join } from 'node:path';
import { Outbox } from '../../kiosk/outbox.ts';
import type { OutboxLimits } from '../../kiosk/outbox-row.ts';
import { codeOf } from '../../protocol/errors.ts';
import type { KeyId, Seq } from '../../protocol/ids.ts';
import { LIMITS, mono, wall } from './fixtures.ts';

export const keyIdOf = (number: number) => new Uint8Array(8).fill(number) as KeyId;
export const record = new Uint8Array(300).fill(9);
export const rowOf = (seq: number, bytes = 220) => new Uint8Array(bytes).fill(seq % 256);

/** An outbox with one key, and the row that says its own sequence number. */
export function open(dir: string, limits: Partial<OutboxLimits> = {}, nowMs = 0) {
  const outbox = new Outbox(join(dir, 'outbox.db'), { ...LIMITS, ...limits }, mono(nowMs));
  const key = outbox.keepKey(new Uint8Array(Buffer.from(`${Math.random()}00000000`).subarray(2, 10)) as KeyId, record);
  const append = (atMs = nowMs, wallMs?: number, bytes?: number): Seq =>
    outbox.append(key, (seq) => rowOf(seq, bytes), { wallMs: wallMs === undefined ? undefined : wall(wallMs), monotonicMs: mono(atMs) });
  return { outbox, key, append };
}

/** @returns the code of what `work` throws; `undefined` when it returns. */
export const codeFrom = (work: () => unknown): string | undefined => {
  try {
    work();
    return undefined;
  } catch (error) {
    return codeOf(error) ?? `bug: ${error}`;
  }
};

export const isSame = (a: Uint8Array | undefined, b: Uint8Array): boolean => a !== undefined && Buffer.compare(a, b) === 0;

export const seqsIn = (outbox: Outbox): number[] => outbox.unsentAfter(Number.MIN_SAFE_INTEGER, 1_000_000).map(({ seq }) => seq);

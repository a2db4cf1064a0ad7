/**
 * The least that a program can do for the same promise, for kiosk.bench.ts: woken by the same bytes, it makes a block durable and answers. No
 * card is read, nothing is sealed. What it takes is the machine's: the way through a pipe, waking a process, write, fdatasync.
 */
import { fdatasyncSync, openSync, writeSync } from 'node:fs';

/** When the answer was out, by CLOCK_MONOTONIC. */
export interface FromBareChild {
  readonly atMs: number;
}

const BLOCK = Buffer.alloc(4_096, 0x5a);
const file = openSync(process.argv[2] ?? '', 'w');

process.stdin.on('data', () => {
  writeSync(file, BLOCK, 0, BLOCK.length, 0);
  fdatasyncSync(file);
  process.stdout.write('kept\n');
  process.send?.({ atMs: Number(process.hrtime.bigint()) / 1e6 } satisfies FromBareChild);
});

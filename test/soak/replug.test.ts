/**
 * Plugs pulled and put back, again and again, through the whole kiosk: each scanner reads within a second of its return, and nothing of it is
 * left behind: no descriptor, no listener, no memory.
 */
import { getEventListeners } from 'node:events';
import { readdirSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { seededRandom, suiteSize } from '../support/suite-size.ts';
import { breakOff, KINDS, makeScanner } from './scanners.ts';
import { SoakedKiosk } from './soaked-kiosk.ts';

const { isFull, seed } = suiteSize();
const REPLUGS = isFull ? 100 : 12;
/** The first rounds fill caches and compile code. */
const WARM_UP = 8;
const LONGEST_RETURN_MS = 1_000;
/** serialport 13.0.0 keeps 2.4 kB of each port that it opened (docs/decisions/0006-devices.md); the rest is the answers that the test keeps. */
const MOST_BYTES_A_ROUND = 16_384;
/** What code that is compiled meanwhile, and caches, may add in a whole run. */
const NOISE_BYTES = 1_048_576;
const COLLECTIONS = 5;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

for (const kind of KINDS.filter((one) => one !== 'standard-input')) {
  t.test(
    `replug: a scanner of kind ${kind} reads within a second of its return, ${REPLUGS} times, and leaves nothing behind`,
    async (t) => {
      const dir = t.testdir();
      const random = seededRandom(seed);
      const scanner = makeScanner(kind, dir);
      const kiosk = await SoakedKiosk.start(dir, { scanners: [scanner.settings] }, scanner.options);
      await kiosk.untilDoor(true);
      const returnsMs: number[] = [];
      const openedMs: number[] = [];
      const scan = async (card: number): Promise<void> => {
        for (const piece of scanner.pieces(kiosk.code(card), random)) await scanner.send(piece);
      };
      const replug = async (card: number): Promise<void> => {
        // Now and then in the middle of a code.
        if (random() < 0.5) await breakOff(scanner, kiosk.code(card), random);
        else await scanner.unplug();
        await kiosk.untilDoor(false);
        const awayUntilMs = performance.now() + random() * 300;
        await kiosk.until(() => performance.now() >= awayUntilMs);
        const due = kiosk.kept + 1;
        const pluggedAtMs = performance.now();
        scanner.plug(random);
        await kiosk.untilDoor(true);
        openedMs.push(performance.now() - pluggedAtMs);
        await scan(card);
        await kiosk.untilKept(due);
        returnsMs.push(performance.now() - pluggedAtMs);
      };
      for (let round = 0; round < WARM_UP; round++) await replug(round);
      const before = await left(kiosk);
      for (let round = 0; round < REPLUGS; round++) await replug(WARM_UP + round);
      const after = await left(kiosk);
      t.equal(after.descriptors, before.descriptors, 'no descriptor is left');
      t.equal(after.listeners, before.listeners, 'no listener is left');
      const grewBytes = after.heapBytes - before.heapBytes;
      const bytesARound = grewBytes / REPLUGS;
      t.ok(grewBytes < NOISE_BYTES + REPLUGS * MOST_BYTES_A_ROUND, `${Math.round(bytesARound)} bytes a round`);
      // On a machine that stands still for a second some return is late by that; a wait that is too long makes more than a tenth of them late.
      const mostMs = quantile(returnsMs, 0.9);
      t.ok(mostMs < LONGEST_RETURN_MS, `nine in ten read again within ${mostMs.toFixed(0)} ms`);
      await kiosk.stop();
      await scanner.unplug();
      t.equal((await kiosk.checkIns(WARM_UP + REPLUGS)).length, WARM_UP + REPLUGS, 'each code after a return is kept once');
      t.comment(
        `${kind}: from the plug to ready ${spread(openedMs)}, to the answer to a code ${spread(returnsMs)}; ${Math.round(bytesARound)} bytes a round; seed ${seed}`,
      );
    },
  );
}

const quantile = (times: readonly number[], part: number): number =>
  times.toSorted((a, b) => a - b)[Math.min(times.length - 1, Math.floor(times.length * part))] ?? Number.NaN;

const spread = (times: readonly number[]): string =>
  [0.5, 0.9, 0.99, 1]
    .map((part) => quantile(times, part).toFixed(0))
    .join(' / ')
    .concat(' ms (median, p90, p99, longest)');

async function left(kiosk: SoakedKiosk): Promise<{ descriptors: number; listeners: number; heapBytes: number }> {
  let heapBytes = Number.POSITIVE_INFINITY;
  // What one collection finalises, the next one frees.
  for (let times = 0; times < COLLECTIONS; times++) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    collect();
    heapBytes = Math.min(heapBytes, process.memoryUsage().heapUsed);
  }
  return {
    descriptors: readdirSync('/proc/self/fd').length,
    listeners: getEventListeners(kiosk.stopping.signal, 'abort').length,
    heapBytes,
  };
}

/** Waits for something that the network or a thread will bring, without a timer of its own. */
import { performance } from 'node:perf_hooks';

/** Longer than any of these waits takes on a machine that runs twenty of them at once. */
const LONG_MS = 30_000;
/** What has not come by then does not come: the wait fails and says what it was for, and the other tests of the file have their turn. */
const LONGEST_MS = 300_000;

/** @returns once `isSo()` is true, looked at after each turn of the event loop. */
export async function until(isSo: () => boolean): Promise<void> {
  const look = () => (isSo() ? true : undefined);
  look.toString = () => String(isSo);
  await untilSome(look);
}

/** @returns the value once it is there. */
export async function untilSome<T>(find: () => T | undefined): Promise<T> {
  const told = telling(find);
  let found = find();
  while (found === undefined) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    told();
    found = find();
  }
  return found;
}

/** @returns to be called at each look: says once, among the test's output, that a wait has become a long one, and which. @throws at its end. */
export function telling(waitsFor: { toString(): string }): () => void {
  const sinceMs = performance.now();
  let isTold = false;
  return () => {
    const tookMs = performance.now() - sinceMs;
    if (tookMs < LONG_MS) return;
    const what = String(waitsFor).replaceAll(/\s+/g, ' ');
    if (tookMs > LONGEST_MS) throw new Error(`waited ${LONGEST_MS} ms for nothing: ${what}`);
    if (isTold) return;
    isTold = true;
    console.error(`# waiting for more than ${LONG_MS} ms: ${what}`);
  };
}

/** @returns what `promise` gives. A wait for it that becomes a long one is told of, as above. */
export async function tellIfLong<T>(waitsFor: string, promise: Promise<T>): Promise<T> {
  const told = setTimeout(() => console.error(`# waiting for more than ${LONG_MS} ms: ${waitsFor}`), LONG_MS);
  try {
    return await promise;
  } finally {
    clearTimeout(told);
  }
}

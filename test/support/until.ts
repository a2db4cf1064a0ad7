/** Waits for something that the network or a thread will bring, without a timer of its own: tap's time limit is the end of it. */

/** @returns once `isSo()` is true, looked at after each turn of the event loop. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise<void>((resolve) => setImmediate(resolve));
}

/** @returns the value once it is there. */
export async function untilSome<T>(find: () => T | undefined): Promise<T> {
  let found = find();
  while (found === undefined) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    found = find();
  }
  return found;
}

/**
 * Waiting for a promise or an abort, whichever comes first, and leaving nothing behind on a signal that lives for weeks:
 * Promise.race against one long-lived promise would keep a reaction for every wait.
 */

/**
 * @returns what `promise` gives, or `undefined` as soon as `signal` aborts (at once if it has). The promise itself goes on; if it
 * rejects after that, nobody is told.
 * @throws whatever `promise` rejects with before the abort.
 */
export function untilAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const abandon = () => resolve(undefined);
    if (signal.aborted) {
      promise.catch(() => {});
      return abandon();
    }
    signal.addEventListener('abort', abandon, { once: true });
    const settle = () => signal.removeEventListener('abort', abandon);
    promise.then(
      (value) => {
        settle();
        resolve(value);
      },
      (error) => {
        settle();
        reject(error);
      },
    );
  });
}

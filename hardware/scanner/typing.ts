/**
 * What is typed, as it comes: standard input, for a scanner that types. Handed on by a call: promises and generators between its arrival and
 * its reader would be in each scan's way.
 */

export interface TypingListener {
  readonly chunk: (bytes: Uint8Array) => void;
  /** At its end, or when it failed. Nothing is told after it. */
  readonly over: (failure: Error | undefined) => void;
}

export interface Typing {
  /**
   * One listener at a time: what comes while there is none waits for the next one, within bounds.
   * @param listener is told nothing before this returns. @returns ends it, and is nothing to whom another one has followed.
   */
  listen(listener: TypingListener): () => void;
}

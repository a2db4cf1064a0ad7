/** One input for readers that come one after the other: what one leaves unread, or was waiting for when it left, is the next one's. */

export interface SharedInput<T> {
  /** The reader before must have been left. */
  read(): AsyncIterable<T>;
  /** Takes the input from its reader, who is told nothing more. */
  leave(): void;
}

export function shareInput<T>(input: AsyncIterable<T>): SharedInput<T> {
  const chunks = input[Symbol.asyncIterator]();
  let pending: Promise<IteratorResult<T>> | undefined;
  let reader = 0;
  return {
    read: () => {
      const own = ++reader;
      return {
        [Symbol.asyncIterator]: () => ({
          next: async (): Promise<IteratorResult<T>> => {
            pending ??= chunks.next();
            const result = await pending;
            if (own !== reader) return { done: true, value: undefined };
            pending = undefined;
            return result;
          },
        }),
      };
    },
    leave: () => void reader++,
  };
}

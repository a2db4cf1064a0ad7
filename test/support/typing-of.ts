/** A stream, or bytes, as what is typed at a kiosk. */
import { Readable } from 'node:stream';
import type { Typing } from '../../hardware/scanner/typing.ts';

export const typingOf = (stream: Readable): Typing => ({
  listen({ chunk, over }) {
    const onEnd = (): void => over(undefined);
    stream.on('data', chunk).on('end', onEnd).on('error', over);
    stream.resume();
    return () => {
      stream.off('data', chunk).off('end', onEnd).off('error', over);
      stream.pause();
    };
  },
});

export const typed = (...chunks: readonly (string | Uint8Array)[]): Readable => Readable.from(chunks.map((chunk) => Buffer.from(chunk)));

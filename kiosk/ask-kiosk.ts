/** Asks the kiosk that runs on a data directory (doctor-door.ts). */
import { closeSync, openSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ConfigError } from '../protocol/errors.ts';
import { socketDirectory } from './doctor-door.ts';
import { type Answer, answerSchema, DOCTOR_SOCKET, type Question } from './doctor-words.ts';

/**
 * @returns the answers as they come: one, or for `watch` one after the other until abort.
 * @param signal on abort it returns.
 * @throws ConfigError config.invalid when no kiosk answers there: none runs, it is another user's, or an older one.
 */
export async function* askKiosk(dir: string, question: Question, signal: AbortSignal): AsyncGenerator<Answer, void> {
  let directory: number | undefined;
  try {
    directory = openSync(dir, 'r');
    const socket = connect(join(socketDirectory(directory), DOCTOR_SOCKET));
    const stop = () => socket.destroy();
    signal.addEventListener('abort', stop, { once: true });
    let failure: Error | undefined;
    socket.once('error', (error) => {
      failure = error;
    });
    if (signal.aborted) stop();
    const lines = createInterface({ input: socket });
    // readline hears of an end, and of nothing that was destroyed.
    socket.once('close', () => lines.close());
    socket.write(`${question}\n`);
    try {
      for await (const line of lines) {
        const read = answerSchema.safeParse(jsonOf(line));
        if (read.success) yield read.data;
        if (question !== 'watch') return;
      }
      if (!signal.aborted) throw failure ?? new Error('closed');
    } finally {
      signal.removeEventListener('abort', stop);
      socket.destroy();
    }
  } catch (cause) {
    if (signal.aborted) return;
    throw new ConfigError('config.invalid', 'kiosk: the one that runs does not answer here', { cause });
  } finally {
    if (directory !== undefined) closeSync(directory);
  }
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

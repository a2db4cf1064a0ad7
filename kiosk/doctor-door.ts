/**
 * The running kiosk's answers to `vestibule doctor`, on a socket in its data directory. It lets nothing be changed: it tells how the kiosk
 * does, sends one test event, and tells what devices do while somebody watches.
 */
import { chmodSync, closeSync, openSync, unlinkSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Log } from '../protocol/log.ts';
import { type Answer, DOCTOR_SOCKET, QUESTIONS, type Question, type Sight } from './doctor-words.ts';
import type { HealthSnapshot } from './health.ts';
import type { Delivery } from './test-event.ts';

export interface DoctorDoorOptions {
  readonly dir: string;
  readonly log: Log;
  readonly health: () => HealthSnapshot;
  readonly deliver: (signal: AbortSignal) => Promise<Delivery>;
}

/** One technician, and one more who wonders. */
const MOST_CALLERS = 4;
/** The longest question is 5 letters and a line end. */
const LONGEST_QUESTION_BYTES = 16;
/** What a watcher may leave unread. */
const MOST_UNREAD_BYTES = 65_536;

export class DoctorDoor {
  readonly #options: DoctorDoorOptions;
  readonly #callers = new Set<Socket>();
  readonly #watchers = new Set<Socket>();
  #delivering: Promise<Delivery> | undefined;

  constructor(options: DoctorDoorOptions) {
    this.#options = options;
  }

  /** Tells whoever watches. */
  tell(sight: Sight): void {
    for (const watcher of this.#watchers) answer(watcher, { sight });
  }

  /** Answers until abort. Where no socket can be made nobody is answered, and the kiosk does all else. */
  async run(signal: AbortSignal): Promise<void> {
    const { dir, log } = this.#options;
    const server = createServer((caller) => this.#hear(caller, signal));
    let directory: number | undefined;
    try {
      directory = openSync(dir, 'r');
      await listen(server, join(socketDirectory(directory), DOCTOR_SOCKET));
      if (!signal.aborted) await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    } catch (error) {
      log.warn('doctor.not_heard', { why: error instanceof Error && 'code' in error ? String(error.code) : 'unknown' });
    } finally {
      for (const caller of this.#callers) caller.destroy();
      if (server.listening) await new Promise<void>((resolve) => server.close(() => resolve()));
      if (directory !== undefined) closeSync(directory);
    }
  }

  #hear(caller: Socket, signal: AbortSignal): void {
    if (this.#callers.size >= MOST_CALLERS) return void caller.destroy();
    this.#callers.add(caller);
    let question = '';
    caller.on('data', (bytes) => {
      question += bytes.toString('latin1');
      const asked = QUESTIONS.find((one) => question === `${one}\n`);
      if (asked !== undefined) {
        question = '';
        this.#reply(caller, asked, signal);
      } else if (question.length > LONGEST_QUESTION_BYTES || question.includes('\n')) caller.destroy();
    });
    caller.on('error', () => {});
    caller.on('close', () => {
      this.#callers.delete(caller);
      this.#watchers.delete(caller);
    });
  }

  #reply(caller: Socket, question: Question, signal: AbortSignal): void {
    switch (question) {
      case 'state':
        answer(caller, { state: nowOf(this.#options.health()) });
        break;
      case 'test':
        // Two who ask at once are told of one event.
        this.#delivering ??= this.#options.deliver(signal).finally(() => {
          this.#delivering = undefined;
        });
        this.#delivering.then(
          (test) => answer(caller, { test }),
          () => caller.destroy(),
        );
        break;
      case 'watch':
        this.#watchers.add(caller);
        break;
    }
  }
}

/** The path of an open directory by which a socket in it can be named: a socket's own path is 107 bytes long at most (unix(7)). */
export const socketDirectory = (descriptor: number): string => `/proc/self/fd/${descriptor}`;

function listen(server: Server, path: string): Promise<void> {
  try {
    // Of a kiosk that was killed: the lock of the directory says that none runs now.
    unlinkSync(path);
  } catch {}
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      try {
        chmodSync(path, 0o600);
        resolve();
      } catch (error) {
        // A disk that broke down in between.
        reject(error);
      }
    });
  });
}

function answer(caller: Socket, said: Answer): void {
  if (caller.destroyed) return;
  if (caller.writableLength > MOST_UNREAD_BYTES) caller.destroy();
  else caller.write(`${JSON.stringify(said)}\n`);
}

const nowOf = (health: HealthSnapshot) => {
  const { isOnline, linkWhy, storeWhy, clock, queued, droppedUnsent, conflicts, quarantined, setAside, devices } = health;
  return { isOnline, linkWhy, storeWhy, clock, queued, droppedUnsent, conflicts, quarantined, setAside, devices: [...devices] };
};

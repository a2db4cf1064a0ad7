/** A process of a bench: one question over the channel, one answer of the same name. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** What a child can be asked: for each name its question and its answer. */
export type Talk = Readonly<Record<string, { readonly ask: object; readonly answer: object }>>;

interface Said {
  readonly kind: string;
  readonly body: object;
}

export class BenchProcess<T extends Talk> {
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #heard: Said[] = [];
  #told: () => void = () => {};

  constructor(script: string, options: object, env: Readonly<Record<string, string>> = {}, execArgv: readonly string[] = []) {
    this.#name = script;
    this.#child = spawn(process.execPath, [...execArgv, join(import.meta.dirname, script), JSON.stringify(options)], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      // Bytes go over the channel as bytes.
      serialization: 'advanced',
    });
    this.#child.on('message', (message: Said) => {
      this.#heard.push(message);
      this.#told();
    });
    this.#child.once('exit', () => this.#told());
  }

  /** @throws when it ends first. */
  async ask<K extends keyof T & string>(kind: K, body: T[K]['ask']): Promise<T[K]['answer']> {
    this.tell(kind, body);
    return await this.heard(kind);
  }

  /** Asks, and does not wait for the answer. */
  tell<K extends keyof T & string>(kind: K, body: T[K]['ask']): void {
    this.#child.send({ kind, body });
  }

  async heard<K extends keyof T & string>(kind: K): Promise<T[K]['answer']> {
    for (;;) {
      const at = this.#heard.findIndex((message) => message.kind === kind);
      if (at >= 0) return this.#heard.splice(at, 1)[0]?.body as T[K]['answer'];
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) throw new Error(`bench: ${this.#name} ended`);
      await new Promise<void>((resolve) => {
        this.#told = resolve;
      });
    }
  }

  stop(): void {
    if (this.#child.connected) this.#child.disconnect();
  }

  /** By SIGKILL. Resolves when the kernel has taken it away. */
  async kill(): Promise<void> {
    const isGone = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await isGone;
  }
}

/** In the child: answers each question by its name, one after the other, and ends with its parent. @returns its options. */
export function answering<T extends Talk, Options>(
  answers: (options: Options) => { [K in keyof T & string]: (ask: T[K]['ask']) => T[K]['answer'] | Promise<T[K]['answer']> },
): void {
  const options = JSON.parse(process.argv[2] ?? '{}') as Options;
  const byName = answers(options) as Record<string, (ask: object) => object | Promise<object>>;
  process.on('disconnect', () => process.exit(0));
  let last: Promise<void> = Promise.resolve();
  process.on('message', ({ kind, body }: Said) => {
    last = last.then(async () => {
      process.send?.({ kind, body: (await byName[kind]?.(body)) ?? {} });
    });
  });
}

export interface Usage {
  readonly cpuUs: number;
  readonly rssBytes: number;
  /** What V8 holds on the main thread, and buffers that belong to it: after a collection, what lives. */
  readonly heapBytes: number;
}

/** User and system time of this process, all its threads, so far. */
export function usage(): Usage {
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed, external } = process.memoryUsage();
  return { cpuUs: user + system, rssBytes: rss, heapBytes: heapUsed + external };
}

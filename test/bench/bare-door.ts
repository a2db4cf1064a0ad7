/** The other end of bare-child.ts. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { FromBareChild } from './bare-child.ts';
import { BenchScanner } from './scanner.ts';

export class BareDoor {
  /** From the bytes' way in to the answer's way out. */
  readonly tookMs: number[] = [];
  readonly #child: ChildProcess;
  readonly #scanner: BenchScanner;
  #onWritten: (atMs: number) => void = () => {};

  /** @param path of the file that it writes. @param scanner the program. @param env what slow-fsync.c needs. */
  constructor(path: string, scanner: string, env: Readonly<Record<string, string>>) {
    this.#child = spawn(process.execPath, [join(import.meta.dirname, 'bare-child.ts'), path], {
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'inherit', 'ipc'],
    });
    this.#child.stdout?.resume();
    if (this.#child.stdin === null) throw new TypeError('bench: a program without input');
    this.#scanner = new BenchScanner(scanner, this.#child.stdin, (atMs) => this.#onWritten(atMs));
  }

  /** As many bytes as a card has; resolves when it is answered. */
  async scan(text: string): Promise<void> {
    const written = new Promise<number>((resolve) => {
      this.#onWritten = resolve;
    });
    const answered = once(this.#child, 'message') as Promise<[FromBareChild]>;
    this.#scanner.scan(text);
    const [cameMs, [{ atMs }]] = await Promise.all([written, answered]);
    this.tookMs.push(atMs - cameMs);
  }

  async stop(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#scanner.stop();
    this.#child.kill();
    await exited;
  }
}

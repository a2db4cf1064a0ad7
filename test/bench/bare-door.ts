/** The other end of bare-child.ts. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { FromBareChild } from './bare-child.ts';

const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;

export class BareDoor {
  /** From the bytes' way in to the answer's way out. */
  readonly tookMs: number[] = [];
  readonly #child: ChildProcess;

  /** @param path of the file that it writes. @param env what slow-fsync.c needs. */
  constructor(path: string, env: Readonly<Record<string, string>>) {
    this.#child = spawn(process.execPath, [join(import.meta.dirname, 'bare-child.ts'), path], {
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'inherit', 'ipc'],
    });
    this.#child.stdout?.resume();
  }

  /** As many bytes as a card has; resolves when it is answered. */
  async scan(text: string): Promise<void> {
    const cameMs = nowMs();
    this.#child.stdin?.write(`${text}\r`);
    const [{ atMs }] = (await once(this.#child, 'message')) as [FromBareChild];
    this.tookMs.push(atMs - cameMs);
  }

  async stop(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.kill();
    await exited;
  }
}

/** scanner.c: what writes the codes, so that nothing of the bench runs where the kiosk is about to. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Writable } from 'node:stream';

/** Compiles it into `dir`. @returns the program's path. @throws where there is no C compiler. */
export function buildScanner(dir: string): string {
  const program = join(dir, 'scanner');
  execFileSync('cc', ['-O2', join(import.meta.dirname, 'scanner.c'), '-o', program]);
  return program;
}

export class BenchScanner {
  readonly #child: ChildProcess;

  /** @param door standard input of who is scanned for. @param onWritten told, for each code and in order, when it was written: CLOCK_MONOTONIC. */
  constructor(program: string, door: Writable, onWritten: (atMs: number) => void) {
    this.#child = spawn(program, [], { stdio: ['pipe', 'pipe', 'inherit', door] });
    if (this.#child.stdout === null) throw new TypeError('bench: a scanner without output');
    createInterface({ input: this.#child.stdout }).on('line', (line) => onWritten(Number(BigInt(line)) / 1e6));
  }

  scan(text: string): void {
    this.#child.stdin?.write(`${text}\r`);
  }

  stop(): void {
    this.#child.kill();
  }
}

/** A product process as a person would start it: `vestibule <arguments>`, its lines as they come, and its end by any signal. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const root = resolve(import.meta.dirname, '../..');
const node = join(root, 'node_modules/.bin/node');

/**
 * What Node made of the sources is kept for the next start, and what tap has every process load is left out: a start takes a third of the
 * processor's time that it would take.
 */
const QUICK_START = { NODE_COMPILE_CACHE: join(root, 'node_modules/.cache/vestibule-tests'), NODE_OPTIONS: '' };

/**
 * openpty(3) leaves its descriptors open across exec: a child that inherits a terminal's master would keep the cable plugged in after the
 * test pulled it.
 */
const WITHOUT_OUR_DESCRIPTORS = 'for fd in /proc/self/fd/*; do n=$(basename $fd); ((n > 2)) && eval "exec $n>&-"; done; exec "$@"';

export class VestibuleProcess {
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #waiting = new Set<() => void>();

  /** @param onLine told of each line on standard output as it comes. @param laterMs how far its clock is ahead. @param tree of another release. */
  constructor(
    args: readonly string[],
    options: {
      readonly onLine?: (line: string) => void;
      readonly env?: NodeJS.ProcessEnv;
      readonly laterMs?: number;
      readonly tree?: string;
    } = {},
  ) {
    const { laterMs = 0, tree = root } = options;
    const main = laterMs === 0 ? 'cli/main.ts' : 'test/support/later-main.ts';
    // A shell whose input is a socket takes itself for a remote one, and would read its user's own file.
    this.#child = spawn('bash', ['--norc', '-c', WITHOUT_OUR_DESCRIPTORS, 'vestibule', node, join(tree, main), ...args], {
      env: { ...process.env, ...QUICK_START, LATER_MS: `${laterMs}`, ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    // Whoever types into one that has died finds out by its end.
    this.#child.stdin?.on('error', () => {});
    const hear = (stream: NodeJS.ReadableStream | null, onLine: (line: string) => void): void => {
      if (stream === null) return;
      createInterface({ input: stream }).on('line', (line) => {
        this.#lines.push(line);
        onLine(line);
        for (const wake of this.#waiting) wake();
      });
    };
    hear(this.#child.stdout, (line) => options.onLine?.(line));
    hear(this.#child.stderr, () => {});
    this.#child.once('exit', () => {
      for (const wake of this.#waiting) wake();
    });
  }

  /** All that it wrote, on both outputs. */
  get written(): string {
    return this.#lines.join('\n');
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Types into its standard input. */
  type(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** How many lines it has written. */
  get lineCount(): number {
    return this.#lines.length;
  }

  /** @returns the first line after `from` that fits. Rejects, with what it wrote, when the process ends without one. */
  async line(fits: (line: string) => boolean, from = 0): Promise<string> {
    for (;;) {
      const found = this.#lines.slice(from).find(fits);
      if (found !== undefined) return found;
      if (this.hasEnded) throw new Error(`the process ended (${this.#child.exitCode ?? this.#child.signalCode}): ${this.written}`);
      await new Promise<void>((wake) => {
        const once = () => {
          this.#waiting.delete(once);
          wake();
        };
        this.#waiting.add(once);
      });
    }
  }

  /** Sends a signal and waits for the end. @returns the exit status, or the signal that ended it. */
  async end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals> {
    const { exitCode, signalCode } = this.#child;
    if (exitCode === null && signalCode === null) {
      const ended = this.ended();
      this.#child.kill(signal);
      await ended;
    }
    return await this.ended();
  }

  /** Waits for the end of a process that ends by itself. @returns as `end`. */
  async ended(): Promise<number | NodeJS.Signals> {
    if (!this.hasEnded) await once(this.#child, 'close');
    return this.#child.exitCode ?? this.#child.signalCode ?? 'SIGKILL';
  }

  /** Runs a command to its end. @returns what it wrote on standard output. @throws when it fails. */
  static async run(args: readonly string[], input = '', env: NodeJS.ProcessEnv = {}, tree = root): Promise<string> {
    const run = new VestibuleProcess(args, { env, tree });
    run.#child.stdin?.end(input);
    await once(run.#child, 'close');
    if (run.#child.exitCode !== 0) throw new Error(`vestibule ${args[0]} failed (${run.#child.exitCode}): ${run.written}`);
    return run.#lines.join('\n');
  }
}

/** One life of a child process: its lines as they come, and how it ended. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const root = resolve(import.meta.dirname, '../..');
const node = join(root, 'node_modules/.bin/node');

/** A process that is to die at a point, and does not within this time, is broken. */
const LONGEST_LIFE_MS = 60_000;

/** One line of a child. */
export interface Said {
  readonly isReady?: true;
  /** The point at which it kills itself, now. */
  readonly diesAt?: string;
  /** An answer at the door. */
  readonly kind?: string;
  readonly keyId?: string;
  readonly seq?: number;
}

export class Mortal {
  /** Resolves when it is gone and all it wrote was heard. */
  readonly gone: Promise<void>;
  readonly #child: ChildProcess;
  #complaints = '';
  #isTooOld = false;
  #diedAt: string | undefined;

  /** @param compileCache where Node keeps what it compiled, so that a start is cheap. @param more of its environment. */
  constructor(
    script: string,
    args: readonly string[],
    compileCache: string,
    onSaid: (said: Said) => void = () => {},
    more: Readonly<Record<string, string>> = {},
  ) {
    this.#child = spawn(node, [join(import.meta.dirname, script), ...args], {
      env: { ...process.env, NODE_COMPILE_CACHE: compileCache, ...more },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const { stdin, stdout, stderr } = this.#child;
    // Whoever writes to one that has died finds out by `gone`.
    stdin?.on('error', () => {});
    if (stdout !== null) {
      createInterface({ input: stdout }).on('line', (line) => {
        const said = JSON.parse(line) as Said;
        this.#diedAt = said.diesAt;
        onSaid(said);
      });
    }
    stderr?.on('data', (chunk: Buffer) => {
      this.#complaints += chunk;
    });
    this.gone = new Promise((done) => this.#child.once('close', () => done()));
  }

  /** It is to die: when it does not in time, it is killed, and that is a fault. */
  mustDie(): void {
    const tooOld = setTimeout(() => {
      this.#isTooOld = true;
      this.kill();
    }, LONGEST_LIFE_MS);
    void this.gone.then(() => clearTimeout(tooOld));
  }

  /** Types a line into its standard input. */
  type(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** Asks it to end in order. @throws when it does not. */
  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    await this.gone;
    if (this.#child.exitCode !== 0) throw new Error(`did not stop in order (${this.#howItEnded}): ${this.#complaints}`);
  }

  /** The point at which it said that it died by its own hand. */
  get diedAt(): string | undefined {
    return this.#diedAt;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Whether it ended by itself, in order. */
  get hasStopped(): boolean {
    return this.#child.exitCode === 0 && this.#complaints === '';
  }

  /** @returns what is wrong with how it ended, when it was to be killed; `undefined` when nothing is. */
  get fault(): string | undefined {
    if (this.#isTooOld) return `lived on, and never came to its point; ${this.#complaints}`;
    return this.#child.signalCode === 'SIGKILL' && this.#complaints === '' ? undefined : `${this.#howItEnded}: ${this.#complaints}`;
  }

  get #howItEnded(): string {
    return `${this.#child.exitCode ?? this.#child.signalCode ?? 'still alive'}`;
  }
}

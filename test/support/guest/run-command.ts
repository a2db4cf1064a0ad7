/** Runs a program of the machine to its end: what it wrote, or an error that says what failed and how to put it right. */
import { spawn } from 'node:child_process';

/** @returns its standard output. @throws Error with the end of what it wrote, and `hint`. */
export async function runCommand(command: string, args: readonly string[], options: { cwd?: string; hint?: string } = {}): Promise<string> {
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const written: Record<'out' | 'err', string> = { out: '', err: '' };
  child.stdout.on('data', (chunk: Buffer) => {
    written.out += chunk;
  });
  child.stderr.on('data', (chunk: Buffer) => {
    written.err += chunk;
  });
  const status = await new Promise<number | string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'killed'));
  });
  if (status === 0) return written.out;
  const end = `${written.out}${written.err}`.trim().slice(-600);
  throw new Error(
    `${command} ${args.join(' ').slice(0, 200)} failed (${status}): ${end}${options.hint === undefined ? '' : `\n${options.hint}`}`,
  );
}

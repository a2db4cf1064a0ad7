/** Asks for a password where nobody else sees it: not shown on a terminal; from another program, the first line of its output. */
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { ConfigError } from '../protocol/errors.ts';

/** As `readPassword`; at a terminal it is asked for twice. @throws ConfigError `config.invalid` also when the two differ. */
export async function readNewPassword(prompt: string): Promise<string> {
  const password = await readPassword(prompt);
  if (process.stdin.isTTY === true && (await readPassword('Once more: ')) !== password)
    throw new ConfigError('config.invalid', 'password: the two were not the same; nothing was changed');
  return password;
}

/** @returns what was typed, without its line end. @throws ConfigError `config.invalid` when nothing was. */
export async function readPassword(prompt: string): Promise<string> {
  const { stdin, stderr } = process;
  const isTerminal = stdin.isTTY === true;
  if (isTerminal) stderr.write(prompt);
  // Readline echoes what is typed into a terminal to its output: this one swallows it.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: stdin, output: nowhere, terminal: isTerminal });
  try {
    for await (const line of lines) if (line !== '') return line;
  } finally {
    lines.close();
    if (isTerminal) stderr.write('\n');
  }
  throw new ConfigError('config.invalid', 'password: nothing was given');
}

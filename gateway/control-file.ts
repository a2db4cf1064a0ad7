/**
 * Where a running gateway is reached by the command line of its machine: a file that only its owner reads, with the address of the
 * operators' listener and a token of this start. Whoever can read it could read the keys beside it, too.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { z } from 'zod';
import { replaceFile } from '../disk/files.ts';
import { ConfigError } from '../protocol/errors.ts';

const control = z.object({
  url: z.url(),
  token: z.string().min(20),
  /** Of the listener for operators' MQTT programs, on this machine. */
  mqttPort: z.int().min(1).max(65_535).optional(),
  /** To be trusted by that connection alone; absent where the listener speaks plain HTTP. */
  certificatePem: z.string().optional(),
});

export type Control = Readonly<z.infer<typeof control>>;

/** @throws StoreError as replaceFile. */
export const writeControl = (path: string, told: Control): void => replaceFile(path, Buffer.from(`${JSON.stringify(told)}\n`), 0o600);

/** @returns `undefined` when no gateway with an operators' listener runs there. @throws ConfigError `config.invalid` for a damaged file. */
export function readControl(path: string): Control | undefined {
  if (!existsSync(path)) return undefined;
  try {
    return control.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (cause) {
    throw new ConfigError('config.invalid', `${path}: damaged (a restart of the gateway writes it anew)`, { cause });
  }
}

export const removeControl = (path: string): void => rmSync(path, { force: true });

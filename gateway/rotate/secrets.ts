/**
 * Secrets of 32 bytes and their succession. The first lies in `<name>.key`; each that follows in `<name>-<generation>.key`, whole or not there. The
 * newest is gone by from the next start on, and earlier ones, as long as their files are there, open what was sealed for them.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { writeOnce } from '../../disk/files.ts';
import { ConfigError } from '../../protocol/errors.ts';
import { generateRecipient } from '../../protocol/hpke.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import { readSecret } from '../key-files.ts';

export const SECRET_BYTES = 32;

/** Those of a gateway that can be succeeded, by what a person calls them. */
const NAMES = { recipient: ['recipient'], names: ['index-pseudonym', 'operator-pseudonym'] } as const;
export type Succeeded = keyof typeof NAMES;

const MAKERS: Readonly<Record<Succeeded, () => Promise<Uint8Array>>> = {
  recipient: async () => (await generateRecipient()).privateKey,
  names: () => Promise.resolve(new Uint8Array(randomBytes(SECRET_BYTES))),
};

/** @param keys the gateway's directory of keys. @returns those that followed the first, newest first. @throws ConfigError `config.invalid` for a damaged one. */
export function successorsOf(keys: string, name: string): Uint8Array[] {
  return generationsOf(keys, name).map((generation) => {
    const path = join(keys, fileOf(name, generation));
    const bytes = readSecret(path);
    if (bytes.length !== SECRET_BYTES) throw new ConfigError('config.invalid', `${path}: ${bytes.length} of ${SECRET_BYTES} bytes`);
    return bytes;
  });
}

/** @returns when the newest was made, to the second; `undefined` for the first. */
export function newestMadeAtMs(keys: string, name: string): EpochMillis | undefined {
  const [newest] = generationsOf(keys, name);
  return newest === undefined ? undefined : ((newest * 1_000) as EpochMillis);
}

/**
 * Makes the secrets that follow. Cut off between two of them the one is succeeded, and the other at the next try.
 * @returns the files of those before, which are there still. @throws ConfigError, StoreError as writeOnce.
 */
export async function succeed(keys: string, what: Succeeded, nowMs: EpochMillis): Promise<readonly string[]> {
  const former: string[] = [];
  for (const name of NAMES[what]) {
    const before = generationsOf(keys, name);
    const generation = Math.max((before[0] ?? 0) + 1, Math.floor(nowMs / 1_000));
    const secret = await MAKERS[what]();
    writeOnce(join(keys, fileOf(name, generation)), secret, 0o600);
    secret.fill(0);
    former.push(...[`${name}.key`, ...before.toReversed().map((one) => fileOf(name, one))].filter((file) => existsSync(join(keys, file))));
  }
  return former;
}

const fileOf = (name: string, generation: number): string => `${name}-${generation}.key`;

/** Newest first. */
function generationsOf(keys: string, name: string): number[] {
  const file = new RegExp(`^${name}-(\\d{1,10})\\.key$`);
  return (existsSync(keys) ? readdirSync(keys) : [])
    .flatMap((found) => file.exec(found)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => b - a);
}

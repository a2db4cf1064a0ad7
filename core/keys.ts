/**
 * The core's own keys, made at the first start: files of 32 raw bytes that only their owner can read, in a directory that only
 * its owner can enter. A file is whole or absent, and one that is there is never written again: what it sealed would be lost.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DRAFT, writeOnce } from '../disk/files.ts';
import { ConfigError } from '../protocol/errors.ts';
import { generateRecipient, type Recipient, recipientOf } from '../protocol/hpke.ts';
import { inStore } from './sqlite.ts';

export interface CoreKeys {
  /** 32 bytes: encrypts core.db, which holds the key of each day. */
  readonly storeKey: Uint8Array;
  /** 32 bytes: turns a UUID into the index pseudonym that the files hold, and back. */
  readonly pseudonymKey: Uint8Array;
  /** The public half, for the trust document: kiosks seal their content keys to it. */
  readonly recipient: Recipient;
  /** 32 bytes, X25519. */
  readonly recipientPrivateKey: Uint8Array;
}

const KEY_BYTES = 32;
/** What a start that was cut short left; the second one was written by earlier versions. */
const LEFT = [DRAFT, '.partial'];

/**
 * Reads the core's keys, and makes those that are missing: all of them at the first start, the rest after one that was cut short.
 * When this returns, a power cut cannot lose them.
 * @param dir made if it is not there; closed to others if it was open.
 * @throws ConfigError `config.invalid` for a key file of another length; StoreError `store.disk_full`, `store.read_only` or `store.failed`.
 */
export async function makeCoreKeys(dir: string): Promise<CoreKeys> {
  inStore('core keys', () => {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    chmodSync(dir, 0o700);
    for (const name of readdirSync(dir)) if (LEFT.some((end) => name.endsWith(end))) rmSync(join(dir, name));
  });
  const { privateKey } = await generateRecipient();
  const recipientPrivateKey = keepKey(dir, 'recipient.key', privateKey);
  return {
    storeKey: keepKey(dir, 'core.key', randomBytes(KEY_BYTES)),
    pseudonymKey: keepKey(dir, 'pseudonym.key', randomBytes(KEY_BYTES)),
    recipient: await recipientOf(recipientPrivateKey),
    recipientPrivateKey,
  };
}

/**
 * Reads the keys of a core that has been started before, and makes none.
 * @throws ConfigError `config.invalid` when one is missing, unreadable or of another length.
 */
export async function readCoreKeys(dir: string): Promise<CoreKeys> {
  const recipientPrivateKey = readKey(dir, 'recipient.key');
  return {
    storeKey: readKey(dir, 'core.key'),
    pseudonymKey: readKey(dir, 'pseudonym.key'),
    recipient: await recipientOf(recipientPrivateKey),
    recipientPrivateKey,
  };
}

/** @returns the key of this name: the one that is there, else `fresh`, kept. */
function keepKey(dir: string, name: string, fresh: Uint8Array): Uint8Array {
  inStore(`core key ${name}`, () => {
    writeOnce(join(dir, name), fresh, 0o600);
  });
  return readKey(dir, name);
}

function readKey(dir: string, name: string): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(readFileSync(join(dir, name)));
  } catch (cause) {
    throw new ConfigError('config.invalid', `core key ${name}: can not be read; has the core been started here?`, { cause });
  }
  if (bytes.length !== KEY_BYTES) throw new ConfigError('config.invalid', `core key ${name}: ${bytes.length} of ${KEY_BYTES} bytes`);
  return bytes;
}

/** The key pair that backups are made for: the public half lies with the gateway, the private one anywhere but there. */
import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { writeOnce } from '../disk/files.ts';
import type { Locking, Opening } from '../gateway/backup/locks.ts';
import { ConfigError } from '../protocol/errors.ts';
import { generateRecipient, recipientFromPublicKey } from '../protocol/hpke.ts';

const PUBLIC = /^vestibule-backup-([A-Za-z0-9_-]{43})$/;
const PRIVATE = /^VESTIBULE-BACKUP-KEY-1 ([A-Za-z0-9_-]{43})\n?$/;

/** Makes a key pair and writes the private half into a file that is not there yet. @returns the public half, as `--for` takes it. */
export async function makeBackupKey(path: string): Promise<string> {
  const { recipient, privateKey } = await generateRecipient();
  const text = `VESTIBULE-BACKUP-KEY-1 ${Buffer.from(privateKey).toString('base64url')}\n`;
  if (statSync(path, { throwIfNoEntry: false }) !== undefined)
    throw new ConfigError('config.invalid', `${path}: is there already, and a key is not written over`);
  writeOnce(resolve(path), Buffer.from(text), 0o600);
  return `vestibule-backup-${Buffer.from(recipient.publicKey).toString('base64url')}`;
}

/** @param text as makeBackupKey returns it. @throws ConfigError `config.invalid`. */
export function lockingFor(text: string): Locking {
  const [, encoded] = PUBLIC.exec(text) ?? [];
  if (encoded === undefined)
    throw new ConfigError('config.invalid', '--for: expected the public half, "vestibule-backup-" and 43 characters');
  return { kind: 'key', recipient: recipientFromPublicKey(new Uint8Array(Buffer.from(encoded, 'base64url'))) };
}

/** @throws ConfigError `config.invalid` for a file that is no such key. */
export function readBackupKey(path: string): Opening {
  const [, encoded] = PRIVATE.exec(readText(path)) ?? [];
  if (encoded === undefined) throw new ConfigError('config.invalid', `${path}: is no key of "vestibule gateway backup-key"`);
  return { kind: 'key', privateKey: new Uint8Array(Buffer.from(encoded, 'base64url')) };
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch (cause) {
    throw new ConfigError('config.invalid', `${path}: can not be read`, { cause });
  }
}

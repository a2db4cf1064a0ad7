/** What an image must not have in it: keys, passwords, and traces of who built it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

const NAMES =
  /(?:^|\/)(?:id_(?:rsa|ed25519|ecdsa)|authorized_keys|\.npmrc|\.netrc|\.git|\.env|wifi\.conf|kiosk\.key|ssh_host_[^/]*|machine-id)$|\.(?:p12|pfx|key)$/;
/** A key with a body; a library's own words for one have none. */
const PRIVATE_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=\s]{64,}/;

/** Of Google's services, as Debian's script for Chromium brings them. */
const SERVICE_KEY = /AIza[0-9A-Za-z_-]{35}/;

/** @param directory an unpacked root. @param traces words that only the builder's machine has. @returns what was found, and where. */
export function findSecrets(directory: string, traces: readonly string[]): string[] {
  const found: string[] = [];
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const name = relative(directory, path);
    if (entry.isFile() || entry.isDirectory()) {
      if (NAMES.test(name)) found.push(`${name}: by its name`);
    }
    if (!entry.isFile()) continue;
    const content = readFileSync(path, 'latin1');
    if (PRIVATE_KEY.test(content)) found.push(`${name}: a private key`);
    if (SERVICE_KEY.test(content)) found.push(`${name}: a key of a service`);
    for (const trace of traces) if (content.includes(trace)) found.push(`${name}: ${trace}`);
  }
  const shadow = join(directory, 'etc/shadow');
  for (const line of readFileSync(shadow, 'utf8').split('\n')) {
    if (line !== '' && line.split(':')[1] !== '!*') found.push('etc/shadow: somebody has a password');
  }
  return found;
}

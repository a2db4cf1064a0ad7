/** What a technician may write into reset.txt. The wiping itself: test/kiosk/reset.test.ts. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';

const SCRIPT = join(import.meta.dirname, '../../../workshop/image/files/root/usr/lib/vestibule/reset-wish');

/** @returns what the kiosk's program is started with. */
function askedBy(t: { testdir: () => string }, content: Uint8Array): string {
  const directory = t.testdir();
  writeFileSync(join(directory, 'reset.txt'), content);
  const script = readFileSync(SCRIPT, 'utf8').replace('exec /usr/bin/vestibule', 'exec echo');
  const env = { PATH: process.env.PATH, CREDENTIALS_DIRECTORY: directory };
  return execFileSync('/bin/sh', ['-c', script], { env, encoding: 'utf8' }).trim();
}

const DISCARDS: readonly [how: string, content: Uint8Array][] = [
  ['with the line ends of Windows', Buffer.from('discard\r\n')],
  ['behind a mark of byte order', Buffer.from('\ufeffdiscard')],
  ['as a Windows shell writes it', Buffer.from('\ufeffdiscard\r\n', 'utf16le')],
  ['with a capital', Buffer.from('Discard\n')],
];
for (const [how, content] of DISCARDS)
  t.test(`reset.txt: discard ${how} gives up what was not delivered`, async (t) => {
    t.equal(askedBy(t, content), 'kiosk reset --yes --discard-unsent --data /var/lib/vestibule');
  });

for (const text of ['', 'reset', 'do not discard', 'discards', '#discard', '--discard-unsent', '$(reboot)', '*', '\0\xff'])
  t.test(`reset.txt: ${JSON.stringify(text)} gives up nothing`, async (t) => {
    t.equal(askedBy(t, Buffer.from(text, 'latin1')), 'kiosk reset --yes --data /var/lib/vestibule');
  });

/** What a technician may write into reset.txt. The wiping itself: test/kiosk/reset.test.ts. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';

const SCRIPTS = join(import.meta.dirname, '../../../workshop/image/files/root/usr/lib/vestibule');

/** @returns what the kiosk's program is started with. */
function askedBy(t: { testdir: () => string }, content: Uint8Array): string {
  const directory = t.testdir();
  writeFileSync(join(directory, 'reset.txt'), content);
  const script = readFileSync(join(SCRIPTS, 'reset-wish'), 'utf8').replace('exec /usr/bin/vestibule', 'exec echo');
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

/** A card's config partition and data partition, and the scripts that systemd starts before and after the wiping. */
class Card {
  readonly wish: string;
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
    this.wish = join(directory, 'boot/config/reset.txt');
    mkdirSync(join(directory, 'boot/config'), { recursive: true });
    mkdirSync(join(directory, 'var/lib'), { recursive: true });
  }

  /** @param isWorn nothing can be removed from it. */
  run(name: 'reset-is-new' | 'reset-done', isWorn = false): { readonly status: number | null; readonly said: string } {
    const script = readFileSync(join(SCRIPTS, name), 'utf8')
      .replaceAll('/boot/', `${this.#directory}/boot/`)
      .replaceAll('/var/', `${this.#directory}/var/`);
    const ran = spawnSync('/bin/sh', ['-c', `mount() { :; }; ${isWorn ? 'rm() { return 1; };' : ''} ${script}`], { encoding: 'utf8' });
    return { status: ran.status, said: ran.stdout + ran.stderr };
  }
}

t.test('reset.txt: one that is carried out goes, and the next one wipes again', async (t) => {
  const card = new Card(t.testdir());
  for (const second of [1_700_000_000, 1_700_000_060]) {
    writeFileSync(card.wish, '');
    utimesSync(card.wish, second, second);
    t.strictSame(card.run('reset-is-new'), { status: 0, said: '' });
    t.strictSame(card.run('reset-done'), { status: 0, said: '' });
    t.notOk(existsSync(card.wish));
  }
});

t.test('reset.txt: one that a worn card keeps, or brings back, wipes once; saved anew it wipes again', async (t) => {
  const card = new Card(t.testdir());
  writeFileSync(card.wish, 'discard');
  utimesSync(card.wish, 1_700_000_000, 1_700_000_000);
  t.equal(card.run('reset-is-new').status, 0);
  t.match(card.run('reset-done', true), { status: 0, said: /can not be removed/ });
  t.match(card.run('reset-is-new'), { status: 1, said: /carried out before.*save it anew/ });
  writeFileSync(card.wish, 'discard');
  utimesSync(card.wish, 1_700_000_002, 1_700_000_002);
  t.equal(card.run('reset-is-new').status, 0);
});

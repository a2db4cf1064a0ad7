/** What a technician may write into reset.txt. The wiping itself: test/kiosk/reset.test.ts. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';

const SCRIPTS = join(import.meta.dirname, '../../../workshop/image/files/root/usr/lib/vestibule');

/** @returns what the kiosk's program is started with. */
function askedBy(
  t: { testdir: (content?: Record<string, string>) => string },
  content: Uint8Array,
  files: Record<string, string> = {},
): string {
  const directory = t.testdir(files);
  writeFileSync(join(directory, 'reset.txt'), content);
  const script = readFileSync(join(SCRIPTS, 'reset-wish'), 'utf8')
    .replace('exec /usr/bin/vestibule', 'exec echo')
    .replace('/usr/lib/systemd/systemd-networkd-wait-online', 'echo waits:')
    .replace('/var/lib/vestibule/kiosk/', `${directory}/`);
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

t.test('reset.txt: the network is waited for where something may have to be delivered, and not where it is given up', async (t) => {
  const kept = { 'outbox.db': '' };
  t.match(askedBy(t, Buffer.from(''), kept), /^waits: --any --timeout=30\nkiosk reset --yes --data/);
  t.match(askedBy(t, Buffer.from('discard'), kept), /^kiosk reset --yes --discard-unsent/);
  t.match(askedBy(t, Buffer.from('')), /^kiosk reset --yes --data/, 'nothing was ever kept');
  t.notMatch(readFileSync(join(SCRIPTS, '../../../etc/systemd/system/vestibule-reset.service'), 'utf8'), 'wait-online');
});

/** A card's config partition and data partition, and the scripts that systemd starts before and after the wiping. */
class Card {
  readonly wish: string;
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
    this.wish = join(directory, 'boot/config/reset.txt');
    mkdirSync(join(directory, 'boot/config'), { recursive: true });
    mkdirSync(join(directory, 'var/lib/vestibule/kiosk'), { recursive: true });
    this.setUp();
  }

  /** Another kiosk, in the place of the one that was wiped. */
  setUp(): void {
    const key = join(this.#directory, 'var/lib/vestibule/kiosk/kiosk.key');
    // Beside the one before, so that it is another file for certain.
    writeFileSync(`${key}.new`, '');
    renameSync(`${key}.new`, key);
  }

  /** Nothing can be written down on it. */
  wearOut(): void {
    writeFileSync(join(this.#directory, 'var/lib/vestibule-reset'), '');
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
  card.setUp();
  t.match(card.run('reset-is-new'), { status: 1, said: /carried out before.*save it anew/ });
  writeFileSync(card.wish, 'discard');
  utimesSync(card.wish, 1_700_000_002, 1_700_000_002);
  t.equal(card.run('reset-is-new').status, 0);
});

t.test(
  'reset.txt: one that could not be carried out is tried again; whoever was set up since is not wiped, also where the power failed behind the wipe',
  async (t) => {
    const card = new Card(t.testdir());
    writeFileSync(card.wish, '');
    for (let start = 0; start < 3; start++) t.strictSame(card.run('reset-is-new'), { status: 0, said: '' });
    card.setUp();
    t.match(card.run('reset-is-new'), { status: 1, said: /carried out before/ });
  },
);

t.test('reset.txt: where it can not be noted nothing is wiped, and a code says so', async (t) => {
  const card = new Card(t.testdir());
  card.wearOut();
  writeFileSync(card.wish, 'discard');
  // 255: the service failed. Less would say that there was nothing to do.
  t.match(card.run('reset-is-new'), { status: 255, said: /NOT carried out.*\[store\.failed\]/s });
});

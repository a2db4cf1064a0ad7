/** A reset kiosk leaves nothing behind, is told of at the gateway, and can be killed at every point without leaving half a kiosk. */
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parseConfig } from '../../../kiosk/config.ts';
import { openIdentity } from '../../../kiosk/kiosk-identity.ts';
import { atStake, finishReset, reset } from '../../../kiosk/reset/reset.ts';
import { silentLog } from '../../../protocol/log.ts';
import { systemClock } from '../../../protocol/time.ts';
import { becomeNobody, reachableDirectory } from '../../support/as-nobody.ts';

const never = new AbortController().signal;
const parts = { clock: systemClock, log: silentLog };
const configOf = (dataDir: string) => parseConfig({ dataDir, page: { isOn: false } });

/** A directory as a kiosk of some days has it. */
function lived(dir: string): string[] {
  openIdentity(dir);
  const names = [
    'enrolment.code',
    'outbox.db',
    'outbox.db-wal',
    'outbox.damaged-1-1.db',
    'policy',
    'notices',
    'settings.json',
    'staff.json',
  ];
  for (const name of names) writeFileSync(join(dir, name), `${name} `.repeat(20_000));
  writeFileSync(join(dir, 'kiosk.lock'), '');
  return [...names, 'kiosk.key', 'kiosk.json'];
}

t.test('reset: nothing is left but the lock', async (t) => {
  const dir = t.testdir();
  lived(dir);
  const { farewell, files } = await reset(configOf(dir), parts, never);
  t.strictSame(readdirSync(dir), ['kiosk.lock']);
  t.equal(files, 10);
  t.same(farewell, { outcome: 'nobody' }, 'it never had a gateway');
});

t.test('reset: what another name leads to is overwritten too, and a link’s other end is not touched', async (t) => {
  const root = t.testdir({ elsewhere: 'mine' });
  const dir = join(root, 'kiosk');
  mkdirSync(dir);
  lived(dir);
  symlinkSync(join(root, 'elsewhere'), join(dir, 'link'));
  await reset(configOf(dir), parts, never);
  t.equal(readFileSync(join(root, 'elsewhere'), 'utf8'), 'mine');
});

t.test('reset: killed after any file it is no kiosk any more, and the next start finishes it', async (t) => {
  for (let dies = 0; dies <= 10; dies++) {
    const dir = t.testdir();
    const kept = lived(dir);
    const before = openIdentity(dir).kiosk;
    let points = 0;
    const debug = () => {
      if (points++ === dies) throw new Error('killed');
    };
    await t.rejects(reset(configOf(dir), { clock: systemClock, log: { ...silentLog, debug } }, never), { message: 'killed' });
    const left = readdirSync(dir);
    t.ok(left.includes('reset'), 'it says that it was begun');
    if (dies > 0) t.notOk(left.includes('kiosk.key'), 'the key goes first');
    for (const name of kept.filter((one) => left.includes(one))) t.ok(statSync(join(dir, name)).size > 0);
    await finishReset(configOf(dir), parts, never);
    t.strictSame(readdirSync(dir), ['kiosk.lock']);
    t.not(openIdentity(dir).kiosk, before, 'another kiosk begins');
  }
});

t.test('reset: a directory that is not a kiosk’s is left, told of, and keeps the reset unfinished', async (t) => {
  const dir = t.testdir({ photos: { 'one.jpg': '' } });
  lived(dir);
  await t.rejects(reset(configOf(dir), parts, never), { code: 'config.invalid' });
  t.strictSame(readdirSync(dir).sort(), ['kiosk.lock', 'photos', 'reset']);
  t.ok(existsSync(join(dir, 'photos', 'one.jpg')));
});

t.test('reset: a file that the disk, or its owner, does not give up is told of by a code, and the next try finishes it', async (t) => {
  const dir = reachableDirectory(t);
  lived(dir);
  chmodSync(join(dir, 'policy'), 0o400);
  becomeNobody(dir);
  await t.rejects(reset(configOf(dir), parts, never), { name: 'StoreError', code: 'store.read_only' });
  t.ok(readdirSync(dir).includes('reset'), 'it is begun, and no kiosk any more');
  t.notOk(existsSync(join(dir, 'kiosk.key')));
  chmodSync(join(dir, 'policy'), 0o600);
  await finishReset(configOf(dir), parts, never);
  t.strictSame(readdirSync(dir), ['kiosk.lock']);
});

t.test('reset: says what is at stake, also of an outbox that can not be read', async (t) => {
  const dir = t.testdir();
  t.match(atStake(configOf(dir), systemClock), { kiosk: undefined, unsent: 0, setAside: 0 });
  lived(dir);
  t.match(atStake(configOf(dir), systemClock), { kiosk: String, isEnrolled: false, unsent: undefined, setAside: 1 });
});

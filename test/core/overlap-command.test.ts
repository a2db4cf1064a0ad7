import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { AuditLog } from '../../core/audit.ts';
import { openCore } from '../../core/core.ts';
import { makeCoreKeys } from '../../core/keys.ts';
import { answerOverlaps } from '../../core/overlap-command.ts';
import type { Log } from '../../protocol/log.ts';
import { silentLog } from '../../protocol/log.ts';
import { bytesSecret, searchBytes, searchTree } from '../support/leak-search.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { checkIn, DEPLOYMENT, HOUR, KioskStub, newCard } from './kiosk-stub.ts';

const NOW = Date.UTC(2026, 10, 21, 9);
const WHY = { who: 'vera', purpose: 'case 2026-117, order of the health office' };

async function town(t: Test) {
  const root = t.testdir();
  const dir = join(root, 'core');
  const keys = await makeCoreKeys(join(root, 'keys'));
  const clock = new ManualClock(NOW);
  const core = await openCore({ dir, deployment: DEPLOYMENT, keys, clock, log: silentLog });
  t.teardown(() => core.end());
  const kiosk = new KioskStub(keys);
  const [anna, ben] = [newCard(), newCard()];
  for (const atMs of [NOW - 24 * HOUR, NOW - HOUR]) {
    await core.accept([
      await kiosk.batch(
        [
          { happening: checkIn(anna), atMs },
          { happening: checkIn(ben), atMs },
        ],
        NOW,
      ),
    ]);
  }
  return { root, dir, keys, clock, core, anna, ben, kiosk };
}

t.test('overlap command: answers while a core writes the same files, and from one that is closed', async (t) => {
  const { dir, keys, clock, core, anna } = await town(t);
  const first = await answerOverlaps({ dir, keys, clock, log: silentLog }, { card: anna, ...WHY });
  t.equal(first.contacts.length, 2);
  t.strictSame(first.unreadableDays, []);
  core.close();
  const second = await answerOverlaps({ dir, keys, clock, log: silentLog }, { card: anna, ...WHY });
  t.equal(second.contacts.length, 2);
  t.strictSame([first.audit.entry, second.audit.entry], [1, 2]);
});

t.test('overlap command: of a clock that jumped ahead looks at the days that are held, and says that it is doubted', async (t) => {
  const { dir, keys, clock, anna } = await town(t);
  clock.stepWall(35 * 24 * HOUR);
  const answer = await answerOverlaps({ dir, keys, clock, log: silentLog }, { card: anna, ...WHY });
  t.equal(answer.contacts.length, 2);
  t.match(answer.clock, { kind: 'ahead', byMs: 35 * 24 * HOUR });
});

t.test('overlap command: from another process, beside a core that goes on writing', async (t) => {
  const { root, dir, core, anna, kiosk, keys } = await town(t);
  const script = `
    import { readCoreKeys } from ${JSON.stringify(join(import.meta.dirname, '../../core/keys.ts'))};
    import { answerOverlaps } from ${JSON.stringify(join(import.meta.dirname, '../../core/overlap-command.ts'))};
    const keys = await readCoreKeys(${JSON.stringify(join(root, 'keys'))});
    const log = { error() {}, warn() {}, info() {}, debug() {} };
    const clock = { wall: () => ${NOW}, monotonic: () => 0 };
    const card = Buffer.from('${Buffer.from(anna).toString('hex')}', 'hex');
    for (let i = 0; i < 5; i++) {
      const { contacts } = await answerOverlaps({ dir: ${JSON.stringify(dir)}, keys, clock, log }, { card, who: 'vera', purpose: 'test' });
      console.log(contacts.length);
    }
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (bytes) => (output += bytes));
  child.stderr.on('data', (bytes) => (output += bytes));
  let isRunning = true;
  const ended = new Promise<void>((resolve) =>
    child.on('close', () => {
      isRunning = false;
      resolve();
    }),
  );
  let written = 0;
  while (isRunning) {
    await core.accept([await kiosk.batch([{ happening: checkIn(newCard()), atMs: NOW - 48 * HOUR }], NOW)]);
    written += 1;
    await new Promise((resolve) => setImmediate(resolve));
  }
  await ended;
  t.equal(output, '2\n2\n2\n2\n2\n');
  t.equal(core.counts().checkIns, 4 + written);
  const audit = new AuditLog(dir, keys.storeKey);
  t.teardown(() => audit.close());
  t.equal(audit.entries(100).length, 5);
});

t.test('overlap command: every look is in the audit log, by whom and what for, and whose card it was is not', async (t) => {
  const { dir, keys, clock, core, anna, ben } = await town(t);
  const lines: unknown[] = [];
  const log: Log = { ...silentLog, info: (event, fields) => lines.push([event, fields]) };
  const answer = await answerOverlaps({ dir, keys, clock, log }, { card: anna, minimumOverlapMs: 60_000, ...WHY });
  const audit = new AuditLog(dir, keys.storeKey);
  t.teardown(() => audit.close());
  const entries = audit.entries(100);
  t.match(entries, [
    { entry: 1, atMs: NOW, ...WHY, role: 'operator', action: 'look.overlaps', rows: 2, detail: 'minimumOverlapMs=60000 unreadableDays=0' },
  ]);
  t.equal(entries[0]?.hash, answer.audit.hash);
  const secrets = [bytesSecret('asked', anna), bytesSecret('found', ben)];
  const told = Buffer.from(JSON.stringify([entries, answer, lines]));
  t.strictSame(searchBytes('answer, log and audit', told, secrets), []);
  t.equal(searchBytes('planted', Buffer.concat([told, anna]), secrets).length, 1);
  core.close();
  t.strictSame(
    searchTree(dir, secrets, () => false),
    [],
  );
});

t.test('overlap command: without a purpose, or with a code in it, there is no answer', async (t) => {
  const { dir, keys, clock, anna } = await town(t);
  const ask = (more: object) => answerOverlaps({ dir, keys, clock, log: silentLog }, { card: anna, ...WHY, ...more });
  await t.rejects(ask({ purpose: ' ' }), { name: 'ConfigError', code: 'config.invalid' });
  await t.rejects(ask({ purpose: 'x'.repeat(201) }), { code: 'config.invalid' });
  await t.rejects(ask({ purpose: `card ${Buffer.from(anna).toString('hex')}` }), { message: /a word that could be a code/ });
  await t.rejects(ask({ who: '' }), { code: 'config.invalid' });
  await t.rejects(ask({ minimumOverlapMs: 0 }), { code: 'config.invalid' });
  t.equal(new AuditLog(dir, keys.storeKey).entries(100).length, 0);
});

t.test('overlap command: a day that can not be read is told of, and the rest is answered', async (t) => {
  const { dir, keys, clock, core, anna } = await town(t);
  core.close();
  writeFileSync(join(dir, 'days/2026-11-20.db'), Buffer.alloc(8_192, 0x55));
  const { contacts, unreadableDays } = await answerOverlaps({ dir, keys, clock, log: silentLog }, { card: anna, ...WHY });
  t.strictSame(unreadableDays, ['2026-11-20']);
  t.match(contacts, [{ day: '2026-11-21' }]);
  t.equal(contacts.length, 1);
});

t.test('overlap command: other keys, or no core, and no answer', async (t) => {
  const { root, dir, keys, clock, anna } = await town(t);
  const ask = (core: object) => answerOverlaps({ dir, keys, clock, log: silentLog, ...core }, { card: anna, ...WHY });
  await t.rejects(ask({ keys: { ...keys, storeKey: Buffer.alloc(32) } }), { name: 'StoreError', code: 'store.wrong_key' });
  await t.rejects(ask({ dir: join(root, 'nowhere') }), { name: 'StoreError', code: 'store.failed' });
});

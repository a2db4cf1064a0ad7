/** Labels of a batch of cards: whatever fails, and whenever, no code is good that nobody holds. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type LabelOptions, openLabels } from '../../cli/flash-labels.ts';
import { printCodes } from '../../cli/print-codes.ts';
import { type CodeDesk, openCodeDesk } from '../../gateway/enrol/give-codes.ts';
import { StoreError } from '../../protocol/errors.ts';
import { systemClock } from '../../protocol/time.ts';
import { VestibuleProcess } from '../support/child.ts';
import { HOUR_MS } from '../support/enrolling.ts';
import { readSheet } from '../support/read-sheet.ts';

const { run } = VestibuleProcess;

async function setUp(t: Test) {
  const dir = t.testdir();
  const data = join(dir, 'data');
  // Its first start says where kiosks reach it.
  const gateway = new VestibuleProcess(['gateway', 'run', '--data', data, '--tls-port', '0', '--tcp-port', '0', '--web-port', '0']);
  await gateway.line((line) => line.startsWith('gateway ready'));
  await gateway.end('SIGTERM');
  await run(['venue', 'add', '--name', 'Library', '--data', data]);
  const options: LabelOptions = { data, labels: join(dir, 'labels.pdf'), venue: 'Library', hours: '24' };
  /** Numbers of the codes that would make a kiosk. */
  const good = async () => {
    const desk = await openCodeDesk(join(data, 'gateway'));
    const open = desk.book.codes().filter(({ withdrawnAtMs }) => withdrawnAtMs === undefined);
    desk.close();
    return open.map(({ number }) => number);
  };
  return { dir, data, options, good };
}

t.test('flash labels: each card has one that is good; where one can not be written, its code is good for nothing', async (t) => {
  const { dir, data, options, good } = await setUp(t);
  const labels = await openLabels(options);
  t.equal(await labels.add(), 1);
  t.equal(await labels.add(), 2);
  labels.close();
  t.equal((await readSheet(readFileSync(join(dir, 'labels.pdf')))).length, 2);
  t.strictSame(await good(), [2, 1]);
  // Its name leaves no room for that of its draft: refused when it is written, as by a full disk, and not before.
  const unfit = await openLabels({ ...options, labels: join(dir, `${'x'.repeat(250)}.pdf`) });
  await t.rejects(unfit.add(), { code: 'store.failed' });
  unfit.close();
  t.strictSame(await good(), [2, 1]);
  t.match(await run(['audit', 'list', '--data', data]), /code\.withdraw 3 not printed/);
});

t.test('flash labels: killed between a code and its label, nobody holds one that is good', async (t) => {
  const { data, good } = await setUp(t);
  const desk = await openCodeDesk(join(data, 'gateway'));
  const [venue] = desk.registry.venues();
  if (venue === undefined) return t.fail('no venue');
  const [code] = desk.give([{ venue: venue.id, role: 'kiosk' }], HOUR_MS, systemClock.wall());
  desk.close();
  t.equal(code?.number, 1);
  t.strictSame(await good(), [], 'all that a kill leaves behind');
});

t.test('flash labels: one that was printed and is good for nothing is named', async (t) => {
  const full = () => {
    throw new StoreError('store.disk_full', 'enrolment.db: the disk is full');
  };
  const desk = { book: { open: full } } as unknown as CodeDesk;
  await t.rejects(
    printCodes(desk, '/nowhere', [{ number: 7 }], async () => 1),
    { code: 'store.disk_full', message: 'enrolment.db: the disk is full; printed and good for nothing: label No. 7' },
  );
});

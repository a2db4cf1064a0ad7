import t from 'tap';
import type { Accounts } from '../../gateway/accounts.ts';
import type { Decided } from '../../gateway/ingest.ts';
import { ACK_BOUNDS_S, Watch } from '../../gateway/watch.ts';
import { Callers, hostsOf } from '../../gateway/web/callers.ts';
import { DiskWatch, diskUse } from '../../gateway/web/disk.ts';
import { readErrorWords } from '../../gateway/web/error-words.ts';
import { Live } from '../../gateway/web/live.ts';
import { LoginGate } from '../../gateway/web/login-gate.ts';
import { p99Of } from '../../gateway/web/view.ts';
import { StoreError } from '../../protocol/errors.ts';
import { type KioskId, newPlaceId } from '../../protocol/ids.ts';
import { downState } from '../../protocol/kiosk-state.ts';
import { report } from '../support/busy-gateway.ts';
import { ManualClock } from '../support/manual-clock.ts';
import fc from '../support/properties.ts';

const DAY_MS = 86_400_000;

const taken = (kiosk: KioskId, rows: number): Decided =>
  ({
    kiosk: { kiosk },
    message: new Uint8Array(100),
    decision: {
      kind: 'taken',
      taken: Array.from({ length: rows }, () => ({})),
      ranges: [{ from: 1, to: rows, outcome: 'accepted' }],
      receivedAtMs: 5,
    },
  }) as unknown as Decided;

t.test('watch: a Will is no word of the kiosk: what it said last was said when it said it', async (t) => {
  const clock = new ManualClock();
  const watch = new Watch(clock);
  const kiosk = newPlaceId<KioskId>();
  watch.said(kiosk, report({ queued: 3 }));
  const saidAtMs = watch.kiosk(kiosk).reportedAtMs;
  await clock.advance(60_000);
  watch.said(kiosk, downState('1'));
  t.match(watch.kiosk(kiosk), { reportedAtMs: saidAtMs, report: { isUp: false, queued: 3 } });
});

t.test('watch: rows are counted by the minute, and an hour later are forgotten', async (t) => {
  const clock = new ManualClock();
  const watch = new Watch(clock);
  const kiosk = newPlaceId<KioskId>();
  watch.decided([taken(kiosk, 3)]);
  await clock.advance(60_000);
  watch.decided([taken(kiosk, 5)]);
  t.strictSame(watch.kiosk(kiosk).rowsPerMinute.slice(-2), [3, 5]);
  t.strictSame(watch.rowsPerMinute().slice(-2), [3, 5]);
  await clock.leap(59 * 60_000);
  t.strictSame(watch.kiosk(kiosk).rowsPerMinute.slice(0, 2), [5, 0]);
  await clock.leap(60_000);
  t.equal(
    watch.rowsPerMinute().reduce((sum, rows) => sum + rows, 0),
    0,
  );
  t.equal(watch.tallies().rows.accepted, 8, 'a counter never goes down');
  t.strictSame(watch.kiosk(newPlaceId<KioskId>()).rowsPerMinute, [], 'of one that never came nothing is told');
});

t.test('watch: however rows and pauses come, the hour holds just those of the last sixty minutes', async (t) => {
  const steps = fc.array(fc.record({ rows: fc.integer({ min: 0, max: 9 }), minutes: fc.integer({ min: 0, max: 90 }) }), { maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(steps, async (list) => {
      const clock = new ManualClock();
      const watch = new Watch(clock);
      const kiosk = newPlaceId<KioskId>();
      const came: { minute: number; rows: number }[] = [];
      let minute = 1;
      for (const { rows, minutes } of list) {
        watch.decided([taken(kiosk, rows)]);
        came.push({ minute, rows });
        minute += minutes;
        await clock.leap(minutes * 60_000);
      }
      const expected = came.filter((one) => one.minute > minute - 60).reduce((sum, { rows }) => sum + rows, 0);
      return watch.rowsPerMinute().reduce((sum, rows) => sum + rows, 0) === expected;
    }),
    { numRuns: 60 },
  );
  t.pass();
});

t.test('watch: a Will leaves what the kiosk said before, but that it is up', async (t) => {
  const watch = new Watch(new ManualClock());
  const kiosk = newPlaceId<KioskId>();
  watch.said(kiosk, report({ queued: 7 }));
  watch.said(kiosk, report({ isUp: false, state: 'down', queued: 0, devices: [] }));
  t.match(watch.kiosk(kiosk).report, { isUp: false, state: 'down', queued: 7, devices: [{ name: 'scanner' }, {}] });
});

t.test('watch: of a Will that is all there is, no count is believed', (t) => {
  const watch = new Watch(new ManualClock());
  const kiosk = newPlaceId<KioskId>();
  watch.said(kiosk, { ...downState('1'), queued: 0 });
  t.equal(watch.kiosk(kiosk).report?.queued, undefined);
  t.match(watch.kiosk(kiosk).report, { isUp: false, state: 'down' });
  t.end();
});

t.test('watch: what is acknowledged is measured, what is cut off is not', async (t) => {
  const clock = new ManualClock();
  const watch = new Watch(clock);
  const [slow, cut] = [Promise.withResolvers<'acknowledge'>(), Promise.withResolvers<'cut-off'>()];
  const answers = [watch.timed(slow.promise), watch.timed(cut.promise)];
  await clock.advance(300);
  slow.resolve('acknowledge');
  cut.resolve('cut-off');
  await Promise.all(answers);
  const { ack } = watch.tallies();
  t.equal(ack.counts[ACK_BOUNDS_S.indexOf(0.5)], 1);
  t.equal(
    ack.counts.reduce((sum, count) => sum + count, 0),
    1,
  );
  t.equal(ack.sumS, 0.3);
  t.equal(p99Of(ack), 0.5);
  t.equal(p99Of({ counts: [], sumS: 0 }), undefined);
});

t.test('disk: days left follow from what was written down, and nothing is said before an hour', async (t) => {
  const nowMs = 2 * DAY_MS;
  const GIB = 2 ** 30;
  t.match(diskUse(GIB, 5 * GIB, [{ atMs: nowMs - 60_000, bytes: 4 * GIB }], nowMs), { daysLeft: undefined, growthBytesPerDay: undefined });
  t.match(diskUse(10 * GIB, 5 * GIB, [{ atMs: nowMs - DAY_MS, bytes: 4 * GIB }], nowMs), { daysLeft: 10, growthBytesPerDay: GIB });
  t.match(diskUse(10 * GIB, 3 * GIB, [{ atMs: nowMs - DAY_MS, bytes: 4 * GIB }], nowMs), { daysLeft: undefined, growthBytesPerDay: -GIB });
  t.match(diskUse(10 * GIB, 4 * GIB + 1, [{ atMs: nowMs - DAY_MS, bytes: 4 * GIB }], nowMs), { daysLeft: 999 });
  t.match(diskUse(GIB, GIB, [], nowMs), { daysLeft: undefined });
});

t.test('login gate: waits double up to a quarter of an hour, for that address and account alone', async (t) => {
  const clock = new ManualClock();
  const gate = new LoginGate(clock);
  const waits: number[] = [];
  for (let n = 0; n < 16; n++) {
    gate.begin('10.0.0.1', 'ann');
    waits.push(gate.waitMs('10.0.0.1', 'ann') / 1_000);
  }
  t.strictSame(waits, [0, 0, 0, 0, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]);
  t.equal(gate.waitMs('10.0.0.1', 'bob'), 0);
  t.equal(gate.waitMs('10.0.0.2', 'ann'), 0, 'who knows the password is not shut out');
  for (let n = 0; n < 14; n++) gate.begin('10.0.0.1', `guess${n}`);
  t.ok(gate.waitMs('10.0.0.1', 'bob') > 0, 'an address has a budget over all accounts');
  gate.begin('10.0.0.1', 'bob');
  gate.succeeded('10.0.0.1', 'bob');
  t.ok(gate.waitMs('10.0.0.1', 'bob') > 0, 'one known password is no way around it');
  await clock.leap(15 * 60_000 + 1);
  t.equal(gate.waitMs('10.0.0.1', 'bob'), 0);
});

t.test('disk watch: a full disk, on which no sample can be kept, is told as it is', async (t) => {
  const clock = new ManualClock();
  let isFull = true;
  const sampled: number[] = [];
  const sampleDisk: Accounts['sampleDisk'] = (bytes, atMs) => {
    if (isFull) throw new StoreError('store.disk_full', 'accounts: made to fail');
    sampled.push(bytes);
    return [{ atMs, bytes }];
  };
  const watch = new DiskWatch(t.testdir({ file: 'twelve bytes' }), { sampleDisk } as Accounts, clock);
  t.match(watch.use(), { usedBytes: 12, daysLeft: undefined });
  t.ok(watch.use().freeBytes > 0);
  isFull = false;
  await clock.advance(10_000);
  watch.use();
  t.strictSame(sampled, [12], 'tried again at the next look');
});

t.test('live: a page that can not be told anything is told nothing, and is none of those that watch', (t) => {
  const live = new Live(() => {
    throw new StoreError('store.busy', 'registry: made to fail');
  });
  const said: unknown[] = [];
  const response = { writeHead: (status: number) => said.push(status), write: (text: string) => said.push(text) };
  t.throws(() => live.add({ response: response as never, name: 'ann', isWelcome: () => true }), { code: 'store.busy' });
  t.strictSame(said, []);
  t.equal(live.watchers, 0);
  t.end();
});

t.test('callers: a browser names no port where it is its scheme’s own, and writes every name in lower case', (t) => {
  t.strictSame(hostsOf(['Gateway.Example', '::1'], 8_443, true), ['gateway.example:8443', '[::1]:8443']);
  t.strictSame(hostsOf(['gateway.example'], 443, true), ['gateway.example:443', 'gateway.example']);
  t.strictSame(hostsOf(['localhost'], 80, false), ['localhost:80', 'localhost']);
  t.strictSame(hostsOf(['localhost'], 443, false), ['localhost:443']);
  const hosts = () => hostsOf(['Gateway.Example'], 443, true);
  const callers = new Callers({
    accounts: {} as Accounts,
    clock: new ManualClock(),
    isSecure: true,
    hosts,
    port: () => 443,
    controlToken: 'x'.repeat(43),
  });
  t.match(
    callers.cookie('x'),
    /^__Host-vestibule-443=x; Path=\/; HttpOnly; SameSite=Strict; Secure$/,
    'a gateway on another port has another',
  );
  const from = (host: string, origin: string) => callers.isFromHere('POST', '/api/1/session', { host, origin });
  t.ok(from('gateway.example', 'https://gateway.example'));
  t.ok(from('Gateway.Example:443', 'https://gateway.example'), 'a program writes it as it was given');
  t.notOk(from('gateway.example', 'https://elsewhere.example'));
  t.notOk(from('elsewhere.example', 'https://gateway.example'));
  t.end();
});

t.test('error words: a code has the words of its heading, and one that is unknown stands for itself', async (t) => {
  const words = readErrorWords();
  t.match(words('store.disk_full'), { code: 'store.disk_full', meaning: /^[A-Z].*\.$/, advice: /\w/ });
  t.notMatch(JSON.stringify(words('seal.unknown_recipient')), /[`*]/);
  t.strictSame(words('newer.code'), { code: 'newer.code', meaning: 'newer.code', advice: '' });
  t.strictSame(readErrorWords(new URL('file:///nowhere/errors.md'))('store.failed').meaning, 'store.failed');
});

/** What is refused before anything is unpacked, and what a start means for a release on trial. The whole way: test/journey/update.test.ts. */
import { appendFileSync, chmodSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Delivery } from '../../../kiosk/test-event.ts';
import { askFor } from '../../../kiosk/update/media.ts';
import { otherSlot, type Slots } from '../../../kiosk/update/slots.ts';
import type { UpdateStanding } from '../../../kiosk/update/standing.ts';
import { judgeStart } from '../../../kiosk/update/trial.ts';
import type { Trial } from '../../../kiosk/update/update-state.ts';
import { Updater } from '../../../kiosk/update/updater.ts';
import { WordKeeper } from '../../../kiosk/update/word-keeper.ts';
import { generateSigningKey, rawPublicKey } from '../../../protocol/ed25519.ts';
import { LinkError, StoreError } from '../../../protocol/errors.ts';
import type { DeploymentId, KioskId } from '../../../protocol/ids.ts';
import { silentLog } from '../../../protocol/log.ts';
import { type Clock, systemClock } from '../../../protocol/time.ts';
import { becomeNobody, reachableDirectory } from '../../support/as-nobody.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import fc from '../../support/properties.ts';
import { BOARD, bundleOf, releaseKey } from '../../support/slot-machine.ts';
import { until, untilSome } from '../../support/until.ts';

/** Slots that remember what was asked of them. */
function slotsOf(asked: string[], held = new Map<string, Uint8Array>()): Slots {
  const note = async (what: string): Promise<void> => void asked.push(what);
  return {
    running: () => 'a',
    lasting: () => 'a',
    tryOther: () => note('tryOther'),
    keep: () => note('keep'),
    leave: () => note('leave'),
    begin: () => note('begin'),
    write: async (part, offset, bytes) => {
      held.set(`${part} ${offset}`, bytes);
      await note('write');
    },
    sync: () => note('sync'),
    read: async (part, offset) => held.get(`${part} ${offset}`) ?? new Uint8Array(),
    seal: () => note('seal'),
  };
}

interface Changed {
  readonly clock?: Clock;
  readonly deliver?: () => Promise<Delivery>;
  readonly isOnline?: () => boolean;
}

/** @returns the first that is said of a release whose fate is known, and what was asked of the slots. */
async function standingOf(
  t: Test,
  dir: string,
  slots: Slots,
  isIt: (standing: UpdateStanding) => boolean,
  { clock = systemClock, deliver = () => Promise.resolve({ outcome: 'delivered', tookMs: 1 }), isOnline = () => false }: Changed = {},
): Promise<UpdateStanding> {
  let said: UpdateStanding | undefined;
  const stopping = new AbortController();
  const updater = new Updater({
    dir,
    slots,
    board: BOARD,
    keys: [rawPublicKey(releaseKey)],
    version: [1, 4, 0],
    boot: 'b007',
    limits: { quietMs: 0, trialMs: 1_000, bytesPerSecond: 1_000_000, media: [join(dir, 'media')] },
    word: new WordKeeper({
      deployment: 'd3p10ym3nt000001' as DeploymentId,
      kiosk: 'k10sk00000000001' as KioskId,
      receiptKey: rawPublicKey(releaseKey),
      clock: systemClock,
      log: silentLog,
      mayJudgeTime: () => true,
    }),
    fetch: () => Promise.reject(new LinkError('link.refused', 'no gateway here')),
    isOnline,
    queued: () => 0,
    served: () => 0,
    deliver,
    clock,
    log: silentLog,
    onStanding: (standing) => {
      said = standing;
    },
  });
  const running = updater.run(stopping.signal);
  t.teardown(async () => {
    stopping.abort();
    await running;
  });
  return await untilSome(() => (said !== undefined && isIt(said) ? said : undefined));
}

const REFUSED: readonly [name: string, code: string, make: (path: string) => Promise<unknown>][] = [
  ['of another key', 'release.unknown_key', (path) => bundleOf(path, { version: '1.5.0' }, { key: generateSigningKey() })],
  ['with a bad signature', 'seal.signature', (path) => bundleOf(path, { version: '1.5.0' }).then(() => flip(path, 200))],
  ['of the version that runs', 'release.older', (path) => bundleOf(path, { version: '1.4.0' })],
  ['of an earlier version', 'release.older', (path) => bundleOf(path, { version: '1.3.9' })],
  ['for another board', 'release.wrong_board', (path) => bundleOf(path, { version: '1.5.0' }, { board: 'other' })],
  [
    'newer than the gateway can hear',
    'release.wire_new',
    (path) => bundleOf(path, { version: '1.5.0' }, { wire: { least: 2, greatest: 3 } }),
  ],
  [
    'that is cut by a byte',
    'release.truncated',
    (path) => bundleOf(path, { version: '1.5.0' }).then(({ lengthBytes }) => truncateSync(path, lengthBytes - 1)),
  ],
  ['that is cut within its head', 'release.truncated', (path) => bundleOf(path, { version: '1.5.0' }).then(() => truncateSync(path, 100))],
  ['that is cut to nothing', 'release.truncated', (path) => bundleOf(path, { version: '1.5.0' }).then(() => truncateSync(path, 0))],
  ['with bytes after its end', 'decode.malformed', (path) => bundleOf(path, { version: '1.5.0' }).then(() => appendFileSync(path, 'x'))],
  ['that is none', 'decode.malformed', async (path) => writeFileSync(path, 'a holiday picture, and no release')],
];

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at]! ^= 1;
  writeFileSync(path, bytes);
}

for (const [name, code, make] of REFUSED) {
  t.test(`updater: a bundle ${name} is refused as ${code}, before anything of it is unpacked`, async (t) => {
    const dir = t.testdir({ media: {} });
    const path = join(dir, 'asked.vrelease');
    await make(path);
    askFor(dir, path);
    const asked: string[] = [];
    const standing = await standingOf(t, dir, slotsOf(asked), ({ phase }) => phase === 'refused');
    t.equal(standing.why, code);
    t.strictSame(asked, [], 'no slot was touched');
  });
}

t.test('updater: a bundle whose chunk was altered is refused at that chunk', async (t) => {
  const dir = t.testdir({ media: {} });
  const path = join(dir, 'media', 'stick', 'next.vrelease');
  mkdirSync(join(dir, 'media', 'stick'));
  const { lengthBytes } = await bundleOf(path, { version: '1.5.0' });
  flip(path, lengthBytes - 5);
  const asked: string[] = [];
  const standing = await standingOf(t, dir, slotsOf(asked), ({ phase }) => phase === 'refused');
  t.equal(standing.why, 'release.altered');
  t.notOk(asked.includes('seal'));
});

t.test('updater: one that was kept here is not taken again, also where its software says an earlier version than the bundle', async (t) => {
  const dir = t.testdir({ media: {} });
  const path = join(dir, 'asked.vrelease');
  const { digest } = await bundleOf(path, { version: '1.5.0' });
  const last = { digest: Buffer.from(digest).toString('hex'), version: '1.5.0', outcome: 'kept' };
  writeFileSync(join(dir, 'update.json'), JSON.stringify({ last, failed: [] }));
  askFor(dir, path);
  const asked: string[] = [];
  const standing = await standingOf(t, dir, slotsOf(asked), ({ phase }) => phase !== 'kept');
  t.match(standing, { phase: 'refused', why: 'release.older' });
  t.strictSame(asked, []);
});

t.test('updater: one that is refused is told also where another lies half taken, or ready, that nobody offers any more', async (t) => {
  for (const phase of ['taking', 'ready']) {
    const dir = t.testdir({ media: {} });
    const path = join(dir, 'asked.vrelease');
    await bundleOf(path, { version: '1.5.0' }, { key: generateSigningKey() });
    const release = { digest: 'f'.repeat(64), version: '1.4.9', from: 'gateway', to: 'b' };
    const work = { phase, ...release, ...(phase === 'taking' ? { chunks: 3 } : { tries: 0 }) };
    writeFileSync(join(dir, 'update.json'), JSON.stringify({ work, failed: [] }));
    askFor(dir, path);
    const standing = await standingOf(t, dir, slotsOf([]), ({ version }) => version !== '1.4.9');
    t.match(standing, { phase: 'refused', why: 'release.unknown_key' }, phase);
  }
});

t.test('updater: a card that keeps something else than it was given is found before the slot is sealed', async (t) => {
  const dir = t.testdir({ media: {} });
  await bundleOf(join(dir, 'media', 'next.vrelease'), { version: '1.5.0' });
  const asked: string[] = [];
  const worn: Slots = { ...slotsOf(asked), read: async (_part, _offset, lengthBytes) => new Uint8Array(lengthBytes) };
  const standing = await standingOf(t, dir, worn, ({ phase }) => phase === 'refused');
  t.equal(standing.why, 'release.altered');
  t.notOk(asked.includes('seal'));
});

t.test('updater: one from a stick is taken, sealed and tried', async (t) => {
  const dir = t.testdir({ media: {} });
  await bundleOf(join(dir, 'media', 'next.vrelease'), { version: '1.5.0' });
  const asked: string[] = [];
  const standing = await standingOf(t, dir, slotsOf(asked), ({ phase }) => phase === 'trying');
  t.match(standing, { version: '1.5.0' });
  await untilSome(() => (asked.includes('tryOther') ? true : undefined));
  t.strictSame([...new Set(asked)], ['begin', 'write', 'sync', 'seal', 'tryOther']);
});

t.test('updater: a stick full of releases from before and of junk does not keep a newer one waiting', async (t) => {
  const dir = t.testdir({ media: { a: {}, b: {} } });
  for (let at = 0; at < 10; at++) await bundleOf(join(dir, 'media', 'a', `old-${at}.vrelease`), { version: `1.3.${at}` });
  for (let at = 0; at < 10; at++) writeFileSync(join(dir, 'media', 'a', `junk-${at}.vrelease`), 'junk');
  await bundleOf(join(dir, 'media', 'b', 'next.vrelease'), { version: '1.5.0' });
  const clock = new SleptClock();
  let beginsAtMs = Number.NaN;
  const began = Promise.withResolvers<void>();
  const slots: Slots = {
    ...slotsOf([]),
    begin: async () => {
      beginsAtMs = clock.monotonic();
      began.resolve();
    },
  };
  const beganMs = clock.monotonic();
  void standingOf(t, dir, slots, () => true, { clock });
  await began.promise;
  t.ok(beginsAtMs - beganMs <= 60_000, `${beginsAtMs - beganMs} ms`);
});

t.test('updater: one that can not be read, such as one that was named and is of another user, keeps no other one waiting', async (t) => {
  const dir = reachableDirectory(t);
  mkdirSync(join(dir, 'media'));
  await bundleOf(join(dir, 'media', 'next.vrelease'), { version: '1.5.0' });
  const path = join(dir, 'asked.vrelease');
  await bundleOf(path, { version: '1.6.0' });
  askFor(dir, path);
  chmodSync(path, 0);
  becomeNobody(dir, 'asked.vrelease');
  const standing = await standingOf(t, dir, slotsOf([]), ({ phase }) => phase === 'trying');
  t.match(standing, { version: '1.5.0' });
});

/** Moves by what is slept, and by nothing else. */
class SleptClock extends ManualClock {
  override readonly sleep = async (ms: number): Promise<void> => await this.advance(ms);
}

/** Moves time on, 5 s at a look, until it is so; what the disk does meanwhile takes its own time. */
async function passing(clock: ManualClock, isSo: () => boolean): Promise<void> {
  let isThere = false;
  const moving = (async () => {
    while (!isThere) await clock.advance(5_000);
  })();
  try {
    await until(isSo);
  } finally {
    isThere = true;
    await moving;
  }
}

t.test('updater: a machine that could not be asked to start from the other slot, or did not hear it, is asked again', async (t) => {
  const dir = t.testdir({ media: {} });
  await bundleOf(join(dir, 'media', 'next.vrelease'), { version: '1.5.0' });
  const asked: string[] = [];
  const clock = new ManualClock();
  const slots: Slots = {
    ...slotsOf(asked),
    tryOther: async () => {
      asked.push('tryOther');
      if (asked.filter((what) => what === 'tryOther').length < 3) throw new StoreError('store.disk_full', 'slots once: ENOSPC');
    },
  };
  const failing = standingOf(t, dir, slots, ({ phase }) => phase === 'failed', { clock });
  await passing(clock, () => asked.filter((what) => what === 'tryOther').length === 4);
  await passing(clock, () => readFileSync(join(dir, 'update.json'), 'utf8').includes('release.not_started'));
  t.match(await failing, { version: '1.5.0', why: 'release.not_started' }, 'twice unheard; what could not be asked is not counted');
  t.equal(asked.filter((what) => what === 'tryOther').length, 4);
});

t.test(
  'updater: from a trial that did not hold the machine is asked back until it goes, and nothing is written to where it goes',
  async (t) => {
    const dir = t.testdir({ media: {} });
    await bundleOf(join(dir, 'media', 'later.vrelease'), { version: '1.6.0' });
    writeFileSync(join(dir, 'update.json'), JSON.stringify({ work: { ...trial, from: 'medium' }, failed: [] }));
    const asked: string[] = [];
    const clock = new ManualClock();
    const slots: Slots = {
      ...slotsOf(asked),
      running: () => 'b',
      leave: async () => {
        asked.push('leave');
        if (asked.length === 1) throw new StoreError('store.disk_full', 'slot-wish: ENOSPC');
      },
    };
    const deliver = async (): Promise<Delivery> => ({ outcome: 'refused', why: 'store.disk_full' });
    const failing = standingOf(t, dir, slots, ({ phase }) => phase === 'failed', { clock, deliver });
    await passing(clock, () => asked.length >= 3);
    t.match(await failing, { version: '1.5.0', why: 'release.not_healthy' });
    t.strictSame([...new Set(asked)], ['leave']);
  },
);

t.test('updater: a trial during which no gateway was reached condemns nothing: it is tried once more, when one is', async (t) => {
  const dir = t.testdir({ media: {} });
  writeFileSync(join(dir, 'update.json'), JSON.stringify({ work: { ...trial, from: 'medium' }, failed: [] }));
  const memory = () => JSON.parse(readFileSync(join(dir, 'update.json'), 'utf8'));
  const waiting = async (): Promise<Delivery> => ({ outcome: 'waiting', why: 'link.refused' });
  const [asked, clock] = [[] as string[], new ManualClock()];
  const onTrial = { ...slotsOf(asked), running: () => 'b' as const };
  void standingOf(t, dir, onTrial, () => true, { clock, deliver: waiting });
  await passing(clock, () => asked.includes('leave'));
  t.match(memory(), { work: { phase: 'trial', tries: 1, lacked: 'link' }, failed: [] });

  // Back in the slot from before, without a gateway, then with one.
  let isOnline = false;
  const [later, after] = [[] as string[], new ManualClock()];
  void standingOf(t, dir, slotsOf(later), () => true, { clock: after, isOnline: () => isOnline });
  await passing(after, () => memory().work?.phase === 'ready');
  await after.advance(3_600_000);
  t.strictSame(later, [], 'there is no gateway to show it with');
  isOnline = true;
  await passing(after, () => later.includes('tryOther'));
  t.match(memory(), { work: { phase: 'trial', tries: 2, wasOnline: true } });
});

const trial: Trial = { phase: 'trial', digest: '0'.repeat(64), version: '1.5.0', from: 'gateway', to: 'b', tries: 1, wasOnline: true };
const heard = { boot: 'b007', atMs: 5_000 };
const start = { running: 'b', lasting: 'a', boot: 'b007', atMs: 9_000 } as const;

t.test('trial: what a start means', async (t) => {
  t.strictSame(judgeStart(undefined, start), { is: 'quiet', work: undefined });
  t.match(judgeStart(trial, start), { is: 'on-trial', sinceMs: 9_000, trial: { heard: { boot: 'b007', atMs: 9_000 } } });
  t.match(judgeStart({ ...trial, heard }, start), { is: 'on-trial', sinceMs: 5_000 }, 'a process that dies on trial gets no more time');
  t.match(judgeStart({ ...trial, heard: { boot: 'other', atMs: 1 } }, start), { is: 'on-trial', sinceMs: 9_000 });
  t.match(judgeStart(trial, { ...start, lasting: 'b' }), { is: 'kept' }, 'cut after it was kept, before that was noted');
  const back = { ...start, running: 'a' } as const;
  t.match(judgeStart(trial, back), { is: 'quiet', work: { phase: 'ready', tries: 1 } }, 'cut before it began, or in the middle: once more');
  t.match(judgeStart({ ...trial, tries: 2 }, back), { is: 'failed', why: 'release.not_started' });
  t.match(judgeStart({ ...trial, tries: 2, heard }, back), { is: 'failed', why: 'release.not_healthy' });
  const { tries: _tries, wasOnline: _online, ...rest } = trial;
  const taking = { ...rest, phase: 'taking', chunks: 7 } as const;
  t.match(judgeStart(taking, start), { is: 'quiet', work: undefined }, 'the slot that runs is never written to');
  t.strictSame(judgeStart(taking, back), { is: 'quiet', work: taking });
});

t.test('trial: whatever is cut when, a release is tried twice at most, and one that is kept or failed stays so', async () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('cut before the start', 'cut on trial', 'kept'), { maxLength: 6 }), (story) => {
      let [work, lasting, tries] = [{ ...trial, tries: 1 } as Trial, 'a' as 'a' | 'b', 1];
      for (const chapter of story) {
        if (chapter === 'kept') lasting = 'b';
        const running = chapter === 'cut before the start' ? lasting : ('b' as const);
        const verdict = judgeStart(work, { ...start, running, lasting });
        if (verdict.is === 'kept') return lasting === 'b';
        if (verdict.is === 'failed') return tries === 2;
        if (verdict.is === 'on-trial') {
          // Cut on trial: the loader goes back to the lasting slot.
          const after = judgeStart(verdict.trial, { ...start, running: otherSlot('b') });
          if (after.is === 'failed') return tries === 2;
        }
        tries += 1;
        work = { ...work, tries };
        if (tries > 2) return true;
      }
      return tries <= 2;
    }),
  );
});

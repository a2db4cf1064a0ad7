import { randomBytes } from 'node:crypto';
import t from 'tap';
import { NoticeFeed } from '../../../core/notice/notice-feed.ts';
import { NoticeDesk } from '../../../gateway/notice/notice-desk.ts';
import { generateSigningKey, publicKeyFromRaw, rawPublicKey } from '../../../protocol/ed25519.ts';
import type { Role } from '../../../protocol/enrol.ts';
import { SinkError } from '../../../protocol/errors.ts';
import { type DeploymentId, type KioskId, newPlaceId, type VisitorUuid } from '../../../protocol/ids.ts';
import type { KioskStateReport } from '../../../protocol/kiosk-state.ts';
import { silentLog } from '../../../protocol/log.ts';
import { endStep, NoticeFilter, noticeDigestOf, openNotice } from '../../../protocol/notice.ts';
import { StickerFilter, stickerDigestOf, stickerEnd, type ToldSticker } from '../../../protocol/sticker-mark.ts';
import { systemClock } from '../../../protocol/time.ts';
import { parseTopic } from '../../../protocol/topics.ts';
import type { EpochMillis } from '../../../protocol/units.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const DAY = 86_400_000;
const newCard = () => new Uint8Array(randomBytes(16)) as VisitorUuid;

function opened(clock: ManualClock | typeof systemClock = new ManualClock(), kioskCount = 2) {
  const key = generateSigningKey();
  const deployment = newPlaceId<DeploymentId>();
  const kiosks: { kiosk: KioskId; role: Role; revokedAtMs: EpochMillis | undefined }[] = Array.from({ length: kioskCount }, () => ({
    kiosk: newPlaceId<KioskId>(),
    role: 'kiosk',
    revokedAtMs: undefined,
  }));
  const feed = new NoticeFeed(clock);
  const stickers = new NoticeFeed<ToldSticker>(clock, (one, other) => one.standing === other.standing);
  const published: { kiosk: KioskId; bytes: Uint8Array }[] = [];
  let revision = 1;
  let isFailing = false;
  const desk = new NoticeDesk({
    sources: new Map([
      [
        'core',
        {
          noticeNews: (...asked: Parameters<NoticeFeed['news']>) =>
            isFailing ? Promise.reject(new SinkError('sink.not_reached', 'made to fail')) : feed.news(...asked),
          stickerNews: (...asked: Parameters<NoticeFeed['news']>) =>
            isFailing ? Promise.reject(new SinkError('sink.not_reached', 'made to fail')) : stickers.news(...asked),
        },
      ],
    ]),
    registry: { revision: () => revision, kiosks: () => kiosks },
    deployment,
    receiptKey: key,
    publish: (topic, bytes) => {
      published.push({ kiosk: parseTopic(topic)!.kiosk, bytes });
      return Promise.resolve();
    },
    clock,
    log: silentLog,
    onBug: (error) => t.fail(String(error)),
  });
  const stopping = new AbortController();
  const set = (cards: readonly VisitorUuid[], endsAtMs = clock.wall() + 14 * DAY) =>
    feed.set(cards.map((card) => ({ digest: noticeDigestOf(card), endsAtMs: endStep(endsAtMs) })));
  const read = ({ kiosk, bytes }: { kiosk: KioskId; bytes: Uint8Array }) =>
    openNotice(bytes, { deployment, kiosk, publicKey: publicKeyFromRaw(rawPublicKey(key)) });
  return {
    desk,
    stickers,
    kiosks,
    published,
    set,
    read,
    running: desk.run(stopping.signal),
    change: () => {
      revision += 1;
    },
    fail: (failing: boolean) => {
      isFailing = failing;
    },
    stop: () => stopping.abort(),
  };
}

t.test('notice desk: each kiosk gets a document of its own when something has changed, and none when nothing has', async (t) => {
  const clock = new ManualClock();
  const { desk, kiosks, published, set, read, change, running, stop } = opened(clock);
  const card = newCard();
  await clock.advance(2_000);
  t.equal(published.length, 2, 'that there is nobody is told, too: a kiosk may hold a document of before');
  set([card]);
  await clock.advance(1_000);
  t.equal(published.length, 4);
  const [one, other] = published.slice(2).map(read);
  for (const document of [one!, other!]) t.equal(new NoticeFilter(document).endOf(card), endStep(clock.wall() + 14 * DAY));
  t.notSame(one!.key, other!.key);
  t.notSame(one!.groups[0]!.marks, other!.groups[0]!.marks);
  t.ok(one!.version > read(published[0]!).version);
  set([card], clock.wall() + 14 * DAY);
  await clock.advance(10_000);
  t.equal(published.length, 4, 'the same again');
  t.match(desk.summary(), { unheard: {}, cards: 1, leftOut: 0, kiosks: 2, told: 2 });

  kiosks.push({ kiosk: newPlaceId<KioskId>(), role: 'kiosk', revokedAtMs: undefined });
  kiosks[0]!.revokedAtMs = clock.wall();
  change();
  await clock.advance(2_000);
  t.equal(published.length, 6);
  t.equal(published.filter(({ bytes }) => bytes.length === 0).length, 1, 'the revoked one’s is taken away');
  set([]);
  await clock.advance(1_000);
  t.strictSame(
    published.slice(6).map((told) => read(told).groups),
    [[], []],
  );
  stop();
  await running;
});

t.test('notice desk: a kiosk that says, while others are told, that it holds a later version is told a later one yet', async (t) => {
  const clock = new ManualClock();
  const { desk, kiosks, published, set, read, running, stop } = opened(clock, 40);
  await clock.advance(2_000);
  const [first] = kiosks;
  set([newCard()]);
  while (published.length < 44) await clock.advance(1);
  t.ok(published.length < 80, 'others wait still');
  const ahead = read(published.findLast(({ kiosk }) => kiosk === first!.kiosk)!).version + 1_000;
  desk.heard(first!.kiosk, { isUp: true, notices: { version: ahead } } as KioskStateReport);
  await clock.advance(10_000);
  t.ok(read(published.findLast(({ kiosk }) => kiosk === first!.kiosk)!).version > ahead);
  stop();
  await running;
});

t.test(
  'notice desk: a core that can not be heard takes nothing away, and is a state; documents are renewed before their end',
  async (t) => {
    const clock = new ManualClock();
    const { desk, published, set, fail, running, stop } = opened(clock);
    set([newCard()]);
    await clock.advance(2_000);
    t.equal(published.length, 2);
    fail(true);
    await clock.advance(60_000);
    t.match(desk.summary(), { unheard: { core: 'sink.not_reached' }, cards: 1 });
    t.equal(published.length, 2);
    fail(false);
    await clock.advance(31_000);
    t.match(desk.summary(), { unheard: {}, cards: 1 });
    t.equal(published.length, 2);
    await clock.leap(7 * DAY + 60_000);
    await clock.advance(2_000);
    t.equal(published.length, 4, 'signed anew when a week is left');
    stop();
    await running;
  },
);

t.test('notice desk: a kiosk that says a later version than it was sent is sent one above that', async (t) => {
  const clock = new ManualClock();
  const { desk, kiosks, published, read, running, stop } = opened(clock, 1);
  await clock.advance(2_000);
  const { version } = read(published[0]!);
  const state: KioskStateReport = { isUp: true, state: 'up', queued: 0, clock: 'synced', devices: [], version: '1' };
  desk.heard(kiosks[0]!.kiosk, { ...state, notices: { version: version + 500 } });
  await clock.advance(2_000);
  t.equal(read(published.at(-1)!).version, version + 501);
  stop();
  await running;
});

t.test('notice desk: a few documents at a time, between which there is time for a PUBACK', async (t) => {
  const clock = new ManualClock();
  const { published, running, stop } = opened(clock, 20);
  await clock.advance(250);
  const first = published.length;
  t.ok(first > 0 && first < 10, `${first} at once`);
  for (let told = first; told < 20; told = published.length) {
    await clock.advance(5);
    t.equal(published.length - told, first);
  }
  stop();
  await running;
});

t.test('notice desk: 50 kiosks are told of 10,000 cards while others have their turn', async (t) => {
  const { published, set, running, stop } = opened(systemClock, 50);
  set(Array.from({ length: 10_000 }, newCard));
  const sinceMs = performance.now();
  let worstMs = 0;
  let lastMs = sinceMs;
  while (published.length < 50) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    worstMs = Math.max(worstMs, performance.now() - lastMs);
    lastMs = performance.now();
  }
  t.comment(
    `${Math.round(lastMs - sinceMs)} ms in all, ${Math.round(worstMs)} ms at a time at most, ${published[0]!.bytes.length} bytes each`,
  );
  t.equal(new Set(published.map(({ kiosk }) => kiosk)).size, 50);
  stop();
  await running;
});

t.test('notice desk: a clinic’s desk is told of stickers, no other kiosk, and not with each test anew', async (t) => {
  const clock = new ManualClock();
  const { kiosks, stickers, published, read, running, stop } = opened(clock);
  kiosks[1]!.role = 'clinic';
  const sticker = new Uint8Array(randomBytes(16));
  const told = (standing: ToldSticker['standing'], of = sticker): ToldSticker => ({
    digest: stickerDigestOf(of),
    standing,
    endsAtMs: (standing === 'linked' ? stickerEnd(clock.wall() + DAY) : 0) as EpochMillis,
  });
  const standing = () => {
    const last = published.findLast(({ kiosk }) => kiosk === kiosks[1]!.kiosk);
    const { key, stickers } = read(last!);
    return new StickerFilter(key, stickers!).standing(sticker, clock.wall());
  };
  await clock.advance(2_000);
  t.equal(published.length, 2);
  t.equal(standing(), 'free');
  stickers.set([told('linked')]);
  await clock.advance(3_000);
  t.equal(published.length, 3, 'the desk alone');
  t.equal(standing(), 'linked');
  for (let at = 0; at < 10; at++) {
    stickers.change([told('linked', new Uint8Array(randomBytes(16)))], []);
    await clock.advance(100);
  }
  stickers.change([told('void')], []);
  await clock.advance(4_000);
  t.ok(published.length <= 6, `${published.length - 3} documents for eleven tests`);
  t.equal(standing(), 'void');
  t.notOk(read(published.find(({ kiosk }) => kiosk === kiosks[0]!.kiosk)!).stickers);
  stop();
  await running;
});

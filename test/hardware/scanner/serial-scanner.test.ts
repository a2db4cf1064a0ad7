import t from 'tap';
import { GAP_MS } from '../../../hardware/scanner/gap-framer.ts';
import { LONGEST_SYMBOL_BYTES, type Scan } from '../../../hardware/scanner/scan.ts';
import { readScans, type ScannerSettings } from '../../../hardware/scanner/serial-scanner.ts';
import { FakeLink } from '../../support/fake-link.ts';
import { ManualClock } from '../../support/manual-clock.ts';

function setUp(part: Partial<ScannerSettings> = {}) {
  const clock = new ManualClock();
  const link = new FakeLink();
  const stop = new AbortController();
  const refused: string[] = [];
  const scans = readScans(
    link,
    { device: 'scanner', clock, onRefused: (why, lengthBytes) => refused.push(`${why} ${lengthBytes}`), ...part },
    stop.signal,
  );
  return { clock, link, stop, refused, scans };
}

const next = async (scans: AsyncGenerator<Scan, void>): Promise<Scan | undefined> => (await scans.next()).value ?? undefined;

t.test('scanner: a scan carries its text, the device, and when its last byte came', async (t) => {
  const { clock, link, scans } = setUp();
  const scan = next(scans);
  link.feed('VCBB');
  await clock.advance(40);
  link.feed('DD\r');
  const wallMs = clock.wall();
  t.strictSame(await scan, { text: 'VCBBDD', device: 'scanner', scannedAt: { wallMs, monotonicMs: clock.monotonic() } });
  await scans.return();
});

t.test('scanner: the symbology identifier that some scanners send is not text', async (t) => {
  const { link, scans } = setUp();
  link.feed(']Q1VC\r]Q0VCB\n]C0VN\rQ1VC\r]q\t');
  const texts = [];
  for (let count = 0; count < 5; count++) texts.push((await next(scans))?.text);
  t.strictSame(texts, ['VC', 'VCB', 'VN', 'Q1VC', ']q']);
  await scans.return();
});

t.test('scanner: bytes that are no scan are refused with a reason and a length, and the next scan is read', async (t) => {
  const { clock, link, refused, scans } = setUp();
  const scan = next(scans);
  link.feed(`${'F'.repeat(LONGEST_SYMBOL_BYTES + 100)}\rVC\x1dB\r\r\n]Q1\rVCGOOD\r`);
  t.equal((await scan)?.text, 'VCGOOD');
  t.strictSame(refused, [`overlong ${LONGEST_SYMBOL_BYTES + 1}`, 'unprintable 3', 'empty 3']);
  const ended = next(scans);
  link.feed('VCHALF');
  await clock.advance(10);
  link.unplug();
  await t.rejects(ended, { code: 'device.gone' });
  t.equal(refused.at(-1), 'cut 6');
});

t.test('scanner: silence ends a code while the consumer is busy, so that two codes are never one', async (t) => {
  const { clock, link, scans } = setUp();
  const first = next(scans);
  link.feed('VCONE');
  await clock.advance(GAP_MS);
  t.equal((await first)?.text, 'VCONE');
  // Nobody asks for the next scan now.
  const startMs = clock.monotonic();
  link.feed('VCTWO');
  await clock.advance(GAP_MS);
  link.feed('VCTHREE');
  await clock.advance(5_000);
  const second = await next(scans);
  const third = await next(scans);
  t.match([second, third], [{ text: 'VCTWO' }, { text: 'VCTHREE' }]);
  t.strictSame(
    [second, third].map((scan) => (scan?.scannedAt.monotonicMs ?? 0) - startMs),
    [0, GAP_MS],
  );
  await scans.return();
});

t.test('scanner: a device that floods is held up, not stored', async (t) => {
  const { clock, link, scans } = setUp();
  const first = next(scans);
  for (let count = 0; count < 1_000; count++) link.feed(`VC${count}\r`);
  await first;
  await clock.advance(1_000);
  t.ok(link.unread > 900, `${link.unread} of 1000 chunks still wait in the link`);
  for (let count = 1; count < 1_000; count++) t.equal((await next(scans))?.text, `VC${count}`);
  await scans.return();
});

t.test('scanner: on abort it ends at once, with or without a consumer waiting, and leaves no timer', async (t) => {
  for (const isWaiting of [true, false]) {
    const { clock, link, stop, scans } = setUp();
    link.feed('VCONE\rVCTWO\rVCHALF');
    t.equal((await next(scans))?.text, 'VCONE');
    if (isWaiting) t.equal((await next(scans))?.text, 'VCTWO');
    const ended = isWaiting ? next(scans) : undefined;
    stop.abort();
    t.equal(await (ended ?? next(scans)), undefined);
    t.equal(clock.pending, 0);
  }
});

t.test('scanner: scans that came before the plug was pulled are still given', async (t) => {
  const { link, scans } = setUp();
  link.feed('VCONE\rVCTWO\r');
  link.unplug();
  t.equal((await next(scans))?.text, 'VCONE');
  t.equal((await next(scans))?.text, 'VCTWO');
  await t.rejects(next(scans), { code: 'device.gone' });
});

t.test('scanner: an abandoned consumer lets the link go', async (t) => {
  const { clock, link, scans } = setUp();
  link.feed('VCONE\rVCTWO\r');
  for await (const scan of scans) {
    t.equal(scan.text, 'VCONE');
    break;
  }
  link.feed('VCTHREE\r');
  await clock.advance(0);
  t.equal(link.unread, 1, 'nobody reads it any more');
});

import t from 'tap';
import { BaudSearch, USUAL_RATES } from '../../../hardware/scanner/baud-search.ts';
import { readScansAtAnySpeed, type SpeedLink } from '../../../hardware/scanner/serial-scanner.ts';
import type { MonotonicMillis } from '../../../protocol/units.ts';
import { FakeLink } from '../../support/fake-link.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import fc from '../../support/properties.ts';

/** A search, and scans that can not be read a second apart. */
function setUp() {
  const search = new BaudSearch();
  let nowMs = 60_000;
  const illegible = (afterMs = 1_000) => {
    nowMs += afterMs;
    return search.illegible(nowMs as MonotonicMillis);
  };
  return { search, illegible };
}

t.test('BaudSearch: goes on after what can not be read, and stays at what can', async (t) => {
  const { search, illegible } = setUp();
  t.equal(search.rate, 9_600);
  t.equal(illegible(), true);
  t.equal(search.rate, 115_200);
  search.legible(174);
  t.strictSame([illegible(), illegible(), search.rate], [false, false, 115_200], 'a code that was garbled on the way');
  search.legible(174);
  t.strictSame([illegible(), illegible(), illegible()], [false, false, true], 'another scanner was plugged in');
});

t.test('BaudSearch: one code is one step, however many frames its noise makes', async (t) => {
  const { search, illegible } = setUp();
  t.strictSame([illegible(), illegible(0), illegible(30), illegible(400)], [true, false, false, false]);
  t.equal(search.rate, 115_200);
  t.equal(illegible(), true);
});

t.test('BaudSearch: a few bytes that look like text by chance are no proof', async (t) => {
  const { search, illegible } = setUp();
  search.legible(2);
  t.equal(illegible(), true);
});

t.test('BaudSearch: finds any usual speed within one round, and every speed it names is a usual one', async () => {
  fc.assert(
    fc.property(fc.constantFrom(...USUAL_RATES), fc.array(fc.boolean(), { maxLength: 30 }), (right, before) => {
      const { search, illegible } = setUp();
      for (const isLegible of before) {
        if (isLegible) search.legible(3);
        else illegible();
      }
      let scans = 0;
      while (search.rate !== right) {
        illegible();
        scans += 1;
        if (scans > USUAL_RATES.length || !USUAL_RATES.includes(search.rate)) return false;
      }
      return true;
    }),
  );
});

/** A scanner at one speed: what is read at another is noise. */
class SpeedyScanner extends FakeLink implements SpeedLink {
  rate = 9_600;
  readonly #own: number;

  constructor(own: number) {
    super();
    this.#own = own;
  }

  scan(text: string): void {
    // Noise with what looks like line ends in it.
    const noise = Uint8Array.from(text, (character, at) => (at % 3 === 2 ? 0x0d : character.charCodeAt(0) ^ 0xa5));
    this.feed(this.rate === this.#own ? `${text}\r` : noise);
  }

  async setBaudRate(rate: number): Promise<void> {
    this.rate = rate;
  }
}

t.test('readScansAtAnySpeed: the end of a code whose beginning was noise is no scan, and the next code is', async (t) => {
  const clock = new ManualClock();
  const stop = new AbortController();
  const search = new BaudSearch();
  const refused: string[] = [];
  const link = new SpeedyScanner(115_200);
  const settings = { device: 'scanner', clock, onRefused: (why: string, length: number) => refused.push(`${why} ${length}`) };
  const scans = readScansAtAnySpeed(link, search, settings, stop.signal);
  const first = scans.next();
  link.scan('VCB');
  await clock.advance(10);
  link.feed('DDEEFFGGHHJJ\r');
  await clock.advance(2_000);
  t.equal(refused.at(-1), 'cut 12');
  link.scan('VCWHOLE');
  t.match(await first, { value: { text: 'VCWHOLE' } });
  stop.abort();
  await scans.return();
});

t.test('readScansAtAnySpeed: the speed is found while a person scans, and kept for the next opening', async (t) => {
  const clock = new ManualClock();
  const stop = new AbortController();
  const search = new BaudSearch();
  const refused: string[] = [];
  const link = new SpeedyScanner(38_400);
  const settings = { device: 'scanner', clock, onRefused: (why: string) => refused.push(why) };
  const scans = readScansAtAnySpeed(link, search, settings, stop.signal);
  const first = scans.next();
  for (let time = 0; time < 4; time++) {
    link.scan('VCBBDDEEFFGGHH');
    await clock.advance(2_000);
  }
  t.match(await first, { value: { text: 'VCBBDDEEFFGGHH' } });
  t.equal(new Set(refused).size, 1);
  t.ok(refused.length > 3, `${refused.length} frames of noise`);
  t.equal(search.rate, 38_400);
  stop.abort();
  t.equal((await scans.next()).done, true);
});

import fc from 'fast-check';
import t from 'tap';
import { BaudSearch, USUAL_RATES } from '../../../hardware/scanner/baud-search.ts';
import { readScansAtAnySpeed, type SpeedLink } from '../../../hardware/scanner/serial-scanner.ts';
import { FakeLink } from '../../support/fake-link.ts';
import { ManualClock } from '../../support/manual-clock.ts';

t.test('BaudSearch: goes on after what can not be read, and stays at what can', async (t) => {
  const search = new BaudSearch();
  t.equal(search.rate, 9_600);
  t.equal(search.illegible(), true);
  t.equal(search.rate, 115_200);
  search.legible(174);
  t.strictSame([search.illegible(), search.illegible(), search.rate], [false, false, 115_200], 'a code that was garbled on the way');
  search.legible(174);
  t.strictSame([search.illegible(), search.illegible(), search.illegible()], [false, false, true], 'another scanner was plugged in');
});

t.test('BaudSearch: a few bytes that look like text by chance are no proof', async (t) => {
  const search = new BaudSearch();
  search.legible(2);
  t.equal(search.illegible(), true);
});

t.test('BaudSearch: finds any usual speed within one round, and every speed it names is a usual one', async () => {
  fc.assert(
    fc.property(fc.constantFrom(...USUAL_RATES), fc.array(fc.boolean(), { maxLength: 30 }), (right, before) => {
      const search = new BaudSearch();
      for (const isLegible of before) {
        if (isLegible) search.legible(3);
        else search.illegible();
      }
      let scans = 0;
      while (search.rate !== right) {
        search.illegible();
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
    this.feed(this.rate === this.#own ? `${text}\r` : Uint8Array.from(text, (character) => character.charCodeAt(0) ^ 0xa5));
  }

  async setBaudRate(rate: number): Promise<void> {
    this.rate = rate;
  }
}

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
    await clock.advance(1_000);
  }
  t.match(await first, { value: { text: 'VCBBDDEEFFGGHH' } });
  t.strictSame(refused, ['unprintable', 'unprintable', 'unprintable']);
  t.equal(search.rate, 38_400);
  stop.abort();
  t.equal((await scans.next()).done, true);
});

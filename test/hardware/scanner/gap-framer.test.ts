import t from 'tap';
import { type Framing, GAP_MS, GapFramer, STALE_MS } from '../../../hardware/scanner/gap-framer.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import fc from '../../support/properties.ts';

const SEED = Number(process.env.SEED ?? 20261121);

function setUp(framing: Framing) {
  const clock = new ManualClock();
  const startMs = clock.monotonic();
  const got: string[] = [];
  const framer = new GapFramer(framing, clock, (frame, at) => {
    const what = frame.kind === 'frame' ? Buffer.from(frame.bytes).toString() : `${frame.why} ${frame.lengthBytes}`;
    got.push(`${at.monotonicMs - startMs} ${what}`);
  });
  return { clock, framer, got, push: (text: string) => framer.push(Buffer.from(text, 'latin1')) };
}

t.test('gap framer: a scanner without a terminator ends its code by silence, dated by its last byte', async (t) => {
  for (const framing of ['auto', 'gap'] as const) {
    const { clock, got, push } = setUp(framing);
    await clock.advance(10);
    push('VC');
    await clock.advance(GAP_MS - 1);
    push('BB');
    await clock.advance(GAP_MS - 1);
    t.strictSame(got, []);
    await clock.advance(1);
    t.strictSame(got, [`${10 + GAP_MS - 1} VCBB`]);
    push('VD');
    await clock.advance(GAP_MS);
    t.equal(got.length, 2);
  }
});

t.test('gap framer: in auto a line end ends a code at once, and from then on silence does not', async (t) => {
  const { clock, got, push } = setUp('auto');
  push('VC\r\n');
  t.strictSame(got, ['0 VC']);
  push('VCB');
  await clock.advance(STALE_MS - 1);
  push('D\r');
  t.strictSame(got.slice(1), [`${STALE_MS - 1} VCBD`], 'a pause inside a code does not cut it');
});

t.test('gap framer: half a code does not spoil the next one', async (t) => {
  const { clock, got, push } = setUp('line');
  push('VCHALF');
  await clock.advance(STALE_MS);
  push('VCWHOLE\r');
  t.strictSame(got, ['0 cut 6', `${STALE_MS} VCWHOLE`]);
  push('A\xff');
  await clock.advance(STALE_MS);
  push('VCWHOLE\r');
  t.strictSame(
    got.slice(2),
    [`${STALE_MS} unprintable 2`, `${2 * STALE_MS} VCWHOLE`],
    'nor does noise on the line, as when a plug goes in',
  );
});

t.test('gap framer: what is under way when the device goes is cut, and no timer stays', async (t) => {
  const { clock, framer, got, push } = setUp('auto');
  push('VCHA');
  framer.end();
  t.strictSame(got, ['0 cut 4']);
  t.equal(clock.pending, 0);
  await clock.advance(STALE_MS);
  t.equal(got.length, 1);
});

t.test('gap framer: codes come out whole with any terminator or none, in any chunks, at any speed of the port', async (t) => {
  const text = fc.string({ unit: fc.constantFrom(...'BCDEFGHJKNPRSTVX'), minLength: 1, maxLength: 30 });
  const ends = fc.constantFrom('', '\r', '\n', '\r\n', '\t');
  await fc.assert(
    fc.asyncProperty(
      fc.array(text, { minLength: 1, maxLength: 6 }),
      ends,
      fc.infiniteStream(fc.integer({ min: 1, max: 9 })),
      async (codes, end, sizes) => {
        const { clock, got, push } = setUp('auto');
        for (const code of codes) {
          let rest = code + end;
          while (rest !== '') {
            const size = sizes.next().value ?? 1;
            push(rest.slice(0, size));
            rest = rest.slice(size);
            await clock.advance(size);
          }
          await clock.advance(GAP_MS);
        }
        t.strictSame(
          got.map((line) => line.replace(/^\d+ /, '')),
          codes,
        );
        t.equal(clock.pending, 0);
      },
    ),
    { seed: SEED, numRuns: 60 },
  );
});

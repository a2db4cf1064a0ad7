import t from 'tap';
import { GAP_MS, GapFramer } from '../../../hardware/scanner/gap-framer.ts';
import { afterSilence } from '../../../hardware/scanner/silence.ts';
import { ManualClock } from '../../support/manual-clock.ts';

t.test('afterSilence: fires once when the silence is over, and not when it is cancelled', async (t) => {
  const clock = new ManualClock();
  let fired = 0;
  const cancels = [0, 50, 95].map((cancelAfterMs) => ({ cancelAfterMs, cancel: afterSilence(clock, 100, () => fired++) }));
  afterSilence(clock, 100, () => fired++);
  for (const { cancelAfterMs, cancel } of cancels) clock.after(cancelAfterMs, cancel);
  await clock.advance(99);
  t.equal(fired, 0);
  await clock.advance(1);
  t.equal(fired, 1);
  await clock.advance(1_000);
  t.equal(fired, 1);
  t.equal(clock.pending, 0);
});

t.test('silence: a code that comes while this process stands still is not cut in two', async (t) => {
  const clock = new ManualClock();
  const got: string[] = [];
  const framer = new GapFramer('auto', clock, (frame) =>
    got.push(frame.kind === 'frame' ? Buffer.from(frame.bytes).toString() : frame.why),
  );
  framer.push(Buffer.from('VCBB'));
  // The disk is slow for half a second. Timers are seen first, and then what came meanwhile.
  await clock.leap(500);
  framer.push(Buffer.from('DDEE'));
  await clock.advance(GAP_MS);
  t.strictSame(got, ['VCBBDDEE']);
});

t.test(
  'silence: a code that comes while the machine stands still, runs for a moment and stands still again is not cut in two',
  async (t) => {
    for (const framing of ['line', 'gap', 'auto'] as const) {
      const clock = new ManualClock();
      const got: string[] = [];
      const framer = new GapFramer(framing, clock, (frame) =>
        got.push(frame.kind === 'frame' ? Buffer.from(frame.bytes).toString() : frame.why),
      );
      framer.push(Buffer.from('VCBB'));
      // A guest whose host is busy, a kiosk that swaps: whoever reads the device does not get his turn in the moment between.
      await clock.leap(1_000);
      await clock.advance(5);
      await clock.leap(60);
      await clock.leap(2_000);
      framer.push(Buffer.from(framing === 'gap' ? 'DDEE' : 'DDEE\r'));
      await clock.advance(GAP_MS);
      t.strictSame(got, ['VCBBDDEE'], framing);
    }
  },
);

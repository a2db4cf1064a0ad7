/** Hundreds of codes (SCANS=10000: thousands) through a kiosk's keyboard at the addon's door: cut anyhow, joined, twice, overrun, unplugged. */
import t from 'tap';
import type { InputEvent } from '../../../hardware/evdev/input-event.ts';
import { encodeInputEvents } from '../../../hardware/evdev/input-event.ts';
import { runHidScanners } from '../../../kiosk/run-hid-scanners.ts';
import { LETTERS } from '../../../protocol/letters.ts';
import { silentLog } from '../../../protocol/log.ts';
import { FakeInput } from '../../support/fake-input.ts';
import { FakeNative } from '../../support/fake-native.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { seededRandom } from '../../support/suite-size.ts';
import { OVERRUN, typed } from '../../support/type-events.ts';

const SEED = Number(process.env.SEED ?? 20261122);
const SCANS = Number(process.env.SCANS ?? 400);
const NOWHERE = '/nowhere';

t.test('event storm: every whole code arrives once and in order, and no part of one, whatever the plug and the kernel do', async (t) => {
  const random = seededRandom(SEED);
  const upTo = (most: number): number => Math.floor(random() * most);
  const clock = new ManualClock();
  const input = new FakeInput(t.testdir());
  const native = new FakeNative();
  const stop = new AbortController();
  const got: string[] = [];
  let refused = 0;
  let event = 0;
  const path = () => `/dev/input/event${event}`;
  const plug = async () => {
    event = (event + 1) % 5;
    input.plug(`event${event}`, { vendorId: 'fffe' });
    native.plugKeyboard(path());
    while (!native.isGrabbed(path())) await clock.advance(50);
  };
  const running = runHidScanners(
    {
      config: {
        scanners: [
          { kind: 'keyboard', name: 'door', vendorId: 'fffe', productId: '0001', framing: 'auto', isExclusive: true, via: 'evdev' },
        ],
      },
      clock,
      log: silentLog,
      random: () => 0,
      onScan: ({ text }) => got.push(text),
      onNoScan: () => {
        refused += 1;
      },
      onReport: () => {},
      hidPlaces: { hidrawDir: NOWHERE, usbDir: NOWHERE, deviceDir: NOWHERE },
      inputPlaces: input.places,
      loadNative: () => native,
    },
    stop.signal,
  );
  await plug();
  const feed = async (events: readonly InputEvent[]) => {
    const bytes = encodeInputEvents(events);
    for (let at = 0; at < bytes.length; ) {
      const length = random() < 0.5 ? bytes.length : 1 + upTo(1_536);
      native.feed(path(), bytes.subarray(at, at + length));
      at += length;
      if (random() < 0.05) await clock.advance(upTo(60));
    }
  };
  const code = (): string => Array.from({ length: 4 + upTo(30) }, () => LETTERS.charAt(upTo(LETTERS.length))).join('');
  const sent: string[] = [];
  let broken = 0;
  while (sent.length < SCANS) {
    const text = code();
    for (let time = random() < 0.1 ? 2 : 1; time > 0; time--) {
      await feed(typed(`${text}\r`));
      sent.push(text);
    }
    if (random() < 0.5) await clock.advance(upTo(1_000));
    if (random() < 0.03) {
      // Overrun within a code: some of its events are lost, its Enter is not.
      const events = typed(code());
      const from = upTo(events.length);
      native.setDown(path(), []);
      const rest = events.slice(from + upTo(events.length - from));
      await feed([...events.slice(0, from), ...OVERRUN, { type: 0, code: 0, value: 0 }, ...rest, ...typed('\r')]);
      broken += 1;
    }
    if (random() < 0.02) {
      const events = typed(code());
      await feed(events.slice(0, 9 + upTo(events.length - 9)));
      native.unplugKeyboard(path());
      input.unplug(`event${event}`);
      broken += 1;
      await clock.advance(upTo(5_000));
      await plug();
    }
  }
  await clock.advance(1_000);
  stop.abort();
  await running;
  t.strictSame(got, sent, `seed ${SEED}`);
  t.ok(broken > 0);
  t.ok(refused >= broken * 0.8 && refused <= broken, `${refused} of ${broken} broken codes were refused, the others had no character`);
  t.equal(native.open, 0);
  t.comment(`${got.length} codes, ${broken} broken`);
});

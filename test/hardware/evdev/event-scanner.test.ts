import t from 'tap';
import { type EventLink, openEvents } from '../../../hardware/evdev/event-link.ts';
import { readEventScans } from '../../../hardware/evdev/event-scanner.ts';
import { encodeInputEvents, type InputEvent } from '../../../hardware/evdev/input-event.ts';
import { STALE_MS } from '../../../hardware/scanner/gap-framer.ts';
import { decodeCode, encodeCode } from '../../../protocol/code.ts';
import { codeOf } from '../../../protocol/errors.ts';
import { uuidOfPublicKey } from '../../../protocol/visitor.ts';
import { FakeNative } from '../../support/fake-native.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import fc from '../../support/properties.ts';
import { key, OVERRUN, TYPED_CHARACTERS, typed } from '../../support/type-events.ts';

const SEED = Number(process.env.SEED ?? 20261122);
const PATH = '/dev/input/event7';
const never = new AbortController().signal;
const LEFTSHIFT = 42;
/** Events up to and with the first key: before it comes the keyboard's own number of it. */
const FIRST_KEY = 2;

/** A keyboard that is read: what it typed, what was refused, and how it ended. */
class Bench {
  readonly native = new FakeNative();
  readonly clock = new ManualClock();
  readonly scans: string[] = [];
  readonly refused: string[] = [];
  readonly stopping = new AbortController();
  ended: Promise<string | undefined> = Promise.resolve(undefined);
  link: EventLink | undefined;

  async plug(): Promise<void> {
    this.native.plugKeyboard(PATH);
    const link = await openEvents(this.native, PATH, never);
    this.link = link;
    const settings = { device: 'door', clock: this.clock, onRefused: (why: string) => this.refused.push(why) };
    const read = async () => {
      for await (const { text } of readEventScans(link, settings, this.stopping.signal)) this.scans.push(text);
    };
    this.ended = read().then(
      () => undefined,
      (error: unknown) => codeOf(error) ?? String(error),
    );
  }

  async feed(...chunks: (readonly InputEvent[] | Uint8Array)[]): Promise<void> {
    for (const chunk of chunks) this.native.feed(PATH, chunk);
    await this.clock.advance(0);
  }

  async unplug(): Promise<string | undefined> {
    this.native.unplugKeyboard(PATH);
    const code = await this.ended;
    await this.link?.close();
    return code;
  }
}

t.test('event scanner: what is typed and ended by Enter is a scan', async (t) => {
  const bench = new Bench();
  await bench.plug();
  await bench.feed(typed('V1-$ABC:7\r'), typed('V1-$ABC:8\r'));
  t.strictSame(bench.scans, ['V1-$ABC:7', 'V1-$ABC:8']);
  t.equal(await bench.unplug(), 'device.gone');
  t.strictSame(bench.refused, []);
  t.equal(bench.native.open, 0);
});

t.test('event scanner: nobody else sees what is typed', async (t) => {
  const bench = new Bench();
  await bench.plug();
  t.ok(bench.native.isGrabbed(PATH));
  await t.rejects(openEvents(bench.native, PATH, never), { code: 'device.busy' });
  t.equal(bench.native.open, 1, 'who is refused leaves nothing open');
  await bench.unplug();
});

t.test('event scanner: a code that is cut by unplugging is refused, and what came before it is a scan', async (t) => {
  const bench = new Bench();
  await bench.plug();
  bench.native.feed(PATH, typed('WHOLE\rCUT'));
  t.equal(await bench.unplug(), 'device.gone');
  t.strictSame([bench.scans, bench.refused], [['WHOLE'], ['cut']]);
});

t.test(
  'event scanner: a code that began before the device was open is refused, wherever it began, and the next one is whole',
  async (t) => {
    const [early, whole] = ['early', 'whole'].map((name) => encodeCode({ kind: 'unsigned', card: uuidOfPublicKey(Buffer.from(name)) }));
    const events = typed(`${early}\r`);
    for (let missed = FIRST_KEY; missed < events.length; missed++) {
      const bench = new Bench();
      await bench.plug();
      await bench.feed(events.slice(missed), typed(`${whole}\r`));
      const [scan, ...others] = bench.scans.toReversed();
      t.equal(scan, whole);
      t.ok(others.length <= 1, 'one answer to it at most: its visitor has to scan again');
      // Shift alone may be missed: the first letter is then a small one, and small and capital letters make no code.
      for (const part of others) t.throws(() => decodeCode(part), { name: 'CodeError' }, `${missed} events missed`);
      await bench.unplug();
    }
  },
);

t.test('event scanner: repeats of a key that is held are no characters', async (t) => {
  const bench = new Bench();
  await bench.plug();
  await bench.feed([...key(30, 1), ...key(30, 2), ...key(30, 2), ...key(30, 0)], typed('\r'));
  t.strictSame(bench.scans, ['a']);
  await bench.unplug();
});

t.test('event scanner: after an overrun the code under way is refused, and Shift is as the kernel says', async (t) => {
  const bench = new Bench();
  await bench.plug();
  await bench.feed([...typed('AB'), ...key(LEFTSHIFT, 1)]);
  // Shift's release was lost, and so was what came before the next report.
  bench.native.setDown(PATH, []);
  await bench.feed([...OVERRUN, ...key(30, 1)], typed('cd\r'));
  await bench.feed(typed('next\r'));
  t.strictSame([bench.scans, bench.refused], [['next'], ['unprintable']]);
  await bench.unplug();
});

t.test('event scanner: an overrun between two codes costs the next one only', async (t) => {
  const bench = new Bench();
  await bench.plug();
  await bench.feed(typed('ONE\r'), OVERRUN, key(30, 0), typed('WO\r'), typed('THREE\r'));
  t.strictSame([bench.scans, bench.refused], [['ONE', 'THREE'], ['unprintable']]);
  await bench.unplug();
});

t.test('event scanner: after an overrun that swallowed Enter, silence ends what is refused', async (t) => {
  const bench = new Bench();
  await bench.plug();
  await bench.feed(typed('ONE\r'), typed('TW'), OVERRUN, key(30, 0));
  await bench.clock.advance(STALE_MS + 100);
  await bench.feed(typed('THREE\r'));
  t.strictSame([bench.scans, bench.refused], [['ONE', 'THREE'], ['unprintable']]);
  await bench.unplug();
});

t.test(
  'event scanner: what came after an overrun and before the unplugging is read, though the kernel can not be asked any more',
  async (t) => {
    const bench = new Bench();
    await bench.plug();
    for (const events of [typed('ONE\r'), typed('TW'), OVERRUN, key(30, 0), typed('O\r'), typed('THREE\rFOU')])
      bench.native.feed(PATH, events);
    t.equal(await bench.unplug(), 'device.gone');
    t.strictSame(
      [bench.scans, bench.refused],
      [
        ['ONE', 'THREE'],
        ['unprintable', 'cut'],
      ],
    );
  },
);

t.test('event scanner: it returns on abort, and the link can be read again', async (t) => {
  const bench = new Bench();
  await bench.plug();
  bench.stopping.abort();
  t.equal(await bench.ended, undefined);
  const link = bench.link as EventLink;
  bench.native.feed(PATH, typed('a'));
  for await (const chunk of link.read(never)) {
    t.strictSame(Buffer.from(chunk), Buffer.from(encodeInputEvents(typed('a'))));
    break;
  }
  await link.close();
  await t.rejects(link.read(never)[Symbol.asyncIterator]().next(), { code: 'device.gone' });
});

const text = fc.array(fc.constantFrom(...TYPED_CHARACTERS), { minLength: 1, maxLength: 40 }).map((characters) => characters.join(''));
/** The first three characters of such a text would be taken for a symbology identifier. */
const code = text.filter((one) => !/^\][A-Za-z][0-9A-Za-z]/.test(one));

t.test('event scanner: every code comes out once and in order, however the events are cut', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(code, { maxLength: 8 }), fc.array(fc.nat(), { maxLength: 40 }), async (codes, places) => {
      const bytes = encodeInputEvents(codes.flatMap((one) => typed(`${one}\r`)));
      const cuts = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
      const bench = new Bench();
      await bench.plug();
      for (let at = 1; at < cuts.length; at++) bench.native.feed(PATH, bytes.subarray(cuts[at - 1], cuts[at]));
      t.equal(await bench.unplug(), 'device.gone');
      t.strictSame([bench.scans, bench.refused], [codes, []]);
    }),
    { seed: SEED, numRuns: 60 },
  );
});

t.test('event scanner: whatever events are lost, no part of a code is ever a scan, and the second code after is whole', async (t) => {
  const letters = fc.array(fc.constantFrom(...'ABCDEFGHIJ0123456789'), { minLength: 6, maxLength: 12 }).map((all) => all.join(''));
  await fc.assert(
    fc.asyncProperty(
      fc.array(letters, { minLength: 4, maxLength: 6 }),
      fc.nat(),
      fc.integer({ min: 1, max: 60 }),
      async (codes, at, lost) => {
        const unique = codes.map((one, index) => `${index}:${one}`);
        const events = unique.flatMap((one) => typed(`${one}\r`));
        // The last two are left whole.
        const until = unique.slice(0, -2).flatMap((one) => typed(`${one}\r`)).length;
        const from = at % until;
        const to = Math.min(from + lost, until);
        // A report's end follows an overrun in the kernel's buffer, as here.
        const kept = [...events.slice(0, from), ...OVERRUN, { type: 0, code: 0, value: 0 }, ...events.slice(to)];
        const bench = new Bench();
        await bench.plug();
        // What is down at the place where the reader goes on.
        const down = new Set<number>();
        for (const { type, code: keyCode, value } of events.slice(0, to)) if (type === 1) down[value === 0 ? 'delete' : 'add'](keyCode);
        bench.native.setDown(PATH, [...down]);
        await bench.feed(kept);
        t.equal(await bench.unplug(), 'device.gone');
        const strangers = bench.scans.filter((scan) => !unique.includes(scan));
        t.strictSame(strangers, []);
        t.equal(bench.scans.at(-1), unique.at(-1));
        t.equal(new Set(bench.scans).size, bench.scans.length);
      },
    ),
    { seed: SEED, numRuns: 150 },
  );
});

t.test('event scanner: any bytes at all end in scans, refusals or nothing, in bounded memory', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 10 }), async (chunks) => {
      const bench = new Bench();
      await bench.plug();
      for (const chunk of chunks) bench.native.feed(PATH, chunk);
      t.equal(await bench.unplug(), 'device.gone');
    }),
    { seed: SEED, numRuns: 60 },
  );
});

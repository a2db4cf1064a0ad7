/** Batches opened by a thread: what comes out is what comes out without it, in the order of asking, whatever becomes of the thread. */
import { createSecretKey } from 'node:crypto';
import t, { type Test } from 'tap';
import { BatchOpener, type Opener, type Signer } from '../../../gateway/open-batch.ts';
import { OpenDesk, type OpenDeskOptions } from '../../../gateway/opening/open-desk.ts';
import { decodeAnswer, encodeAnswer } from '../../../gateway/opening/opened-bytes.ts';
import { isSignedBySoon } from '../../../protocol/ed25519.ts';
import { codeOf } from '../../../protocol/errors.ts';
import fc from '../../support/properties.ts';
import { openTestIngest, type TestIngest } from '../../support/test-ingest.ts';
import { checkIn } from '../../support/test-kiosk.ts';

const openerOf = ({ deployment, recipient }: TestIngest): BatchOpener => new BatchOpener(deployment, [recipient], isSignedBySoon);

/** A desk that runs, and how often it opened something itself. */
function deskOf(t: Test, gateway: TestIngest, more: Partial<OpenDeskOptions> = {}) {
  const { deployment, recipient, clock, log } = gateway;
  const own = openerOf(gateway);
  const counted = { here: 0 };
  const here: Opener = {
    open: (...asked) => {
      counted.here += 1;
      return own.open(...asked);
    },
  };
  const desk = new OpenDesk({ here, deployment, holders: [recipient], clock, log, ...more });
  const stopping = new AbortController();
  const running = desk.run(stopping.signal);
  const stop = () => {
    stopping.abort();
    return running;
  };
  t.teardown(stop);
  return { desk, counted, stop };
}

/** Batches of which one in three is wrong: whole, or in a row of it; the key record is now and then another one. */
async function mixed({ kiosk }: TestIngest, count: number): Promise<Uint8Array[]> {
  const messages: Uint8Array[] = [];
  let start = await kiosk.start();
  for (let n = 0; n < count; n++) {
    if (n % 7 === 0) start = await kiosk.start();
    const rows = Array.from({ length: 1 + (n % 3) }, () => start.seal(checkIn()));
    const last = rows.at(-1);
    // Listed and signed, and nobody can open it.
    if (n % 9 === 4 && last !== undefined) last.row[last.row.length - 1] = (last.row.at(-1) ?? 0) ^ 1;
    const message = start.batch(rows, n % 6 === 2 ? 'vestibule/1/kiosk/else/batch' : undefined);
    messages.push(n % 11 === 3 ? message.subarray(0, message.length - 1) : message);
  }
  return messages;
}

/** @returns what became of each, and in which order that was told. */
async function openAll(opener: Opener, { kiosk }: TestIngest, messages: readonly Uint8Array[]) {
  const signer: Signer = { kiosk: kiosk.kiosk, publicKey: kiosk.publicKey };
  const order: number[] = [];
  const opened = await Promise.all(
    messages.map((message, index) =>
      opener
        .open(message, kiosk.batchTopic, signer)
        .then((batch) => batch.read())
        .catch((error: unknown) => codeOf(error))
        .finally(() => order.push(index)),
    ),
  );
  return { opened, order };
}

const inOrder = (count: number) => Array.from({ length: count }, (_, index) => index);

/** Asks for so much in a second that a thread is begun. */
async function makeBusy(desk: OpenDesk, gateway: TestIngest): Promise<void> {
  const [message = new Uint8Array()] = await mixed(gateway, 1);
  await openAll(desk, gateway, new Array(100).fill(message));
  await gateway.clock.advance(1_000);
}

t.test('opening: what is handed over as bytes is what was opened, for any batches', async (t) => {
  const gateway = await openTestIngest(t);
  const { kiosk } = gateway;
  const opener = openerOf(gateway);
  const signer: Signer = { kiosk: kiosk.kiosk, publicKey: kiosk.publicKey };
  const start = await kiosk.start();
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 64 }), { maxLength: 5 }), async (sizes) => {
      const messages = sizes.map((size) =>
        size === 0 ? new Uint8Array(3) : start.batch(Array.from({ length: size }, () => start.seal(checkIn()))),
      );
      const batches = [];
      for (const message of messages)
        batches.push({ message, unsealed: message.length === 3 ? undefined : await opener.unseal(message, kiosk.batchTopic, signer) });
      const expected = [];
      for (const message of messages)
        expected.push(message.length === 3 ? undefined : (await opener.open(message, kiosk.batchTopic, signer)).read());
      const answered = decodeAnswer(encodeAnswer(batches), messages);
      for (const _ of ['once', 'and anew'])
        t.strictSame(
          answered.map((batch) => batch?.read()),
          expected,
        );
    }),
    { numRuns: 20 },
  );
});

t.test('opening: a few batches are opened here, many by a thread; both give the same, in the order of asking', async (t) => {
  const gateway = await openTestIngest(t);
  const told = new Set<string | undefined>();
  const { desk, counted, stop } = deskOf(t, gateway, { onFault: (code) => told.add(code) });
  const messages = await mixed(gateway, 60);
  const expected = (await openAll(openerOf(gateway), gateway, messages)).opened;
  t.ok(expected.some((one) => typeof one === 'string') && expected.some((one) => typeof one === 'object'));
  const here = await openAll(desk, gateway, messages);
  t.strictSame(here, { opened: expected, order: inOrder(60) });
  t.equal(counted.here, 60);
  await makeBusy(desk, gateway);
  counted.here = 0;
  const there = await openAll(desk, gateway, messages);
  t.strictSame(there, { opened: expected, order: inOrder(60) });
  const isPlain = (one: unknown) => typeof one === 'object' && (one as { rows: object[] }).rows.every((row) => 'event' in row);
  t.equal(counted.here, expected.filter((one) => !isPlain(one)).length, 'what is wrong is looked at here, and only that');
  t.strictSame([...told], [undefined], 'it answers');
  const late = openAll(desk, gateway, messages);
  await stop();
  t.strictSame((await late).opened, expected, 'what was asked before the end is answered');
  t.strictSame((await openAll(desk, gateway, messages)).opened, expected, 'and what is asked behind it');
});

t.test('opening: a thread that fails leaves all to be opened here, and another is begun after a minute', async (t) => {
  const gateway = await openTestIngest(t);
  const program = new URL(
    `data:text/javascript,${encodeURIComponent("import { parentPort } from 'node:worker_threads'; parentPort.on('message', (asked) => { if (asked === 'end') parentPort.close(); else throw new RangeError('a card'); });")}`,
  );
  const told: (string | undefined)[] = [];
  const { desk, counted } = deskOf(t, gateway, { program, onFault: (code) => told.push(code) });
  const messages = await mixed(gateway, 40);
  const expected = (await openAll(openerOf(gateway), gateway, messages)).opened;
  for (const times of [1, 2]) {
    await makeBusy(desk, gateway);
    t.strictSame(await openAll(desk, gateway, messages), { opened: expected, order: inOrder(40) });
    t.match(gateway.log.of('opening.thread_failed'), new Array(times).fill({ fields: { bug: 'RangeError' } }));
    await makeBusy(desk, gateway);
    t.equal(gateway.log.of('opening.thread_failed').length, times, 'not at once');
    await gateway.clock.advance(60_000);
  }
  t.strictSame(told, ['ingest.thread_failed', 'ingest.thread_failed']);
  t.notMatch(gateway.log.text, /a card/);
  t.ok(counted.here > 80);
});

t.test('opening: a thread that does not answer keeps nothing once it has gone', async (t) => {
  const gateway = await openTestIngest(t);
  const program = new URL(
    `data:text/javascript,${encodeURIComponent("import { parentPort } from 'node:worker_threads'; parentPort.on('message', (asked) => { if (asked === 'end') parentPort.close(); });")}`,
  );
  const { desk, stop } = deskOf(t, gateway, { program });
  await makeBusy(desk, gateway);
  const messages = await mixed(gateway, 70);
  const late = openAll(desk, gateway, messages);
  let isTold = false;
  void late.then(() => {
    isTold = true;
  });
  await gateway.clock.advance(1_000);
  t.notOk(isTold);
  await stop();
  t.strictSame((await late).order, inOrder(70));
});

t.test('opening: a signature that can not be asked about fails alone', async (t) => {
  await t.rejects(isSignedBySoon(new Uint8Array(1), new Uint8Array(64), createSecretKey(new Uint8Array(10))), { name: 'TypeError' });
  t.notOk(await isSignedBySoon(new Uint8Array(1), new Uint8Array(63), createSecretKey(new Uint8Array(10))));
});

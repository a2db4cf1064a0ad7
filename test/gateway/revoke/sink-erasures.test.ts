/** What sinks elsewhere are told when a card is taken back: rows by name, kept until each sink has said that they are gone. */
import t from 'tap';
import type { Intake, LedgerEntry, RowIdentity } from '../../../core/intake.ts';
import { Forwarder } from '../../../gateway/forward.ts';
import { LedgerEraser } from '../../../gateway/revoke/ledger-eraser.ts';
import { Erasures, SinkErasures } from '../../../gateway/sinks/erasures.ts';
import { SetAside } from '../../../gateway/sinks/set-aside.ts';
import { SinkError } from '../../../protocol/errors.ts';
import { openTestIngest } from '../../support/test-ingest.ts';
import { checkIn, newCard } from '../../support/test-kiosk.ts';
import { until } from '../../support/until.ts';

t.test('erasures: rows are noted before the ledger loses them, told between two offers, and forgotten once they are gone', async (t) => {
  const gateway = await openTestIngest(t);
  const { kiosk, ledger, db, clock, log, take, deployment, recipient } = gateway;
  const [anna, ben] = [newCard(), newCard()];
  const start = await kiosk.start();
  await take(start.batch([start.seal(checkIn(anna)), start.seal(checkIn(ben))]));
  await take(start.batch([start.seal(checkIn(anna))]));

  const happened: string[] = [];
  const erased: RowIdentity[] = [];
  let isUp = false;
  const intake: Intake = {
    accept: async (entries: readonly LedgerEntry[]) => void happened.push(`entries to ${entries.at(-1)?.position}`),
    taken: async () => undefined,
    erase: async (rows) => {
      happened.push(`erase ${rows.length}`);
      if (!isUp) throw new SinkError('sink.unexpected', 'sink: answers 404');
      erased.push(...rows);
    },
  };
  const erasures = new Erasures(db);
  const told = new SinkErasures('far', (rows) => intake.erase?.(rows) ?? Promise.resolve(), erasures, clock, log);
  ledger.addSink('far');
  const progress: (number | undefined)[] = [];
  const forwarder = new Forwarder({ name: 'far', intake, erasures: told }, ledger, new SetAside(db), clock, log, ({ unerasedRows }) =>
    progress.push(unerasedRows),
  );
  const stopping = new AbortController();
  const running = forwarder.run(stopping.signal);
  t.teardown(() => {
    stopping.abort();
    forwarder.wake();
    return running;
  });
  await until(() => happened.length === 1);
  t.strictSame(happened, ['entries to 2']);

  const eraser = new LedgerEraser({ ledger, db, deployment, holders: [recipient], publicKeyOf: () => kiosk.publicKey, clock });
  const isAnna = (card: Uint8Array) => Buffer.compare(card, anna) === 0;
  const failing = eraser.erase(isAnna, stopping.signal, () => {
    throw new SinkError('sink.lost', 'the disk');
  });
  await t.rejects(failing, { code: 'sink.lost' });
  t.equal(gateway.rows(), 3, 'what could not be noted stays');
  t.equal(await eraser.erase(isAnna, stopping.signal, (rows) => erasures.note(['far'], rows)), 2);
  t.equal(erasures.count('far'), 2);

  forwarder.wake();
  await until(() => happened.length === 2);
  forwarder.look();
  t.equal(progress.at(-1), 2, 'somebody sees it');
  t.match(log.of('erasure.failed'), [{ fields: { sink: 'far', code: 'sink.unexpected' } }]);
  await take(start.batch([start.seal(checkIn(ben))]));
  forwarder.wake();
  await until(() => happened.length === 3);
  t.strictSame(happened, ['entries to 2', 'erase 2', 'entries to 3'], 'entries go on, and it is not asked at once again');
  isUp = true;
  await clock.advance(60_000);
  forwarder.look();
  await until(() => erased.length === 2);
  await until(() => erasures.count('far') === 0);
  t.strictSame(erased.map((row) => [row.kiosk, row.seq]).toSorted(), [
    [kiosk.kiosk, 1],
    [kiosk.kiosk, 3],
  ]);
  forwarder.look();
  t.equal(progress.at(-1), undefined);
});

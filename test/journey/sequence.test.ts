import t from 'tap';
import { openOutbox } from '../../kiosk/open-outbox.ts';
import { silentLog } from '../../protocol/log.ts';
import { cardOf, promisedBy, Road } from './road.ts';

const FORGETFUL = { maxRows: 1_000, maxBytes: 16 * 1024 * 1024, retentionMs: 86_400_000, keepSettledMs: 0, maxSettledRows: 0 };

t.test('journey: a kiosk that has delivered and forgotten everything goes on with its sequence after a restart', async (t) => {
  const road = await Road.open(t);
  const id = await road.admit('kiosk');
  const first = await road.startKiosk('kiosk');
  for (let card = 0; card < 5; card++) t.equal(await first.scan(road.textOf(cardOf(card))), 'welcome');
  await road.delivered('kiosk');
  await first.stop();
  // One start more, to deliver the row that tells of the stop; killed, as it were, before it writes another.
  const between = await road.startKiosk('kiosk');
  await road.delivered('kiosk');
  const now = { wallMs: road.clock.wall(), monotonicMs: road.clock.monotonic() };
  await between.stop();
  const { outbox } = openOutbox(road.dirOf('kiosk'), FORGETFUL, now, silentLog);
  outbox.settle(
    outbox.unsentAfter(Number.MIN_SAFE_INTEGER, 10).map(({ position }) => position),
    road.clock.monotonic(),
  );
  road.clock.pass(1_000);
  outbox.prune(road.clock.monotonic(), road.clock.wall());
  t.equal(outbox.queued, 0);
  outbox.close();

  const second = await road.startKiosk('kiosk');
  t.equal(await second.scan(road.textOf(cardOf(9))), 'welcome');
  await road.delivered('kiosk');
  const { kiosks } = await road.state();
  const promised = [first, second].map(promisedBy);
  const seqs = [first, second].flatMap(({ feedback }) => feedback.map(({ seq }) => Number(seq)));
  t.strictSame(
    seqs.toSorted((a, b) => a - b),
    [...new Set(seqs)],
    'it ascends, and no number comes twice',
  );
  t.ok(Number(second.feedback[0]?.seq) > 8, 'past all that was forgotten');
  t.equal(kiosks[id]?.isCloned ?? false, false, 'so that the gateway sees one kiosk, not two');
  const { rows, scans } = await road.audit();
  const names = rows.map(({ name }) => name);
  t.ok(promised.flat().every((name) => names.includes(name)));
  t.equal(scans.length, 6);
});

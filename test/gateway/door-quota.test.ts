/** What one kiosk may add, and what its repetitions may write into the log. */
import t from 'tap';
import type { Answer } from '../../gateway/broker.ts';
import { RowQuota } from '../../gateway/door-quota.ts';
import { type KioskId, newPlaceId } from '../../protocol/ids.ts';
import { SparseLog } from '../../protocol/sparse-log.ts';
import { LogRecorder } from '../support/log-recorder.ts';
import { ManualClock } from '../support/manual-clock.ts';

t.test('quota: three weeks of rows go at once, what is past them waits unanswered, and other kiosks do not', async (t) => {
  const clock = new ManualClock();
  const waits: string[] = [];
  const quota = new RowQuota(86_400, clock, (kiosk, code) => waits.push(`${kiosk} ${code}`));
  const [busy, calm] = [newPlaceId<KioskId>(), newPlaceId<KioskId>()];
  const open = new AbortController();
  const answers: Answer[] = [];
  const send = async (kiosk: KioskId, signal = open.signal) => {
    answers.push(
      await quota.whenFree(kiosk, signal, () => {
        quota.charge(kiosk, 64);
        return Promise.resolve('acknowledge');
      }),
    );
  };
  await send(busy);
  quota.charge(busy, 21 * 86_400 - 64);
  const late = send(busy);
  const closing = new AbortController();
  const gone = send(busy, closing.signal);
  await send(calm);
  t.strictSame(answers, ['acknowledge', 'acknowledge']);
  t.strictSame(waits, [`${busy} admission.over_quota`, `${busy} admission.over_quota`]);
  closing.abort();
  await gone;
  t.equal(answers.at(-1), 'dropped', 'its connection ended first');
  await clock.advance(2_000);
  await late;
  t.equal(answers.at(-1), 'acknowledge', 'one row a second comes back');
});

t.test('sparse log: of one event and subject a line, one a minute with the count, and no subject hides another', async (t) => {
  const clock = new ManualClock();
  const log = new LogRecorder();
  const sparse = new SparseLog(log, clock);
  for (let i = 0; i < 5; i++) sparse.tell('warn', 'batch.quarantined', 'a', { kiosk: 'a' });
  sparse.tell('warn', 'batch.quarantined', 'b', { kiosk: 'b' });
  await clock.advance(60_000);
  sparse.tell('warn', 'batch.quarantined', 'a', { kiosk: 'a' });
  t.strictSame(
    log.of('batch.quarantined').map(({ fields }) => fields),
    [{ kiosk: 'a' }, { kiosk: 'b' }, { kiosk: 'a', untold: 4 }],
  );
});

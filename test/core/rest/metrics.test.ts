import t from 'tap';
import { CORE_METRICS, coreMetrics } from '../../../core/rest/metrics.ts';
import { fixture, NOW } from '../core-fixture.ts';
import { checkIn, KioskStub, MINUTE, newCard } from '../kiosk-stub.ts';

t.test('metrics: every metric of the table is told, in the form of Prometheus, and none names a card', async (t) => {
  const { open, keys } = await fixture(t);
  const core = await open();
  const kiosk = new KioskStub(keys);
  const card = newCard();
  await core.accept([await kiosk.batch([{ happening: checkIn(card), atMs: NOW - 60 * MINUTE }], NOW)]);
  core.cases.raise({ card, state: 'suspected', source: 'officer', by: 'officer', key: 'one' });
  const text = coreMetrics({ core, version: '1.2.3', nowMs: NOW + 5_000 });
  for (const [name, { type }] of Object.entries(CORE_METRICS))
    t.match(text, new RegExp(`^# TYPE ${name} ${type}\\n${name}(\\{\\w+="[^"]+"\\})? \\d`, 'm'));
  t.match(text, /^vestibule_core_cases\{state="suspected"\} 1$/m);
  t.match(text, /^vestibule_core_scans 1$/m);
  t.match(text, /^vestibule_core_info\{version="1.2.3"\} 1$/m);
  t.match(text, /^vestibule_core_gateway_taken_position\{gateway="first"\} \d+$/m);
  t.notMatch(text, new RegExp(Buffer.from(card).toString('hex')));
  t.ok(text.endsWith('\n'));
});

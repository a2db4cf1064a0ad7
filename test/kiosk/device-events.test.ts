import t from 'tap';
import { DeviceEvents } from '../../kiosk/device-events.ts';
import { ManualClock } from '../support/manual-clock.ts';

function noting() {
  const clock = new ManualClock();
  const told: string[] = [];
  const events = new DeviceEvents(clock, ({ device, isUp, why }) => told.push(`${device} ${isUp ? 'up' : why}`));
  return { clock, told, events };
}

t.test('DeviceEvents: a change is told at once', async (t) => {
  const { clock, told, events } = noting();
  events.note('door', true, undefined);
  await clock.advance(10_000);
  events.note('door', false, 'device.gone');
  events.note('gate', true, undefined);
  t.strictSame(told, ['door up', 'door device.gone', 'gate up']);
});

t.test('DeviceEvents: a plug that wiggles is told of once in ten seconds, with how it ended', async (t) => {
  const { clock, told, events } = noting();
  for (let second = 0; second < 60; second++) {
    events.note('door', second % 2 === 0, second % 2 === 0 ? undefined : 'device.gone');
    await clock.advance(1_000);
  }
  await clock.advance(10_000);
  t.ok(told.length <= 7, `${told.length} events in a minute`);
  t.equal(told.at(-1), 'door device.gone');
});

t.test('DeviceEvents: one that came back to what was told is not told again', async (t) => {
  const { clock, told, events } = noting();
  events.note('door', true, undefined);
  events.note('door', false, 'device.gone');
  events.note('door', true, undefined);
  await clock.advance(10_000);
  t.strictSame(told, ['door up']);
  events.note('door', false, 'device.gone');
  events.stop();
  t.equal(clock.pending, 0);
});

/** Screen, terminal and board say the same, by one table; and what the board says is told apart by rhythm alone. docs/devices/board.md draws it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Signal } from '../../hardware/board/signal.ts';
import { ButtonPresses, HELD_MS, PRESSES_WITHIN_MS, type Press } from '../../kiosk/board-button.ts';
import { boardRest } from '../../kiosk/board-rest.ts';
import { type BoardRest, REST_EVERY_MS, REST_SIGNALS, signalOf } from '../../kiosk/board-signals.ts';
import type { FeedbackKind } from '../../kiosk/feedback.ts';
import { LOOKS, type Sound } from '../../kiosk/feedback-words.ts';
import { en } from '../../kiosk/screen/languages/en.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { WELL } from '../support/screen-rig.ts';

const KINDS = Object.keys(LOOKS) as FeedbackKind[];
const signal = (kind: FeedbackKind) => signalOf({ kind, isStoredOffline: false });
/** One sign for a tenth of a second: lit, or dark. Without colour, as somebody sees it who tells none apart. */
const drawn = (steps: Signal): string =>
  steps.map(({ light, forMs }) => (light === undefined ? '·' : '█').repeat(Math.max(1, Math.round(forMs / 100)))).join('');
const heard = (steps: Signal): number => steps.filter(({ isSounding }) => isSounding === true).length;

/** Told one from another by what they are, whatever the colour: how long, how many, how even. */
const SOUNDS: Readonly<Record<Sound, string>> = {
  in: 'welcome',
  out: 'goodbye',
  note: 'already-in',
  again: 'please-measure-again',
  staff: 'please-see-staff',
  'go-on': 'scan-card-now',
  stop: 'not-a-card',
  none: 'holder-left',
};

t.test('board: what looks and sounds alike on the screen does so on the board, and nothing else does', async (t) => {
  const bySound = Map.groupBy(
    KINDS.filter((kind) => !kind.startsWith('door-')),
    (kind) => LOOKS[kind].sound,
  );
  const rhythms = [...bySound.values()].map((kinds) => new Set(kinds.map((kind) => JSON.stringify(signal(kind)))));
  t.ok(rhythms.every(({ size }) => size === 1));
  const doors = ['door-in', 'door-out', 'door-both'] as const;
  const all = [...Object.values(SOUNDS), ...doors].map(
    (kind) => `${drawn(signal(kind as FeedbackKind))} ${heard(signal(kind as FeedbackKind))}`,
  );
  t.equal(new Set(all).size, all.length, 'each has a rhythm of its own, without its colour');
  for (const kind of KINDS) {
    const lastsMs = signal(kind).reduce((sum, { forMs }) => sum + forMs, 0);
    t.ok(lastsMs < 5_000 && (lastsMs > 200 || LOOKS[kind].sound === 'none'), kind);
    // What the screen shows in the colour of a refusal is no long light here, and the other way round.
    if (LOOKS[kind].tone === 'stop') t.equal(LOOKS[kind].sound, 'stop', kind);
  }
});

t.test('board: an answer that is kept here says so behind it', async (t) => {
  t.not(drawn(signalOf({ kind: 'welcome', isStoredOffline: true })), drawn(signal('welcome')));
  t.ok(drawn(signalOf({ kind: 'welcome', isStoredOffline: true })).startsWith(drawn(signal('welcome'))));
});

t.test('board: rests are silent, told apart without colour, and over before they come again', async (t) => {
  const shown = Object.values(REST_SIGNALS).filter(({ length }) => length > 0);
  t.equal(new Set(shown.map(drawn)).size, shown.length);
  for (const steps of shown) {
    t.equal(heard(steps), 0);
    t.ok(steps.reduce((sum, { forMs }) => sum + forMs, 0) < REST_EVERY_MS);
  }
});

t.test('board: docs/devices/board.md draws what the board does', async (t) => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/devices/board.md'), 'utf8');
  const missing: string[] = [];
  const look = (name: string, steps: Signal) => {
    const row = `\`${drawn(steps)}\``;
    if (!page.split('\n').some((line) => line.includes(`(${name})`) && line.includes(row))) missing.push(`(${name}) ${row}`);
  };
  for (const [sound, kind] of Object.entries(SOUNDS)) if (sound !== 'none') look(sound, signal(kind as FeedbackKind));
  for (const kind of ['door-in', 'door-out', 'door-both'] as const) look(kind, signal(kind));
  for (const [rest, steps] of Object.entries(REST_SIGNALS)) if (steps.length > 0) look(rest as BoardRest, steps);
  t.strictSame(missing, []);
});

t.test('board: docs/devices/board.md names every answer of the screen beside its signal', async (t) => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/devices/board.md'), 'utf8').split('\n');
  const named = new Map(page.map((line) => /^\| ([a-z-]+) \| (.*) \|$/.exec(line)).map((found) => [found?.[1], found?.[2]?.split(' · ')]));
  for (const kind of KINDS.filter((one) => !one.startsWith('door-') && LOOKS[one].sound !== 'none'))
    t.ok(named.get(LOOKS[kind].sound)?.includes(en.answers[kind][0]), `${kind}: ${en.answers[kind][0]}`);
});

t.test('board: says what the screen says while nobody is answered', async (t) => {
  const none = { thermometers: [], sniffers: [], boards: [] };
  const device = { name: 'thermometer', isUp: false, why: 'device.gone' as const };
  const rest = (more: object) => boardRest({ ...WELL, ...more }, none, 'kiosk');
  t.equal(rest({}), 'ready');
  t.equal(rest({ faults: ['store.low'] }), 'fault');
  t.equal(rest({ faults: ['kiosk.stalled'] }), 'ready', 'which is over when it is told');
  t.equal(rest({ isOnline: false, linkWhy: 'link.lost' }), 'offline');
  t.equal(rest({ isOnline: false, linkWhy: 'link.lost', faults: ['clock.wrong'] }), 'fault');
  t.equal(rest({ devices: [device], faults: ['clock.wrong'] }), 'device-missing');
  t.equal(rest({ storeWhy: 'store.hung', devices: [device] }), 'not-storing');
  t.equal(rest({ isAwaitingCode: true }), 'not-set-up');
  t.equal(rest({ settings: { isOutOfOrder: true } }), 'out-of-order');
});

t.test('board: its button counts presses, and is held for five seconds', async (t) => {
  const clock = new ManualClock();
  const said: Press[] = [];
  const presses = new ButtonPresses(clock, (press) => said.push(press));
  const press = async (times: number) => {
    for (let time = 0; time < times; time++) {
      presses.down();
      await clock.advance(150);
      presses.up();
      await clock.advance(150);
    }
    await clock.advance(PRESSES_WITHIN_MS);
  };
  for (const times of [1, 2, 3, 4]) await press(times);
  t.strictSame(said, ['once', 'twice', 'thrice', 'thrice']);
  presses.down();
  await clock.advance(HELD_MS);
  t.equal(said.at(-1), 'held', 'while it is held: nobody counts to five');
  presses.up();
  await clock.advance(HELD_MS);
  t.equal(said.length, 5, 'letting go says nothing more');
  presses.down();
  presses.stop();
  await clock.advance(HELD_MS);
  t.equal(said.length, 5, 'a board that is gone presses nothing');
});

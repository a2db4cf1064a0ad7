import t from 'tap';
import type { FeedbackKind } from '../../kiosk/feedback.ts';
import { LOOKS } from '../../kiosk/feedback-words.ts';
import { Health, queueOf, reportOf } from '../../kiosk/health.ts';
import { statusWords } from '../../kiosk/status-words.ts';
import { printFeedback, StatusPrinter } from '../../kiosk/terminal.ts';
import { roadOf } from '../../kiosk/watchdog/watchdog.ts';
import { decodeKioskState, encodeKioskState } from '../../protocol/kiosk-state.ts';
import { mono, wall } from './fixtures.ts';

const said = (kind: FeedbackKind, hasColour: boolean, isStoredOffline = false): string => {
  let text = '';
  const at = { wallMs: wall(0), monotonicMs: mono(0) };
  printFeedback(
    {
      hasColour,
      write: (part) => {
        text += part;
      },
    },
    { kind, isStoredOffline, at, seq: undefined, keyId: undefined },
    'en',
  );
  return text;
};

t.test('printFeedback: one line in words and an icon, in colour where there is colour', async (t) => {
  t.equal(said('welcome', false), ' ✓ Welcome \n');
  t.equal(said('welcome', true), '\u001b[1;32m ✓ Welcome \u001b[0m\n');
  t.equal(said('goodbye', false, true), ' → Goodbye  Kept here until the gateway can be reached.\n');
  for (const kind of Object.keys(LOOKS) as FeedbackKind[]) t.notMatch(said(kind, false), '\u001b', kind);
});

t.test('printFeedback: what a high reading says is neutral', async (t) => {
  for (const kind of ['please-measure-again', 'please-see-staff'] as const) t.notMatch(said(kind, false), /fever|temperature|high|ill|°/i);
});

t.test('Health: says what is down, what a restart may cure, and what a person has to know', async (t) => {
  let changes = 0;
  const queue = { queued: 0, oldestQueuedMs: undefined, droppedUnsent: 0 };
  const health = new Health({ queue: () => queue, clock: () => 'synced' }, () => {
    changes += 1;
  });
  t.equal(health.snapshot().state, 'degraded', 'no link yet');
  health.link(true, undefined);
  t.equal(health.snapshot().state, 'up');
  t.equal(health.device('door', false, 'device.absent'), true);
  t.equal(health.device('door', false, 'device.busy'), false, 'another reason is no event');
  t.equal(health.snapshot().state, 'degraded');
  t.equal(health.device('door', true, undefined), true);
  health.store('store.full');
  t.match(health.snapshot(), { state: 'down', storeWhy: 'store.full' });
  t.equal(health.isAlive, true, 'a restart empties no disk');
  health.store('store.failed');
  t.equal(health.isAlive, false);
  health.store(undefined);
  t.equal(health.isAlive, true);
  const before = changes;
  health.link(true, undefined);
  health.received(0, 0);
  t.equal(changes, before, 'nothing new is not told');
});

t.test('Health: without a store nobody says how many rows wait', async (t) => {
  const health = new Health({ queue: () => queueOf(undefined, mono(0)), clock: () => 'synced' }, () => {});
  health.store('store.corrupt');
  t.match(health.snapshot(), { queued: undefined, droppedUnsent: undefined });
  const { queued } = decodeKioskState(encodeKioskState(reportOf(health.snapshot(), '1')));
  t.equal(queued, undefined, 'nor to the gateway');
  t.equal(statusWords(health.snapshot()), 'NOT STORING (store.corrupt) · offline · not known how many wait');
  t.equal(roadOf(health.snapshot(), 5).isOnline, false, 'there is no road to judge');
});

t.test('StatusPrinter: prints a state once, and not each row that waits', async (t) => {
  const lines: string[] = [];
  const printer = new StatusPrinter({ hasColour: false, write: (text) => lines.push(text) });
  let queued = 0;
  const health = new Health({ queue: () => ({ queued, oldestQueuedMs: 0, droppedUnsent: 0 }), clock: () => 'unsynced' }, () => {});
  for (queued = 0; queued < 3; queued++) printer.print(health.snapshot());
  health.link(false, 'link.pin');
  printer.print(health.snapshot());
  t.strictSame(lines, ['   connecting · clock unsynced\n', '   offline (link.pin) · clock unsynced\n']);
});

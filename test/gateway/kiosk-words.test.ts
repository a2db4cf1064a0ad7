/** What page, terminal and metrics say of one kiosk, in the states that were once taken for good. */
import t from 'tap';
import type { Kiosk } from '../../gateway/registry.ts';
import type { KioskProblems } from '../../gateway/state-board.ts';
import { readErrorWords } from '../../gateway/web/error-words.ts';
import { type KioskFacts, kioskWords, spanWords } from '../../gateway/web/kiosk-words.ts';
import type { KioskStateReport } from '../../protocol/kiosk-state.ts';
import { report } from '../support/busy-gateway.ts';

const HOUR_MS = 3_600_000;
const words = readErrorWords();
const problems: KioskProblems = {
  isConnected: true,
  isCloned: false,
  clonedRows: 0,
  missingRows: 0,
  quarantine: { items: 0, bytes: 0, reasons: {} },
  withheld: undefined,
  cutOff: undefined,
  doubts: {},
  takeovers: 0,
};
const activity = (told: KioskStateReport | undefined, more: Partial<KioskFacts['activity']> = {}): KioskFacts['activity'] => ({
  report: told,
  reportedAtMs: undefined,
  lastReceivedAtMs: undefined,
  occupancy: undefined,
  disconnectedAtMs: undefined,
  rowsPerMinute: [],
  ...more,
});
const admission = { admittedAtMs: 0, revokedAtMs: undefined } as unknown as Kiosk;
const at = (facts: Partial<KioskFacts>, nowMs: number) =>
  kioskWords({ admission, problems, activity: activity(report()), ...facts }, words, nowMs, 0);

t.test('kiosk words: one that was admitted and never came is waited for an hour, then somebody has to look', async (t) => {
  t.equal(at({ problems: undefined }, HOUR_MS).tone, 'off');
  t.match(at({ problems: undefined }, 3 * HOUR_MS), { tone: 'act', summary: 'Not connected yet', troubles: [{ sinceMs: 0 }] });
});

t.test('kiosk words: a revoked one that still tries is worth a look until it stops', async (t) => {
  const revoked = { ...admission, revokedAtMs: 0 } as unknown as Kiosk;
  t.match(at({ admission: revoked }, HOUR_MS), { tone: 'off', summary: 'Revoked' });
  t.match(at({ admission: revoked, refusedAtMs: HOUR_MS - 60_000 }, HOUR_MS), { tone: 'look', troubles: [{ text: /still runs/ }] });
  t.match(at({ admission: revoked, refusedAtMs: 0 }, HOUR_MS), { tone: 'off' });
});

t.test('kiosk words: of one whose link is lost only that is told', async (t) => {
  const before = report({ clock: 'unsynced', lastError: 'device.absent', devices: [{ name: 'scanner', isUp: false }] });
  const gone = at({ problems: { ...problems, isConnected: false }, activity: activity(before, { disconnectedAtMs: 0 as never }) }, 60_000);
  t.strictSame(
    gone.troubles.map(({ text }) => text),
    ['Not connected.'],
  );
});

t.test('kiosk words: one that is connected and records nothing for three days is worth a look', async (t) => {
  const last = { lastReceivedAtMs: HOUR_MS as never };
  t.match(at({ activity: activity(report(), last) }, 72 * HOUR_MS), { tone: 'good' });
  t.match(at({ activity: activity(report(), last) }, 74 * HOUR_MS), { tone: 'look', summary: 'Silent' });
});

t.test('kiosk words: a device that is missing is told with its place and since when, by the clock of the gateway', async (t) => {
  const told = report({ devices: [{ name: 'scanner', isUp: false, why: 'device.absent', path: '/dev/ttyACM0', downForMs: 720_000 }] });
  const [trouble] = at({ activity: activity(told, { reportedAtMs: HOUR_MS as never }) }, HOUR_MS + 60_000).troubles;
  t.match(trouble, { tone: 'act', text: /^Scanner \/dev\/ttyACM0: /, sinceMs: HOUR_MS - 720_000, code: 'device.absent' });
  const [before] = at(
    { activity: activity(report({ devices: [{ name: 'scanner', isUp: false, why: 'device.absent' }] })) },
    HOUR_MS,
  ).troubles;
  t.match(before, { text: /^Scanner: /, sinceMs: undefined });
});

t.test('kiosk words: one that its staff took out of use is worth a look', async (t) => {
  const settings = { language: 'de', sound: 'quiet', isOutOfOrder: true } as const;
  t.match(at({ activity: activity(report({ settings })) }, 0), { tone: 'look', summary: 'Out of use' });
});

t.test('span words: one unit, rounded down', async (t) => {
  t.strictSame([-5, 59_999, 60_000, 2 * HOUR_MS, 72 * HOUR_MS].map(spanWords), ['0 s', '59 s', '1 min', '2 h', '3 days']);
});

t.test('kiosk words: one without a scanner, and one that refuses every card, need somebody', async (t) => {
  const without = report({ devices: [{ name: 'scanner', isUp: false, why: 'device.no_scanner' }], lastError: 'device.no_scanner' });
  t.match(at({ activity: activity(without) }, 0), {
    tone: 'act',
    summary: 'No scanner',
    troubles: [{ text: /^The kiosk has no scanner/ }],
  });
  const refusing = (taken: number, refusedInARow: number) =>
    at({ activity: activity(report({ scans: { taken, refused: { 'card-refused': refusedInARow }, refusedInARow } })) }, 0);
  t.match(refusing(0, 5), { tone: 'act', summary: 'Refuses cards', troubles: [{ text: /refused the last 5 cards .* took none/ }] });
  t.match(refusing(40, 5), { tone: 'look' });
  t.match(refusing(40, 4), { tone: 'good' });
});

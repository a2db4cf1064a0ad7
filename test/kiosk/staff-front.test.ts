import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { DoorRules } from '../../kiosk/door-rules.ts';
import type { Feedback } from '../../kiosk/feedback.ts';
import type { Moment } from '../../kiosk/recorder.ts';
import { SettingsKeeper } from '../../kiosk/staff/settings.ts';
import { MENU_STAYS_MS, StaffFront } from '../../kiosk/staff/staff-front.ts';
import { issuerOf, signCard, signStaffCard } from '../../protocol/card.ts';
import { encodeCode, type StaffCommand } from '../../protocol/code.ts';
import { generateSigningKey, rawPublicKey } from '../../protocol/ed25519.ts';
import { StoreError } from '../../protocol/errors.ts';
import type { Happening, RowRef } from '../../protocol/event.ts';
import { type DeploymentId, type KeyId, newPlaceId, type Seq } from '../../protocol/ids.ts';
import { newKeyCode } from '../../protocol/key-code.ts';
import { silentLog } from '../../protocol/log.ts';
import { deriveVisitor } from '../../protocol/visitor.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { toldFront } from './told-front.ts';

const DAY_MS = 86_400_000;
const FIRST = { language: 'en', sound: 'normal' } as const;

function open(t: Pick<Test, 'testdir'>, dir = t.testdir()) {
  mkdirSync(dir, { recursive: true });
  const clock = new ManualClock();
  const key = generateSigningKey();
  const deployment = newPlaceId<DeploymentId>();
  const lost = deriveVisitor(newKeyCode()).card;
  const [said, inner, menus]: [string[], string[], boolean[]] = [[], [], []];
  const kept: { readonly happening: Happening; readonly at: Moment }[] = [];
  const now = { knowsTime: true, isFull: false, direction: 'in' as 'in' | 'out' | 'both' | undefined };
  const rules = (direction = now.direction) =>
    ({
      direction,
      trust: { deployment, issuers: [issuerOf(rawPublicKey(key))], mayTakeUnsigned: false },
      isWithdrawn: (card: Uint8Array) => Buffer.compare(card, lost) === 0,
    }) as unknown as DoorRules;
  const door = toldFront('in', inner);
  const settings = new SettingsKeeper(dir, FIRST, silentLog, () => {});
  const front: StaffFront = new StaffFront(door, {
    rules: rules(),
    settings,
    append: (happening, at) => {
      if (now.isFull) throw new StoreError('store.full', 'full');
      kept.push({ happening, at });
      return { seq: kept.length as Seq, keyId: new Uint8Array(8) as KeyId } satisfies RowRef;
    },
    isOnline: () => true,
    knowsTime: () => now.knowsTime,
    retentionMs: 21 * DAY_MS,
    clock,
    onFeedback: (feedback: Feedback) => {
      said.push(feedback.kind);
      front.heard(feedback);
    },
    onMenu: () => menus.push(front.isOpen),
  });
  const at = (): Moment => ({ wallMs: clock.wall(), monotonicMs: clock.monotonic() });
  const staffCard = (command: StaffCommand = 'menu', signer = key, card = deriveVisitor(newKeyCode()).card) =>
    encodeCode(signStaffCard(card, command, deployment, signer));
  const card = () => encodeCode(signCard(deriveVisitor(newKeyCode()).card, deployment, key));
  const scan = (text: string) => front.scan(text, at());
  return { front, clock, dir, lost, key, said, inner, menus, kept, now, settings, rules, at, staffCard, card, scan };
}

t.test('staff: a signed card opens the menu for a minute; a forged or a lost one does not, and a visitor’s goes its way', async (t) => {
  const { front, clock, said, inner, lost, key, staffCard, card, scan } = open(t);
  scan(staffCard('menu', generateSigningKey()));
  scan(staffCard('menu', key, lost));
  t.strictSame([said, front.isOpen], [['card-refused', 'card-withdrawn'], false]);
  scan(card());
  scan('nonsense');
  t.strictSame(inner, ['scan', 'scan']);
  scan(staffCard());
  t.ok(front.isOpen);
  await clock.advance(MENU_STAYS_MS - 1);
  front.stay();
  await clock.advance(MENU_STAYS_MS - 1);
  t.ok(front.isOpen, 'while somebody is at it, it stays');
  await clock.advance(1);
  t.notOk(front.isOpen);
  scan(staffCard('undo'));
  t.strictSame(inner.at(-1), 'undo');
  t.notOk(front.isOpen, 'a card for one command opens nothing');
});

t.test('staff: out of order turns every card away and takes staff cards still; it survives a restart', async (t) => {
  const { front, dir, said, inner, settings, staffCard, card, scan, at } = open(t);
  settings.change({ isOutOfOrder: true, language: 'ar', sound: 'silent' });
  scan(card());
  front.noScan(at());
  front.reading({} as never, at());
  t.strictSame([said, inner], [['out-of-order', 'out-of-order'], []]);
  scan(staffCard());
  t.ok(front.isOpen);
  t.strictSame(new SettingsKeeper(dir, FIRST, silentLog, () => {}).now, { language: 'ar', sound: 'silent', isOutOfOrder: true });
  for (const broken of ['{', '{"language":"tlh"}', 'x'.repeat(5_000)]) {
    writeFileSync(join(dir, 'staff.json'), broken);
    t.strictSame(new SettingsKeeper(dir, FIRST, silentLog, () => {}).now, { ...FIRST, isOutOfOrder: false }, 'a broken file is none');
  }
});

t.test('staff: a direction that was chosen is chosen again at the next start, unless the entrance was changed meanwhile', async (t) => {
  const { front, dir, at, rules } = open(t);
  front.heard({ kind: 'door-out', isStoredOffline: false, at: at(), seq: undefined, keyId: undefined });
  t.match(JSON.parse(readFileSync(join(dir, 'staff.json'), 'utf8')), { door: { direction: 'out', over: 'in' } });
  const again = open(t, dir);
  again.front.resume(at());
  t.strictSame(again.inner, ['door-out']);
  const turned = open(t, dir);
  turned.front.adopt(rules('both'));
  turned.front.resume(at());
  t.strictSame(turned.inner, []);
});

t.test('staff: cards from paper are kept with the time that was stated, once each, and can be taken back', async (t) => {
  const { front, clock, said, kept, now, staffCard, card, scan, at, lost } = open(t);
  const hourAgo = clock.wall() - 3_600_000;
  t.notOk(front.beginPaper(hourAgo, 'in'), 'not without the menu');
  scan(staffCard());
  for (const wrong of [clock.wall() + 1, clock.wall() - 21 * DAY_MS]) t.notOk(front.beginPaper(wrong, 'in'));
  now.knowsTime = false;
  t.notOk(front.beginPaper(hourAgo, 'in'), 'a kiosk that does not know the time can state none');
  now.knowsTime = true;
  t.ok(front.beginPaper(hourAgo, 'in'));
  const first = card();
  for (const text of [first, first, card(), 'nonsense', encodeCode({ kind: 'key', keyCode: newKeyCode() })]) scan(text);
  t.strictSame(said.splice(1), ['paper-kept', 'paper-known', 'paper-kept', 'not-a-card', 'not-a-card']);
  t.strictSame(
    kept.map(({ happening, at }) => [happening.type, at.wallMs, clock.monotonic() - at.monotonicMs]),
    [1, 2].map(() => ['check-in', hourAgo, 3_600_000]),
  );
  t.equal(front.paper?.count, 2);
  front.command('undo', at());
  t.match(kept.at(-1), { happening: { type: 'undo', of: { seq: 2 } }, at: { wallMs: clock.wall() } });
  t.equal(front.paper?.count, 1);
  now.isFull = true;
  scan(card());
  t.equal(said.at(-1), 'refused-full');
  front.forget(() => true);
  t.equal(front.paper?.count, 0);
  t.equal(lost.length, 16);
  await clock.advance(MENU_STAYS_MS);
  t.equal(front.paper, undefined, 'it ends with the menu');
});

t.test('staff: the last ten answers say what and when, and never who', async (t) => {
  const { front, at } = open(t);
  const keyId = new Uint8Array(8) as KeyId;
  for (let seq = 1; seq <= 12; seq++)
    front.heard({ kind: seq % 2 === 0 ? 'welcome' : 'not-a-card', isStoredOffline: false, at: at(), seq: seq as Seq, keyId });
  t.equal(front.lastAnswers.length, 10);
  t.strictSame(Object.keys(front.lastAnswers[0] ?? {}), ['kind', 'atMs']);
  t.equal(front.lastAnswers[0]?.kind, 'welcome');
});

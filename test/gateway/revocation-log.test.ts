/** The log of revocations: each line says what it said, in its place behind the line before, or is refused. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Change, RevocationLog, readChanges } from '../../gateway/backup/revocation-log.ts';
import { type EntranceId, type KioskId, newPlaceId, type VenueId } from '../../protocol/ids.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import fc from '../support/properties.ts';
import { outcomeOf } from '../support/wire.ts';

const KEY = new Uint8Array(32).fill(7);
const atMs = 1_795_251_600_000 as EpochMillis;
const kiosk = newPlaceId<KioskId>();
const publicKey = new Uint8Array(32).fill(1);
const placed = { kiosk, publicKey, venue: newPlaceId<VenueId>(), entrance: newPlaceId<EntranceId>() };

const ALL: readonly Change[] = [
  { kind: 'admitted', atMs, ...placed, direction: 'both', isDirectionTold: true, dwellMs: 7_200_000 },
  { kind: 'admitted', atMs, ...placed, role: 'clinic' },
  { kind: 'clinician-revoked', atMs, digest: new Uint8Array(16).fill(4) },
  { kind: 'revoked', atMs, kiosk },
  { kind: 'lost', atMs, digest: new Uint8Array(16).fill(2) },
  { kind: 'found', atMs, digest: new Uint8Array(16).fill(2) },
  { kind: 'code-used', atMs, number: 7, kiosk, publicKey },
  { kind: 'code-withdrawn', atMs, number: 8 },
  { kind: 'account', atMs, name: 'ann', role: 'manager', holder: 'person', secretHash: new Uint8Array(48).fill(3) },
  { kind: 'account-removed', atMs, name: 'ann' },
];

function logIn(t: Test, name: string): RevocationLog {
  const directory = join(t.testdirName, name);
  mkdirSync(directory, { recursive: true });
  const log = new RevocationLog(directory, KEY);
  t.teardown(() => log.close());
  return log;
}

t.test('revocations: every kind of change comes back as it was', async (t) => {
  t.testdir();
  const log = logIn(t, 'gateway');
  log.add(...ALL.slice(0, 4));
  for (const one of ALL.slice(4)) log.add(one);
  t.strictSame(readChanges(log.lines(), KEY), ALL);
  t.equal(log.count(), ALL.length);
  t.notMatch(log.lines().join(), kiosk, 'and is not to be read without the key');
});

t.test('revocations: any altered character, and any line left out, doubled or moved, is refused', async (t) => {
  t.testdir();
  const log = logIn(t, 'gateway');
  log.add(...ALL);
  const lines = log.lines();
  const refused = (altered: readonly string[]): boolean => outcomeOf(() => readChanges(altered, KEY)) === 'backup.altered';
  fc.assert(
    fc.property(fc.nat(lines.length - 1), fc.nat(200), fc.constantFrom('A', 'z', '_', ' ', '='), (at, place, letter) => {
      const line = lines[at] ?? '';
      const position = place % line.length;
      const altered = `${line.slice(0, position)}${letter}${line.slice(position + 1)}`;
      // The last letter of base64url may have bits that stand for nothing.
      return Buffer.from(altered, 'base64url').equals(Buffer.from(line, 'base64url')) || refused(lines.with(at, altered));
    }),
  );
  for (const [at, line] of lines.entries()) {
    if (at < lines.length - 1) t.ok(refused(lines.toSpliced(at, 1)), `without line ${at + 1}`);
    t.ok(refused(lines.toSpliced(at, 0, line)), `line ${at + 1} twice`);
  }
  t.ok(refused([...lines.slice(0, 2), lines[3] ?? '', lines[2] ?? '']));
  t.equal(
    outcomeOf(() => readChanges(lines, new Uint8Array(32))),
    'backup.altered',
    'under another key',
  );
});

t.test('revocations: a line of another log that began alike does not fit behind a line of this one', async (t) => {
  t.testdir();
  const [one, other] = [logIn(t, 'one'), logIn(t, 'other')];
  one.add({ kind: 'revoked', atMs, kiosk });
  other.addLines(one.lines());
  for (const log of [one, other]) log.add({ kind: 'code-withdrawn', atMs, number: 1 }, { kind: 'code-withdrawn', atMs, number: 2 });
  const [first = '', second = ''] = one.lines();
  t.equal(
    outcomeOf(() => readChanges([first, second, other.lines()[2] ?? ''], KEY)),
    'backup.altered',
  );
  t.equal(readChanges(other.lines(), KEY).length, 3);
});

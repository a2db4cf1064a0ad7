import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import t from 'tap';
import {
  decodeKioskState,
  downState,
  encodeKioskState,
  type KioskStateReport,
  LONGEST_DEVICE_PATH,
  LONGEST_KIOSK_STATE_BYTES,
} from '../../protocol/kiosk-state.ts';
import fc from '../support/properties.ts';
import { outcomeOf, prefixesOf } from '../support/wire.ts';

const report: KioskStateReport = {
  isUp: true,
  state: 'degraded',
  queued: 12,
  oldestQueuedMs: 90_000,
  clock: 'assumed',
  devices: [
    { name: 'scanner', isUp: true },
    { name: 'thermometer', isUp: false, why: 'device.gone' },
  ],
  lastError: 'link.lost',
  version: '0.1.0',
};
const text = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

t.test('kiosk state: a report comes back, and cut anywhere is refused', (t) => {
  t.strictSame(decodeKioskState(encodeKioskState(report)), report);
  for (const prefix of prefixesOf(encodeKioskState(report)))
    if (outcomeOf(() => decodeKioskState(prefix)) !== 'decode.malformed') t.fail(`${prefix.length} bytes`);
  t.end();
});

t.test('kiosk state: what a newer kiosk adds is left out, not refused', (t) => {
  const newer = { ...report, battery: 80, devices: [{ name: 'scanner', isUp: true, firmware: '2' }] };
  t.strictSame(decodeKioskState(text(newer)), { ...report, devices: [{ name: 'scanner', isUp: true }] });
  t.end();
});

t.test('kiosk state: the vectors are read as they say, and what is wrong in one is refused', (t) => {
  const vectors = JSON.parse(readFileSync(resolve(import.meta.dirname, '../vectors/kiosk-state.json'), 'utf8')) as {
    readonly accepted: readonly { readonly name: string; readonly json: string; readonly value: unknown }[];
    readonly refused: readonly { readonly name: string; readonly json: string; readonly code: string }[];
  };
  for (const { name, json, value } of vectors.accepted) t.strictSame(decodeKioskState(Buffer.from(json)), value, name);
  for (const { name, json, code } of vectors.refused)
    t.equal(
      outcomeOf(() => decodeKioskState(Buffer.from(json))),
      code,
      name,
    );
  t.end();
});

t.test('kiosk state: where nobody can tell how many rows wait, no count is read, and a gateway a release behind can read the rest', (t) => {
  const { queued: _queued, oldestQueuedMs: _oldest, ...unknown } = report;
  t.strictSame(decodeKioskState(encodeKioskState(unknown)), unknown);
  t.match(JSON.parse(new TextDecoder().decode(encodeKioskState(unknown))), { queued: 0, isQueueUnknown: true });
  t.notMatch(new TextDecoder().decode(encodeKioskState(report)), 'isQueueUnknown');
  t.end();
});

t.test('kiosk state: as many devices as there may be, each missing and at its longest, are under the bound', (t) => {
  const device = { isUp: false, why: 'device.no_scanner', path: 'x'.repeat(LONGEST_DEVICE_PATH), downForMs: Number.MAX_SAFE_INTEGER };
  const most = Number.MAX_SAFE_INTEGER;
  const refused = { 'not-a-card': most, 'card-refused': most, 'card-withdrawn': most, 'keep-at-home': most, 'refused-full': most };
  const full: KioskStateReport = {
    ...report,
    queued: most,
    oldestQueuedMs: most,
    devices: Array.from({ length: 32 }, (_, n) => ({ name: `scanner-${n}`.padEnd(32, '0'), ...device })),
    faults: Array.from({ length: 8 }, () => 'kiosk.link_acknowledges_nothing'),
    policy: { version: 0xffff_ffff, why: 'policy.wrong_deployment' },
    notices: { version: 0xffff_ffff, why: 'notice.wrong_deployment' },
    sentAgain: 0xffff_ffff,
    gatewayKey: 0xffff_ffff,
    scans: { taken: most, refused: { ...refused, 'refused-store': most }, refusedInARow: most },
    settings: { direction: 'both', language: 'de', sound: 'normal', isOutOfOrder: true },
  };
  t.strictSame(decodeKioskState(encodeKioskState(full)), full);
  t.end();
});

t.test('kiosk state: the Will says down, and no more than is known', (t) => {
  t.strictSame(decodeKioskState(encodeKioskState(downState('0.1.0'))), {
    isUp: false,
    state: 'down',
    clock: 'unsynced',
    devices: [],
    version: '0.1.0',
  });
  t.end();
});

t.test('kiosk state: what is missing or out of bounds is refused, by its place and without its value', (t) => {
  const { version, ...noVersion } = report;
  const secret = 'x'.repeat(40);
  for (const wrong of [
    noVersion,
    { ...report, queued: -1 },
    { ...report, queued: 1.5 },
    { ...report, state: 'fine' },
    { ...report, clock: 'right' },
    { ...report, isUp: 'yes' },
    { ...report, devices: [{ name: 'Scanner 1', isUp: true }] },
    { ...report, devices: Array.from({ length: 33 }, () => ({ name: 'scanner', isUp: true })) },
    { ...report, lastError: secret },
    { ...report, version: `${version} ${secret}` },
    [],
    null,
    'up',
  ]) {
    t.equal(
      outcomeOf(() => decodeKioskState(text(wrong))),
      'decode.malformed',
      JSON.stringify(wrong)?.slice(0, 60),
    );
    try {
      decodeKioskState(text(wrong));
    } catch (error) {
      t.notMatch(String(error), secret);
    }
  }
  t.equal(
    outcomeOf(() => encodeKioskState({ ...report, queued: -1 })),
    'decode.malformed',
  );
  t.end();
});

t.test('kiosk state: text that is no JSON, no UTF-8, or too long is refused', (t) => {
  for (const bytes of ['', '{', 'null', '[1', '{"isUp":tru'])
    t.equal(
      outcomeOf(() => decodeKioskState(Buffer.from(bytes))),
      'decode.malformed',
    );
  t.equal(
    outcomeOf(() => decodeKioskState(new Uint8Array([0x22, 0xff, 0x22]))),
    'decode.malformed',
  );
  t.equal(
    outcomeOf(() => decodeKioskState(new Uint8Array(LONGEST_KIOSK_STATE_BYTES + 1))),
    'decode.overlong',
  );
  const unknownKey = Buffer.from(JSON.stringify({ ...report, comment: '~' })).map((byte) => (byte === 0x7e ? 0xff : byte));
  t.equal(
    outcomeOf(() => decodeKioskState(unknownKey)),
    'decode.malformed',
    'no UTF-8 where nobody looks',
  );
  t.end();
});

t.test('kiosk state: arbitrary bytes and arbitrary JSON are refused by code, or come back', (t) => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        fc.json().map((json) => new Uint8Array(Buffer.from(json))),
      ),
      (bytes) => /^(decode\.|nothing thrown)/.test(outcomeOf(() => decodeKioskState(bytes))),
    ),
    { numRuns: 2_000 },
  );
  t.pass();
  t.end();
});

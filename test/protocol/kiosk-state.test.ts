import fc from 'fast-check';
import t from 'tap';
import {
  decodeKioskState,
  downState,
  encodeKioskState,
  type KioskStateReport,
  LONGEST_KIOSK_STATE_BYTES,
} from '../../protocol/kiosk-state.ts';
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

t.test('kiosk state: the Will says down, and no more than is known', (t) => {
  t.match(decodeKioskState(encodeKioskState(downState('0.1.0'))), { isUp: false, state: 'down', devices: [] });
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

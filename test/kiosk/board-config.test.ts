import t from 'tap';
import { BOARD_SIGNALS } from '../../kiosk/board-signals.ts';
import { parseConfig } from '../../kiosk/config.ts';
import type { FeedbackKind } from '../../kiosk/feedback.ts';

const withBoard = (board: Record<string, unknown>, more: Record<string, unknown> = {}) =>
  parseConfig({ dataDir: 'd', trustPath: 't', boards: [{ kind: 'firmata', name: 'board', path: '/dev/board', ...board }], ...more })
    .boards[0];

t.test('board configuration: defaults', async (t) => {
  t.match(withBoard({}), { baudRate: 57_600, light: undefined, thermometer: undefined });
  t.match(withBoard({ thermometer: { model: 'mlx90614', name: 'forehead' } }), { thermometer: { address: 0x5a } });
  t.match(withBoard({ proximity: { sensor: 'gp2y0a41', pin: 'A3' } }), { proximity: { nearCentimetres: 20, supplyMillivolts: 5_000 } });
  t.match(withBoard({ light: { kind: 'rgb', pins: { red: 9, green: 10, blue: 11 } } }), { light: { isCommonAnode: false } });
});

t.test('board configuration: faults are told', async (t) => {
  const cases: readonly (readonly [Record<string, unknown>, RegExp])[] = [
    [{ button: { pin: 1 } }, /button\.pin/],
    [{ buzzer: { kind: 'loud', pin: 4 } }, /buzzer\.kind/],
    [{ button: { pin: 9 }, light: { kind: 'rgb', pins: { red: 9, green: 10, blue: 11 } } }, /pin 9 is given twice/],
    [{ light: { kind: 'three', pins: { green: 8, yellow: 8, red: 12 } } }, /pin 8 is given twice/],
    [{ proximity: { sensor: 'gp2y0a21', pin: '0' } }, /A0 to A15/],
    [{ thermometer: { model: 'mlx90614', name: 'forehead', address: 0x78 } }, /address/],
    [{ thermometer: { model: 'mlx90614', name: 'board' } }, /the name board is given twice/],
    [{ lamp: true }, /lamp/],
  ];
  for (const [board, message] of cases) t.throws(() => withBoard(board), { code: 'config.invalid', message });
});

t.test('board signals: none lasts longer than a person waits, and none is empty', async (t) => {
  for (const [kind, signal] of Object.entries(BOARD_SIGNALS)) {
    const lastsMs = signal.reduce((sum, { forMs }) => sum + forMs, 0);
    t.ok(lastsMs > 200 && lastsMs < 5_000, `${kind}: ${lastsMs} ms`);
    t.ok(
      signal.some(({ light }) => light !== undefined),
      kind,
    );
  }
});

t.test('board signals: no two different answers look alike without colour', async (t) => {
  const rhythms = new Map<string, FeedbackKind[]>();
  for (const [kind, signal] of Object.entries(BOARD_SIGNALS)) {
    const key = signal.map(({ light, forMs }) => `${light === undefined ? '-' : '+'}${forMs}`).join('');
    rhythms.set(key, [...(rhythms.get(key) ?? []), kind as FeedbackKind]);
  }
  t.strictSame(
    [...rhythms.values()].map((kinds) => kinds.join(' ')),
    [
      'welcome thank-you sticker-linked enrolled',
      'already-in already-out undone nothing-to-undo staff-menu holder-asking holder-notice holder-no-notice holder-erasing holder-erased holder-left took-too-long desk-cleared enrolling',
      'goodbye result-recorded',
      'door-in',
      'door-out',
      'door-both',
      'please-measure-again holder-unreached choose-result enrol-unreached',
      'please-see-staff',
      'not-a-card card-refused card-withdrawn keep-at-home not-a-clinic sticker-used sticker-expired sticker-void sticker-refused not-a-sticker clinician-unknown holder-refused no-test-yet result-there-already not-enrolled enrol-refused refused-full refused-store',
      'scan-card-now scan-sticker-now holder-scan-key holder-scan-to-revoke scan-test-sticker',
    ],
  );
});

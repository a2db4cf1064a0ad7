import t from 'tap';
import { parseConfig } from '../../kiosk/config.ts';

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

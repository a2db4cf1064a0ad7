/** A front that does nothing but write down what it was told. */
import type { Direction } from '../../kiosk/check-in-state.ts';
import type { Front } from '../../kiosk/front.ts';

export const toldFront = (direction: Direction, told: string[]): Front => ({
  direction,
  scan: () => void told.push('scan'),
  noScan: () => void told.push('no scan'),
  command: (command) => void told.push(command),
  reading: () => void told.push('reading'),
  adopt: () => {},
  forget: () => {},
  run: () => Promise.resolve(),
});

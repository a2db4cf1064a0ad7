/** What the door goes by, out of the configuration. */
import type { CentiCelsius } from '../protocol/units.ts';
import type { DoorPolicy } from './check-in-state.ts';
import type { KioskConfig } from './config.ts';

export const policyOf = ({ door, temperature }: KioskConfig): DoorPolicy => ({
  ...door,
  temperature: {
    threshold: temperature.thresholdCentiCelsius as CentiCelsius,
    offset: temperature.offsetCentiCelsius as CentiCelsius,
    offsetId: temperature.offsetId,
    policyVersion: temperature.policyVersion,
    roomLowest: temperature.roomLowestCentiCelsius as CentiCelsius,
    roomHighest: temperature.roomHighestCentiCelsius as CentiCelsius,
  },
});

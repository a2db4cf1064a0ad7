/** The GY-614V module. What it sends: gy-614v-codec.ts. */
import { SampleFramer, SEND_RAW_CONTINUOUSLY } from './gy-614v-codec.ts';
import type { SendingModule } from './sending-thermometer.ts';

/** As the module is delivered; it can be set to others. */
export const BAUD_RATE = 9_600;

export const GY_614V: SendingModule = { command: SEND_RAW_CONTINUOUSLY, newFramer: () => new SampleFramer() };

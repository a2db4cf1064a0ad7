/** The GY-MCU90614 module. What it sends: gy-mcu90614-codec.ts. */
import { SampleFramer, SEND_CONTINUOUSLY } from './gy-mcu90614-codec.ts';
import type { SendingModule } from './sending-thermometer.ts';

/** As the module is delivered; it can be set to 115,200. */
export const BAUD_RATE = 9_600;

export const GY_MCU90614: SendingModule = { command: SEND_CONTINUOUSLY, newFramer: () => new SampleFramer() };

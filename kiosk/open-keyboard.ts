/** A scanner that types, opened over USB or as the kernel's input device, whichever serves here. */
import type { KeyboardLink } from '../hardware/evdev/keyboards.ts';
import { DeviceError } from '../protocol/errors.ts';

export type Via = 'auto' | 'usb' | 'evdev';

type Open = (signal: AbortSignal) => Promise<KeyboardLink>;

/**
 * @param via `auto`: over USB, which needs no addon; where that does not serve (no library, no right, not a USB keyboard) as an input device.
 * @returns an opener. It throws what the way it took throws; of both, the one that says more than that nothing is there.
 */
export function keyboardOpener(via: Via, openUsb: Open, openEvents: Open): Open {
  if (via !== 'auto') return via === 'usb' ? openUsb : openEvents;
  return async (signal) => {
    try {
      return await openUsb(signal);
    } catch (usbError) {
      if (!(usbError instanceof DeviceError) || usbError.code === 'device.busy' || signal.aborted) throw usbError;
      try {
        return await openEvents(signal);
      } catch (error) {
        const saysLittle = error instanceof DeviceError && (error.code === 'device.absent' || error.code === 'device.no_driver');
        throw saysLittle ? usbError : error;
      }
    }
  };
}

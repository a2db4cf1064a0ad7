/** One line of each driver, made wrong: the section of its device must fail. */
import type { SectionName } from './sections.ts';

export interface Break {
  readonly driver: string;
  readonly section: SectionName;
  readonly file: string;
  readonly right: string;
  readonly wrong: string;
}

export const BREAKS: readonly Break[] = [
  {
    driver: 'serial scanner',
    section: 'serial-ftdi',
    file: 'hardware/serial-link.ts',
    right: 'this.#chunk.subarray(0, bytesRead)',
    wrong: 'this.#chunk.subarray(0, bytesRead - 1)',
  },
  {
    driver: 'CDC scanner: its port is not let go of when it is unplugged',
    section: 'gadget',
    file: 'hardware/serial-link.ts',
    right: 'await this.#port.close().catch(() => {});',
    wrong: '',
  },
  {
    driver: 'HID POS scanner',
    section: 'hid-pos',
    file: 'hardware/scanner/hid-pos-codec.ts',
    right: 'bytes: room.subarray(0, count)',
    wrong: 'bytes: room.subarray(1, count)',
  },
  {
    driver: 'keyboard over libusb: taken beside the kernel, not from it',
    section: 'keyboard-usb',
    file: 'hardware/hid/open-scanner.ts',
    right: 'device.libusb : device.hidraw',
    wrong: 'device.hidraw : device.hidraw',
  },
  {
    driver: 'keyboard over evdev: not taken for itself',
    section: 'keyboard-evdev',
    file: 'hardware/evdev/event-link.ts',
    right: 'native.grabEvents(device, true);',
    wrong: '',
  },
  {
    driver: 'infrared thermometer over I2C',
    section: 'infrared',
    file: 'hardware/i2c/i2c-link.ts',
    right: '(high << 8) | low',
    wrong: '(low << 8) | high',
  },
  {
    driver: 'board: its thermometer read with a stop',
    section: 'board',
    file: 'hardware/board/mlx90614-controller.ts',
    right: 'settings: { stopTX: false }',
    wrong: 'settings: { stopTX: true }',
  },
  {
    driver: 'Bluetooth thermometer',
    section: 'bluetooth',
    file: 'hardware/ble/noble-thermometer.ts',
    right: 'await measurement.subscribeAsync();',
    wrong: '',
  },
  {
    driver: 'Bluetooth sniffer',
    section: 'sniffer',
    file: 'hardware/ble/radio-process.ts',
    right: 'onReport: (report) => heard.add(report)',
    wrong: 'onReport: () => {}',
  },
];

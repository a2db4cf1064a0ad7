/** What the kiosk in the guest is set to: a device of every kind. */

/** Scanner kinds, and who hands them their codes. */
export const SCANNERS = {
  'serial-ftdi': 'host',
  'keyboard-usb': 'host',
  'keyboard-evdev': 'agent',
  'hid-pos': 'agent',
  'gadget-hid': 'agent',
  'gadget-serial': 'agent',
  'gadget-keyboard': 'agent',
} as const;

export type ScannerKind = keyof typeof SCANNERS;

/** As udev names them: by maker, model and serial number. */
const byId = (serialNumber: string): string => `/dev/serial/by-id/usb-QEMU_QEMU_USB_SERIAL_${serialNumber}-if00-port0`;

/** By line end: on an emulated processor a device may pause within a code for longer than the silence that ends one. */
export const SETTINGS = {
  scanners: [
    { kind: 'serial', name: 'serial-ftdi', path: byId('scanner'), baudRate: 115_200, framing: 'line' },
    { kind: 'serial', name: 'gadget-serial', path: '/dev/ttyACM0', baudRate: 115_200, framing: 'line' },
    { kind: 'hid-pos', name: 'hid-pos', vendorId: '0c2e', productId: '0b61' },
    { kind: 'hid-pos', name: 'gadget-hid', vendorId: '0c2e', productId: '0b81' },
    { kind: 'keyboard', name: 'gadget-keyboard', vendorId: '0c2e', productId: '0b81', via: 'usb', framing: 'line' },
    { kind: 'keyboard', name: 'keyboard-usb', vendorId: '0627', productId: '0001', via: 'usb', framing: 'line' },
    { kind: 'keyboard', name: 'keyboard-evdev', vendorId: '0c2e', productId: '0b01', via: 'evdev', framing: 'line' },
  ],
  thermometers: [
    { kind: 'mlx90614-i2c', name: 'infrared', path: '/dev/i2c-0', isPecRequired: false },
    { kind: 'ble-health-thermometer', name: 'bluetooth', address: 'c4:be:84:00:00:01', adapter: 0 },
  ],
  boards: [
    {
      kind: 'firmata',
      name: 'board',
      path: byId('board'),
      light: { kind: 'three', pins: { green: 8, yellow: 12, red: 13 } },
      thermometer: { model: 'mlx90614', name: 'board-thermometer' },
    },
  ],
  // A Bluetooth thermometer tells what the body has.
  temperature: { offsetCentiCelsius: 100, offsetId: 1 },
  page: { isOn: false },
};
/** Scanners that are always plugged in. */
export const ALWAYS_THERE = ['serial-ftdi', 'keyboard-usb', 'keyboard-evdev', 'hid-pos'] as const satisfies readonly ScannerKind[];
/** Nodes that the kiosk has open when all scanners and the infrared thermometer work that are always plugged in; and with the gadget. */
export const OPENED = 5;
export const OPENED_WITH_GADGET = 8;

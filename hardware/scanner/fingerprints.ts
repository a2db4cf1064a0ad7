/**
 * Scanners that are known by vendor and product id: what they are called, and as what they answer.
 *
 * A POS scanner needs no line here, because its report descriptor says what it is. A scanner that types looks like any keyboard, and is taken
 * unasked only when it is one of these. Each line has its source; a number without one is not here, nor is one that a keyboard for people has.
 */

export type ScannerMode = 'keyboard' | 'hid-pos' | 'serial';

export interface Fingerprint {
  /** Four hexadecimal digits, as `lsusb` writes them. */
  readonly vendorId: string;
  readonly productId: string;
  /** What this product id answers as, where the source says it; a scanner that is set to another mode often has another id. */
  readonly mode: ScannerMode | undefined;
  readonly name: string;
  readonly source: string;
}

const USB_IDS = 'http://www.linux-usb.org/usb.ids, version 2025.07.26';
const PUREJAVAHID = 'https://github.com/nyholku/purejavahidapi/pull/70';
const WEBHID = 'https://github.com/NielsLeenheer/WebHidBarcodeScanner (src/main.js, DeviceIds)';
const SG20 = 'https://github.com/brokenthorn/learning-rust-usb-hid-barcode-scanner-server (src/constants.rs)';
const SYMBOL_MODES = 'https://www.fragmentationneeded.net/2016/10/udevadm-systemd-and-barcode-scanner.html';
const UBUNTU = 'https://help.ubuntu.com/community/BarcodeReaders';
const NEWLAND = 'https://newland.manymanuals.de/bar-code-readers/fm420/manual-47701/52 (VID and PID table)';
const QUICKTILL = 'https://github.com/sde1000/quicktill-serial-barcode-bridge (60-serial-barcode-scanner.rules)';
const LUAEVDEV = 'https://github.com/ynezz/luaevdev (test.lua)';
const QUASAR = 'https://github.com/tequila99/quasar-peripherals (src-electron/devices.js)';
const HID_CYPRESS = 'https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/tree/drivers/hid/hid-ids.h (CYPRESS_BARCODE_4)';

type Row = readonly [vendorId: string, productId: string, mode: ScannerMode | undefined, name: string, source: string];

const ROWS: readonly Row[] = [
  ['0c2e', '0200', undefined, 'Metrologic MS7120', USB_IDS],
  ['0c2e', '0204', 'keyboard', 'Metrologic MS7120', USB_IDS],
  ['0c2e', '0206', undefined, 'Metrologic MS4980', USB_IDS],
  ['0c2e', '0700', 'serial', 'Metrologic MS7120, one way', USB_IDS],
  ['0c2e', '0720', 'serial', 'Metrologic MS7120, both ways', USB_IDS],
  ['0c2e', '0907', 'hid-pos', 'Honeywell Xenon 1900 HD', PUREJAVAHID],
  ['0c2e', '0b61', undefined, 'Honeywell Vuquest 3310g', USB_IDS],
  ['0c2e', '0b6a', undefined, 'Honeywell Vuquest 3310', USB_IDS],
  ['0c2e', '0b81', undefined, 'Honeywell Voyager 1400g', USB_IDS],
  ['0c2e', '0b8f', 'hid-pos', 'Honeywell Voyager 1400g', WEBHID],
  ['0536', '01ca', undefined, 'Hand Held Products IT4800', USB_IDS],
  ['067e', '0801', 'keyboard', 'Intermec scanner', USB_IDS],
  ['067e', '0803', 'serial', 'Intermec scanner', USB_IDS],
  ['067e', '0805', 'serial', 'Intermec scanner with camera', USB_IDS],
  ['067e', '0809', 'hid-pos', 'Intermec SG20', SG20],
  ['05e0', '1200', 'keyboard', 'Zebra (Symbol) LS2208 and others', SYMBOL_MODES],
  ['05e0', '1701', 'serial', 'Zebra (Symbol) scanner, CDC', USB_IDS],
  ['05e0', '1a00', undefined, 'Zebra (Symbol) CS4070', USB_IDS],
  ['05f9', '1104', undefined, 'Datalogic Magellan 2200VS', USB_IDS],
  ['05f9', '120c', undefined, 'Datalogic Gryphon GD4430', USB_IDS],
  ['05f9', '2202', 'keyboard', 'Datalogic QuickScan QS6500', UBUNTU],
  ['05f9', '2206', 'keyboard', 'Datalogic Gryphon', USB_IDS],
  ['05f9', '220c', undefined, 'Datalogic Gryphon GD4430', USB_IDS],
  ['05f9', '2601', undefined, 'Datalogic Magellan 1000i', USB_IDS],
  ['05f9', '2602', undefined, 'Datalogic Magellan 1100i', USB_IDS],
  ['05f9', '4204', 'serial', 'Datalogic Gryphon', USB_IDS],
  ['080c', '0300', undefined, 'Datalogic Gryphon D120', USB_IDS],
  ['080c', '0400', undefined, 'Datalogic Gryphon D120', USB_IDS],
  ['080c', '0500', undefined, 'Datalogic Gryphon D120', USB_IDS],
  ['080c', '0600', undefined, 'Datalogic Gryphon M100', USB_IDS],
  ['1eab', '0103', 'keyboard', 'Newland HR200', USB_IDS],
  ['1eab', '0106', 'serial', 'Newland HR200', USB_IDS],
  ['1eab', '0110', 'hid-pos', 'Newland HR200', USB_IDS],
  ['1eab', '0c03', 'keyboard', 'Newland HR100/HR3260 cordless/HR3290 cordless/BS80', USB_IDS],
  ['1eab', '0c06', 'serial', 'Newland HR100/HR3260 cordless/HR3290 cordless/BS80', USB_IDS],
  ['1eab', '0c10', 'hid-pos', 'Newland HR100/HR3260 cordless/HR3290 cordless/BS80', USB_IDS],
  ['1eab', '0d03', 'keyboard', 'Newland EM2028', USB_IDS],
  ['1eab', '0d06', 'serial', 'Newland EM2028', USB_IDS],
  ['1eab', '0d10', 'hid-pos', 'Newland EM2028', USB_IDS],
  ['1eab', '1303', 'keyboard', 'Newland EM30xx/EM20xx/HR3260 corded/HR200C', USB_IDS],
  ['1eab', '1306', 'serial', 'Newland EM30xx/EM20xx/HR3260 corded/HR200C', USB_IDS],
  ['1eab', '1310', 'hid-pos', 'Newland EM30xx/EM20xx/HR3260 corded/HR200C', USB_IDS],
  ['1eab', '1403', 'keyboard', 'Newland HR15-xx', USB_IDS],
  ['1eab', '1406', 'serial', 'Newland HR15-xx', USB_IDS],
  ['1eab', '1410', 'hid-pos', 'Newland HR15-xx', USB_IDS],
  ['1eab', '1603', 'keyboard', 'Newland FM100-M/3250', USB_IDS],
  ['1eab', '1606', 'serial', 'Newland FM100-M/3250', USB_IDS],
  ['1eab', '1610', 'hid-pos', 'Newland FM100-M/3250', USB_IDS],
  ['1eab', '1903', 'keyboard', 'Newland EM1300', USB_IDS],
  ['1eab', '1906', 'serial', 'Newland EM1300', USB_IDS],
  ['1eab', '1910', 'hid-pos', 'Newland EM1300', USB_IDS],
  ['1eab', '1a03', 'keyboard', 'Newland HR3290 corded/HR22', USB_IDS],
  ['1eab', '1a06', 'serial', 'Newland HR3290 corded/HR22', USB_IDS],
  ['1eab', '1a10', 'hid-pos', 'Newland HR3290 corded/HR22', USB_IDS],
  ['1eab', '1c03', 'keyboard', 'Newland HR2150', USB_IDS],
  ['1eab', '1c06', 'serial', 'Newland HR2150', USB_IDS],
  ['1eab', '1c10', 'hid-pos', 'Newland HR2150', USB_IDS],
  ['1eab', '1d03', 'keyboard', 'Newland FM430', USB_IDS],
  ['1eab', '1d06', 'serial', 'Newland FM430', USB_IDS],
  ['1eab', '1d10', 'hid-pos', 'Newland FM430', USB_IDS],
  ['1eab', '1e03', 'keyboard', 'Newland HR42', USB_IDS],
  ['1eab', '1e06', 'serial', 'Newland HR42', USB_IDS],
  ['1eab', '1e10', 'hid-pos', 'Newland HR42', USB_IDS],
  ['1eab', '1f03', 'keyboard', 'Newland HR11+', USB_IDS],
  ['1eab', '1f06', 'serial', 'Newland HR11+', USB_IDS],
  ['1eab', '1f10', 'hid-pos', 'Newland HR11+', USB_IDS],
  ['1eab', '2003', 'keyboard', 'Newland EM2037v2', USB_IDS],
  ['1eab', '2006', 'serial', 'Newland EM2037v2', USB_IDS],
  ['1eab', '2010', 'hid-pos', 'Newland EM2037v2', USB_IDS],
  ['1eab', '8003', 'keyboard', 'Newland EM13x5-LD/HR15-70/HR100-70/HR12/HR1150-70', USB_IDS],
  ['1eab', '8006', 'serial', 'Newland EM13x5-LD/HR15-70/HR100-70/HR12/HR1150-70', USB_IDS],
  ['1eab', '8010', 'hid-pos', 'Newland EM13x5-LD/HR15-70/HR100-70/HR12/HR1150-70', USB_IDS],
  ['1eab', '8203', 'keyboard', 'Newland EM3080-01/EM3095/FR20/FM30', USB_IDS],
  ['1eab', '8206', 'serial', 'Newland EM3080-01/EM3095/FR20/FM30', USB_IDS],
  ['1eab', '8210', 'hid-pos', 'Newland EM3080-01/EM3095/FR20/FM30', USB_IDS],
  ['1eab', '8303', 'keyboard', 'Newland HR2160', USB_IDS],
  ['1eab', '8306', 'serial', 'Newland HR2160', USB_IDS],
  ['1eab', '8310', 'hid-pos', 'Newland HR2160', USB_IDS],
  ['1eab', '0210', 'hid-pos', 'Newland EM2027', NEWLAND],
  ['0581', '0107', undefined, 'Tera 2.4 GHz receiver', USB_IDS],
  ['0581', '0115', undefined, 'Tera 5100', USB_IDS],
  ['0581', '011c', undefined, 'Tera 5100 receiver', USB_IDS],
  ['0581', '020c', undefined, 'Tera EVHK0012', USB_IDS],
  ['0488', '5788', 'serial', 'Netum and others, virtual COM port', QUICKTILL],
  ['0416', 'c141', undefined, 'Winbond barcode scanner, sold under many names', USB_IDS],
  ['065a', '0001', 'keyboard', 'Opticon OPR-2001, NLV-1001', USB_IDS],
  ['065a', '0009', 'serial', 'Opticon NLV-1001, OPN-2001', USB_IDS],
  ['0db5', '0139', 'serial', 'Access IS barcode module', USB_IDS],
  ['0db5', '013a', 'keyboard', 'Access IS barcode module', USB_IDS],
  ['0db5', '013b', undefined, 'Access IS barcode module, HID', USB_IDS],
  ['27dd', '0002', 'serial', 'Mindeo virtual COM port', USB_IDS],
  ['1447', '8011', 'keyboard', 'Cognex DataMan 700', LUAEVDEV],
  ['076d', '0001', 'keyboard', 'Denso GT-10', LUAEVDEV],
  ['23d0', '0c82', undefined, 'Youjie scanner', QUASAR],
  ['2dd6', '0261', undefined, 'IDZOR, Mercury or Mertech scanner', QUASAR],
  ['2dd6', '21ca', undefined, 'IDZOR, Mercury or Mertech scanner', QUASAR],
  ['2dd6', '228a', undefined, 'IDZOR, Mercury or Mertech scanner', QUASAR],
  ['2dd6', '2a6a', undefined, 'IDZOR, Mercury or Mertech scanner', QUASAR],
  ['03f0', '0139', undefined, 'HP Barcode Scanner 4430', USB_IDS],
  ['03f0', '1d24', undefined, 'HP barcode scanner', USB_IDS],
  ['040b', '6510', undefined, 'Weltrend bar code reader', USB_IDS],
  ['04b4', 'bca1', undefined, 'Cypress barcode reader', USB_IDS],
  ['04b4', 'de61', undefined, 'Cypress barcode reader', USB_IDS],
  ['04b4', 'de64', undefined, 'Cypress barcode reader', USB_IDS],
  ['04b4', 'ed81', 'keyboard', 'Cypress barcode reader', HID_CYPRESS],
  ['24ea', '0197', undefined, 'Meva barcode scanner', USB_IDS],
  ['24ae', '0197', undefined, 'Rapoo Meva barcode scanner', USB_IDS],
];

export const FINGERPRINTS: readonly Fingerprint[] = ROWS.map(([vendorId, productId, mode, name, source]) => ({
  vendorId,
  productId,
  mode,
  name,
  source,
}));

/** @returns what is known of that product; `undefined` when nothing is. */
export const fingerprintOf = (device: { readonly vendorId: string; readonly productId: string }): Fingerprint | undefined =>
  FINGERPRINTS.find(({ vendorId, productId }) => vendorId === device.vendorId && productId === device.productId);

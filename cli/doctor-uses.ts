/** Which of the devices here a kiosk uses, by its settings and by its own rules for devices that nobody named. Pure. */
import { mayBeScanner, nameOf } from '../hardware/discover.ts';
import type { Door, FoundDevice } from '../hardware/discover-devices.ts';
import type { KeyboardDevice } from '../hardware/evdev/keyboards.ts';
import { type HidDevice, hidNameOf } from '../hardware/hid/hid-devices.ts';
import { isScanner, kindOf } from '../hardware/hid/hid-scanners.ts';
import type { KioskConfig } from '../kiosk/config.ts';
import { isMeant } from '../kiosk/run-hid-scanners.ts';

/** A door that the kiosk uses. */
export interface Use {
  /** As the kiosk's state names it. */
  readonly name: string;
  /** Such as scanner or thermometer. */
  readonly role: string;
  /** Whether the settings name it; else the kiosk takes it of itself. */
  readonly isNamed: boolean;
  /** The files that the kiosk opens: the first, or where it may not, the next. */
  readonly nodes: readonly string[];
}

export interface Unused {
  readonly whyNot: string;
}

/** Something that the settings name. */
export interface Named {
  readonly name: string;
  readonly role: string;
  /** Where its path leads now; `undefined` where it is named otherwise. */
  readonly realPath: string | undefined;
  readonly isThere: boolean;
}

/** Something that the settings name, and that listens on a Bluetooth adapter. */
export interface Radio {
  readonly name: string;
  readonly role: string;
  /** Whether an adapter, such as `hci0`, will do. */
  readonly fits: (adapter: string) => boolean;
}

export interface Uses {
  readonly of: (device: FoundDevice, door: Door) => Use | Unused;
  readonly named: readonly Named[];
  readonly radios: readonly Radio[];
}

/** What the kernel shows of devices that no file names by itself. */
export interface Shown {
  readonly hid: readonly HidDevice[];
  readonly keyboards: readonly KeyboardDevice[];
}

/** @param realPathOf where a path leads now, or `undefined`. */
export function usesOf(config: KioskConfig, { hid, keyboards }: Shown, realPathOf: (path: string) => string | undefined): Uses {
  const byPath = namedByPath(config, realPathOf);
  const { uses: hidUses, eventUses, named: hidNamed } = usesOfHid(config, hid, keyboards);
  const radios = radiosOf(config);
  const nodes = new Map(hid.flatMap((device) => nodesOf(device).map((node) => [node, device] as const)));
  return {
    named: [...byPath, ...hidNamed, ...onBoards(config)],
    radios,
    of: (device, door) => {
      const named = byPath.find(({ realPath }) => realPath === door.path);
      if (named !== undefined) return { name: named.name, role: named.role, isNamed: true, nodes: [door.path] };
      switch (door.kind) {
        case 'serial':
          return ofSerial(config, device, door);
        case 'hid':
        case 'usb':
          return ofHid(config, device, nodes.get(door.path), hidUses);
        case 'keyboard':
          return eventUses.get(door.path) ?? { whyNot: 'it types; the kiosk reads what types by its HID door.' };
        case 'bluetooth':
          return ofBluetooth(radios, door);
        case 'i2c':
          return { whyNot: 'nothing in the settings asks for it.' };
      }
    },
  };
}

const nodesOf = ({ hidraw, libusb }: HidDevice): string[] => [hidraw?.node, libusb?.node].filter((node) => node !== undefined);

function namedByPath(config: KioskConfig, realPathOf: (path: string) => string | undefined): Named[] {
  const lists = [
    ['scanner', config.scanners],
    ['thermometer', config.thermometers],
    ['board', config.boards],
  ] as const;
  return lists.flatMap(([role, list]) =>
    list.flatMap((device) => {
      if (!('path' in device)) return [];
      const realPath = realPathOf(device.path);
      return [{ name: device.name, role, realPath: realPath ?? device.path, isThere: realPath !== undefined }];
    }),
  );
}

function ofSerial(config: KioskConfig, device: FoundDevice, door: Door): Use | Unused {
  if (device.usb === undefined) return { whyNot: 'a built-in port is used only where the settings name it.' };
  if (!config.scanners.some(({ kind }) => kind === 'auto-serial')) return { whyNot: 'the settings do not name it, and not "auto-serial".' };
  if (!mayBeScanner(device.usb.vendorId)) return { whyNot: 'its maker makes modems and receivers only.' };
  return { name: nameOf(door.stablePath ?? door.path), role: 'scanner', isNamed: false, nodes: [door.path] };
}

/** As kiosk/run-hid-scanners.ts chooses: the settings first, then what is known to be a scanner, the second of two alike under a name of its own. */
function usesOfHid(config: KioskConfig, hid: readonly HidDevice[], keyboards: readonly KeyboardDevice[]) {
  const uses = new Map<HidDevice, Use>();
  /** By path, of what is not on USB, or is to be taken as an input device. */
  const eventUses = new Map<string, Use>();
  const configured = config.scanners.flatMap((scanner) => (scanner.kind === 'hid-pos' || scanner.kind === 'keyboard' ? [scanner] : []));
  const named = configured.map((scanner): Named => {
    const wanted = scanner.kind === 'hid-pos' ? 'pos' : 'keyboard';
    const found = hid.find((device) => !uses.has(device) && isMeant(scanner, device) && kindOf(device).kind === wanted);
    const node = found && nodeFor(found, wanted, scanner.kind !== 'keyboard' || scanner.isExclusive);
    const use = (...nodes: string[]): Use => ({ name: scanner.name, role: 'scanner', isNamed: true, nodes });
    if (found !== undefined && node !== undefined) uses.set(found, use(node));
    const mayTakeEvents = node === undefined && scanner.kind === 'keyboard' && scanner.isExclusive && scanner.via !== 'usb';
    const typing = mayTakeEvents ? keyboards.find((keyboard) => isMeant(scanner, keyboard)) : undefined;
    if (typing !== undefined) eventUses.set(typing.path, use(typing.path));
    return { name: scanner.name, role: 'scanner', realPath: undefined, isThere: found !== undefined || typing !== undefined };
  });
  if (!config.scanners.some(({ kind }) => kind === 'auto-hid')) return { uses, eventUses, named };
  const ordinals = new Map<string, number>();
  for (const device of hid) {
    if (!isScanner(device) || configured.some((scanner) => isMeant(scanner, device))) continue;
    const ordinal = (ordinals.get(device.key) ?? 0) + 1;
    ordinals.set(device.key, ordinal);
    const node = nodeFor(device, kindOf(device).kind, true);
    if (node !== undefined) uses.set(device, { name: hidNameOf(device, ordinal), role: 'scanner', isNamed: false, nodes: [node] });
  }
  return { uses, eventUses, named };
}

const nodeFor = ({ hidraw, libusb }: HidDevice, kind: string, isExclusive: boolean): string | undefined =>
  kind === 'keyboard' && isExclusive ? libusb?.node : (hidraw?.node ?? libusb?.node);

function ofHid(
  config: KioskConfig,
  { doors }: FoundDevice,
  device: HidDevice | undefined,
  uses: ReadonlyMap<HidDevice, Use>,
): Use | Unused {
  const use = device && uses.get(device);
  // What types may be taken as the kernel's input device as well.
  const events = device !== undefined && kindOf(device).kind === 'keyboard' ? doors.filter((door) => door.kind === 'keyboard') : [];
  if (use !== undefined) return { ...use, nodes: [...use.nodes, ...events.map(({ path }) => path)] };
  const kind = device === undefined ? 'other' : kindOf(device).kind;
  const isAuto = config.scanners.some((scanner) => scanner.kind === 'auto-hid');
  if (kind === 'pos') return { whyNot: isAuto ? 'another is used in its place.' : 'the settings have no "auto-hid" and do not name it.' };
  if (kind !== 'keyboard' || device === undefined) return { whyNot: 'it is no scanner and no keyboard.' };
  const { vendorId, productId } = device;
  return {
    whyNot: `it may be a person's keyboard. If it is a scanner: "scanners": [{"kind":"keyboard","name":"door","vendorId":"${vendorId}","productId":"${productId}"}]`,
  };
}

/** A board's thermometer has no door but the board's. */
const onBoards = ({ boards }: KioskConfig): Named[] =>
  boards.flatMap(({ thermometer }) =>
    thermometer === undefined ? [] : [{ name: thermometer.name, role: 'thermometer', realPath: undefined, isThere: true }],
  );

function radiosOf({ sniffers, thermometers }: KioskConfig): Radio[] {
  const fits = (wanted: number | undefined) => (adapter: string) => wanted === undefined || `hci${wanted}` === adapter;
  return [
    ...sniffers.map(({ name, adapter }) => ({ name, role: 'sniffer', fits: fits(adapter) })),
    ...thermometers.flatMap((one) =>
      one.kind === 'ble-health-thermometer' ? [{ name: one.name, role: 'thermometer', fits: fits(one.adapter) }] : [],
    ),
  ];
}

function ofBluetooth(radios: readonly Radio[], door: Door): Use | Unused {
  const radio = radios.find(({ fits }) => fits(door.path));
  if (radio === undefined) return { whyNot: 'the settings have no sniffer and no Bluetooth thermometer.' };
  return { name: radio.name, role: radio.role, isNamed: true, nodes: [door.path] };
}

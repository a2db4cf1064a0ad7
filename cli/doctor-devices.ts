/** What a kiosk would do with each device that is here, and what stands in its way. Pure: what was found goes in, findings come out. */
import type { Access } from '../hardware/discover-access.ts';
import type { Door, DoorKind, FoundDevice } from '../hardware/discover-devices.ts';
import type { KioskNow } from '../kiosk/doctor-words.ts';
import type { DoorFinding, Finding } from './doctor-findings.ts';
import type { Uses } from './doctor-uses.ts';

export interface DeviceCircumstances {
  /** By a door's path. */
  readonly access: ReadonlyMap<string, Access | undefined>;
  readonly uses: Uses;
  /** Known makes and models, by what they show on USB. */
  readonly known: (device: FoundDevice) => string | undefined;
  /** Programs that have a door open, by its path: their names. */
  readonly holders: ReadonlyMap<string, readonly string[]>;
  /** What the running kiosk says of its devices. */
  readonly now: KioskNow | undefined;
  /** This user's name. */
  readonly user: string;
  /** Whether this process may use Bluetooth adapters. */
  readonly mayBluetooth: boolean;
  readonly isRulesFileInstalled: boolean;
}

const KIND_WORDS: Readonly<Record<DoorKind, string>> = {
  serial: 'serial port',
  hid: 'HID',
  keyboard: 'types as a keyboard',
  i2c: 'I2C bus',
  bluetooth: 'Bluetooth',
  usb: 'USB',
};

/** USB 1.4 and HID Usage Tables 1.6: page 0x8C is Bar Code Scanner; of page 1, usage 6 is Keyboard. */
const USAGE_WORDS: Readonly<Record<string, string>> = { '140:2': 'HID barcode scanner', '1:6': 'HID keyboard', '1:2': 'HID mouse' };

/** @returns a finding for each device, and for each that is configured and is not here or, by the running kiosk's word, does not work. */
export function deviceFindings(devices: readonly FoundDevice[], at: DeviceCircumstances): Finding[] {
  const found = devices.flatMap((device) => findingOf(device, at) ?? []);
  const doors = devices.flatMap((device) => device.doors.map((door) => ({ door, use: at.uses.of(device, door) })));
  const shown = new Set(doors.flatMap(({ use }) => ('name' in use ? [use.name] : [])));
  return [...missingOf(at), ...radiosWithout(doors, at), ...elsewhere(doors, at), ...downWithoutDoor(shown, at), ...found];
}

interface UsedDoor {
  readonly door: Door;
  readonly use: ReturnType<Uses['of']>;
}

const absent = (subject: string, says: string, fix: readonly string[]): Finding => ({
  area: 'device',
  subject,
  state: 'wrong',
  says: `is in the settings, ${says}`,
  code: 'device.absent',
  fix,
});

function missingOf({ uses }: DeviceCircumstances): Finding[] {
  return uses.named
    .filter(({ isThere }) => !isThere)
    .map(({ name, role, realPath }) => {
      const says = realPath === undefined ? 'and none that is meant is plugged in.' : 'and nothing is plugged in under its path.';
      const fix = realPath?.startsWith('/dev/i2c-')
        ? ['Switch the bus on: sudo raspi-config nonint do_i2c 0 && sudo modprobe i2c-dev   (docs/devices/mlx90614-i2c.md)']
        : ['Plug it in, or set it to the mode that is configured. If it is plugged in: what it is called is told of the devices below.'];
      return absent(`${role} ${name}`, says, fix);
    });
}

function radiosWithout(doors: readonly UsedDoor[], { uses }: DeviceCircumstances): Finding[] {
  const adapters = doors.flatMap(({ door }) => (door.kind === 'bluetooth' ? [door.path] : []));
  return uses.radios
    .filter(({ fits }) => !adapters.some(fits))
    .map(({ name, role }) =>
      absent(`${role} ${name}`, 'and this machine has no Bluetooth adapter that is meant.', [
        'ls /sys/class/bluetooth   tells which there are; for one that is plugged in: sudo modprobe btusb   (docs/devices/ble-sniffer.md, "Settings of the computer")',
      ]),
    );
}

/** Of a path that leads somewhere which is no device of the kernel's lists: a pseudo-terminal, a link by hand. */
function elsewhere(doors: readonly UsedDoor[], at: DeviceCircumstances): Finding[] {
  const shown = new Set(doors.map(({ door }) => door.path));
  return at.uses.named.flatMap(({ name, role, isThere, realPath }): Finding[] => {
    if (!isThere || realPath === undefined || shown.has(realPath)) return [];
    const subject = `${role} ${name}`;
    const door: Door = { kind: 'serial', path: realPath, stablePath: undefined, usage: undefined, isBlocked: false };
    const { isUsed: _, ...verdict } = verdictOf({ title: subject, usb: undefined, doors: [door] }, door, at);
    return [{ area: 'device', subject, ...verdict, doors: [doorFinding(door, at)] }];
  });
}

/** A board's thermometer whose wire is off, while the board is well. */
function downWithoutDoor(shown: ReadonlySet<string>, { uses, now }: DeviceCircumstances): Finding[] {
  return uses.named.flatMap(({ name, role, isThere, realPath }): Finding[] => {
    const running = now?.devices.find((device) => device.name === name);
    if (!isThere || realPath !== undefined || shown.has(name) || running === undefined || running.isUp) return [];
    const { why } = running;
    return [
      {
        area: 'device',
        subject: `${role} ${name}`,
        state: 'wrong',
        says: 'does not work.',
        ...(why !== undefined && { code: why }),
        fix: fixOf(why),
      },
    ];
  });
}

function findingOf(device: FoundDevice, at: DeviceCircumstances): Finding | undefined {
  const { title, usb, doors } = device;
  const known = at.known(device);
  // A memory stick is nobody's business here; a scanner that no driver took is.
  if (doors.length === 0 && known === undefined) return undefined;
  const subject = `${known ?? title}${usb === undefined ? '' : ` (${usb.vendorId}:${usb.productId}, socket ${usb.socket})`}`;
  if (doors.length === 0)
    return {
      area: 'device',
      subject,
      state: 'wrong',
      says: 'is on USB, and no driver of this machine has taken it.',
      code: 'device.absent',
      fix: ['Set it to serial or HID mode by its set-up code (docs/devices), or load the driver: sudo modprobe cdc_acm usbhid'],
    };
  const verdicts = doors.map((door) => verdictOf(device, door, at));
  const order = { wrong: 0, fine: 1, note: 2 } as const;
  const used = verdicts.filter(({ isUsed }) => isUsed);
  const [verdict] = (used.length > 0 ? used : verdicts).toSorted((a, b) => order[a.state] - order[b.state]);
  const { isUsed: _, ...rest } = verdict ?? { state: 'note', says: 'is not used.', isUsed: false };
  return { area: 'device', subject, ...rest, doors: [...doors, ...otherNodes(device, at)].map((door) => doorFinding(door, at)) };
}

/** What the kiosk opens besides: a scanner that types is taken from the console by its USB device. */
function otherNodes(device: FoundDevice, { uses }: DeviceCircumstances): Door[] {
  const nodes = device.doors.map((door) => uses.of(device, door)).flatMap((use) => ('nodes' in use ? use.nodes : []));
  const shown = new Set(device.doors.map(({ path }) => path));
  return [...new Set(nodes)].filter((node) => !shown.has(node)).map((path) => usbDoor(path));
}

/** @param path of a whole USB device. */
export const usbDoor = (path: string): Door => ({ kind: 'usb', path, stablePath: undefined, usage: undefined, isBlocked: false });

interface Verdict {
  readonly state: Finding['state'];
  readonly says: string;
  readonly code?: string;
  readonly fix?: readonly string[];
  /** Whether the kiosk wants this door. */
  readonly isUsed: boolean;
}

function verdictOf(device: FoundDevice, door: Door, at: DeviceCircumstances): Verdict {
  const use = at.uses.of(device, door);
  if ('whyNot' in use) return { state: 'fine', says: `is left alone: ${use.whyNot}`, isUsed: false };
  const { name, role, nodes, isNamed } = use;
  const [node = door.path] = nodes;
  const says = isNamed ? `is the kiosk's ${role} ${name}` : `the kiosk takes it as ${role} ${name}`;
  const wrong = (but: string, fix: readonly string[], code?: string): Verdict => ({
    state: 'wrong',
    says: `${says}, but ${but}`,
    ...(code !== undefined && { code }),
    fix,
    isUsed: true,
  });
  if (door.isBlocked) return wrong('it is switched off.', ['sudo rfkill unblock bluetooth'], 'device.absent');
  const running = at.now?.devices.find((one) => one.name === name);
  if (running?.isUp === true) return { state: 'fine', says: `${says}, and it works.`, isUsed: true };
  const mayOpen = door.kind === 'bluetooth' ? at.mayBluetooth : nodes.some((one) => at.access.get(one)?.mayThis === true);
  if (!mayOpen) return wrong(`${at.user} may not open ${node}.`, permissionFix(device, { ...door, path: node }, at), 'device.denied');
  if (running !== undefined) return wrong('it does not work.', fixOf(running.why), running.why);
  const holders = [...new Set(nodes.flatMap((one) => at.holders.get(one) ?? []))];
  if (holders.length > 0) {
    const fix = holders.flatMap((holder) => HOLDER_FIXES[holder] ?? [`Stop ${holder}.`]);
    return wrong(`another program has it open: ${holders.join(', ')}.`, fix, 'device.busy');
  }
  return { state: 'fine', says: `${says}.`, isUsed: true };
}

/** Programs of desktop systems that take what they do not know. */
export const HOLDER_FIXES: Readonly<Record<string, readonly string[]>> = {
  ModemManager: ['sudo apt remove modemmanager   (it writes modem commands to new ports; our udev rules keep it off known scanners)'],
  brltty: ['sudo apt remove brltty   (it takes some serial adapters for Braille displays)'],
};

const RULES = [
  'sudo groupadd --force --system vestibule',
  'npx vestibule doctor --udev-rules | sudo tee /etc/udev/rules.d/70-vestibule.rules',
] as const;
const RELOAD = 'sudo udevadm control --reload && sudo udevadm trigger   then unplug it and plug it in again';

/** The commands that let this user in. */
function permissionFix(device: FoundDevice, door: Door, { access, user, isRulesFileInstalled, known }: DeviceCircumstances): string[] {
  if (door.kind === 'bluetooth')
    return ['In the service: AmbientCapabilities=CAP_NET_RAW CAP_NET_ADMIN   (docs/devices/ble-sniffer.md, "Settings of the computer")'];
  const join = (group: string) => `sudo usermod -aG ${group} ${user}   and log in anew; in a service: SupplementaryGroups=${group}`;
  const found = access.get(door.path);
  if (found === undefined) return ['Unplug it and plug it in again: it has no file yet.'];
  // `input` and `root` give away every keyboard, or everything.
  if (found.mayGroup && !['root', 'input'].includes(found.group)) return [join(found.group)];
  if (door.kind === 'serial') return ['sudo chgrp dialout and chmod 660 by a udev rule of this machine', join('dialout')];
  if (door.kind === 'i2c') return ['sudo apt install i2c-tools   (its udev rule gives the bus to group i2c)', join('i2c')];
  const own = device.usb !== undefined && known(device) === undefined ? [ruleStep(device.usb.vendorId, device.usb.productId)] : [];
  return [...(isRulesFileInstalled ? [] : RULES), ...own, RELOAD, join('vestibule')];
}

const ruleStep = (vendorId: string, productId: string): string =>
  `echo 'ATTRS{idVendor}=="${vendorId}", ATTRS{idProduct}=="${productId}", ENV{VESTIBULE_SCANNER}="1"' | sudo tee -a /etc/udev/rules.d/69-vestibule-own.rules`;

/** What a person does about a code that the running kiosk tells; docs/errors.md says more. */
function fixOf(code: string | undefined): string[] {
  switch (code) {
    case 'device.busy':
      return ['Another program has it: sudo fuser -v on its path tells which; stop that.'];
    case 'device.timeout':
      return [
        'It is open and says nothing that is understood: check wiring (TX to RX) and baudRate; vestibule identify shows what it sends.',
      ];
    case 'device.gone':
      return ['It comes and goes: check plug, cable, hub and power (on a Pi: vcgencmd get_throttled).'];
    case 'device.no_driver':
      return ['sudo apt install libusb-1.0-0'];
    default:
      return ['docs/errors.md tells what the code in brackets means.'];
  }
}

function doorFinding(door: Door, at: DeviceCircumstances): DoorFinding {
  const { kind, path, stablePath, usage } = door;
  const words = usage === undefined ? undefined : USAGE_WORDS[`${usage.page}:${usage.id}`];
  return { kind: words ?? KIND_WORDS[kind], path, ...(stablePath !== undefined && { stablePath }), who: whoOf(door, at) };
}

function whoOf({ kind, path }: Door, { access, user, mayBluetooth }: DeviceCircumstances): string {
  if (kind === 'bluetooth') return `programs with CAP_NET_RAW and CAP_NET_ADMIN; this one ${mayBluetooth ? 'has them' : 'has not'}`;
  const found = access.get(path);
  if (found === undefined) return 'has no file';
  const { owner, group, mayGroup, mayAll, mayThis } = found;
  const others = mayAll ? 'everybody' : mayGroup ? `${owner} and group ${group}` : `${owner} only`;
  return `open to ${others}; ${user}: ${mayThis ? 'yes' : 'no'}`;
}

/** `vestibule doctor`: what is plugged in, what the kiosk makes of it, what is wrong and how to mend it; and whether an event arrives. */
import { existsSync, realpathSync } from 'node:fs';
import { release, userInfo } from 'node:os';
import { Command } from 'commander';
import { mayBeScanner, nameOf } from '../hardware/discover.ts';
import { accessOf } from '../hardware/discover-access.ts';
import { type Door, discoverDevices, type FoundDevice } from '../hardware/discover-devices.ts';
import { type KioskConfig, parseConfig } from '../kiosk/config.ts';
import type { KioskNow } from '../kiosk/doctor-words.ts';
import { systemClock } from '../protocol/time.ts';
import { type ConfiguredDevice, deviceFindings } from './doctor-devices.ts';
import { type Finding, forSupport, type Report, reportLines, worstOf } from './doctor-findings.ts';
import { examineKiosk } from './doctor-kiosk.ts';
import { holdersOf, machineFindings, mayUseBluetooth } from './doctor-machine.ts';
import { settingsOf } from './kiosk-command.ts';
import { untilStopped } from './stopping.ts';
import { VERSION } from './version.ts';

const RULES_FILES = ['/etc/udev/rules.d/70-vestibule.rules', '/usr/lib/udev/rules.d/70-vestibule.rules'];
/** Of each kind, as the configuration calls it. */
const ROLES = { scanners: 'scanner', thermometers: 'thermometer' } as const;

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const HELP = `
Ask as the user that the kiosk runs as, with the options it runs with: sudo -u vestibule npx vestibule doctor --data …
A kiosk that runs is asked; where none runs, the test event is sent without one. Exit status 1: something is wrong.
Nothing that is scanned or measured is shown or kept.`;

interface Options {
  readonly data: string;
  readonly config?: string;
  readonly trust?: string;
  readonly json?: true;
  readonly delivery: boolean;
}

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('tell what is plugged in, what is wrong and how to mend it, and whether an event reaches the gateway')
    .option('--data <dir>', 'data directory; the kiosk is in its "kiosk" folder', './data')
    .option('--config <file>', 'JSON settings of the kiosk')
    .option('--trust <file>', "the gateway's trust.json")
    .option('--no-delivery', 'send no test event')
    .option('--json', 'as one line of JSON, for support: no secrets, no serial numbers')
    .addHelpText('after', HELP)
    .action(async (options: Options) => {
      const signal = untilStopped();
      const report = await examine(parseConfig(settingsOf(options)), options.delivery, signal);
      if (options.json) say(JSON.stringify(forSupport(report)));
      else for (const line of reportLines(report, { hasColour: process.stdout.isTTY === true && !process.env.NO_COLOR })) say(line);
      if (worstOf(report.findings) === 'wrong') process.exitCode = 1;
    });
}

async function examine(config: KioskConfig, mayDeliver: boolean, signal: AbortSignal): Promise<Report> {
  const uid = process.getuid?.() ?? 0;
  const kiosk = await examineKiosk({ config, clock: systemClock, version: VERSION, uid, mayDeliver }, signal);
  const devices = await examineDevices(config, kiosk.now);
  const findings = [...machineFindings(process.arch), ...kiosk.findings, ...devices];
  return { version: VERSION, node: process.versions.node, platform: `Linux ${release()} ${process.arch}`, findings };
}

async function examineDevices(config: KioskConfig, now: KioskNow | undefined): Promise<Finding[]> {
  const devices = await discoverDevices();
  const configured = configuredIn(config);
  const paths = [...devices.flatMap(({ doors }) => doors.map(({ path }) => path)), ...configured.map(({ realPath }) => realPath)];
  const access = new Map(await Promise.all([...new Set(paths)].map(async (path) => [path, await accessOf(path)] as const)));
  const none: Finding[] = devices.length + configured.length > 0 ? [] : [NOTHING_HERE];
  return [
    ...none,
    ...deviceFindings(devices, {
      access,
      configured,
      taken: takenBy(config),
      known: () => undefined,
      holders: now === undefined ? holdersOf(new Set(paths), process.pid) : new Map(),
      now,
      user: userInfo().username,
      mayBluetooth: mayUseBluetooth(),
      isRulesFileInstalled: RULES_FILES.some((path) => existsSync(path)),
    }),
  ];
}

const NOTHING_HERE: Finding = {
  area: 'device',
  subject: 'devices',
  state: 'note',
  says: 'none is plugged in. Scans can be typed into the terminal and the page only.',
};

function configuredIn(config: KioskConfig): ConfiguredDevice[] {
  return (['scanners', 'thermometers'] as const).flatMap((list) =>
    config[list].flatMap((device) => {
      if (!('path' in device)) return [];
      const isThere = existsSync(device.path);
      return [{ name: device.name, role: ROLES[list], realPath: isThere ? realpathSync(device.path) : device.path, isThere }];
    }),
  );
}

/** The kiosk's own rule for devices that nobody configured. */
const takenBy = (config: KioskConfig) => (device: FoundDevice, door: Door) => {
  const isAuto = config.scanners.some(({ kind }) => kind === 'auto-serial');
  if (door.kind !== 'serial') return { whyNot: 'nothing in the settings asks for it.' };
  if (device.usb === undefined) return { whyNot: 'a built-in port is used only where the settings name it.' };
  if (!isAuto) return { whyNot: 'the settings name other scanners, and not "auto-serial".' };
  if (!mayBeScanner(device.usb.vendorId)) return { whyNot: 'its maker makes modems and receivers only.' };
  return { name: nameOf(door.stablePath ?? door.path) };
};

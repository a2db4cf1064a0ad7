/** `vestibule doctor`: what is plugged in, what the kiosk makes of it, what is wrong and how to mend it; and whether an event arrives. */
import { existsSync, realpathSync } from 'node:fs';
import { release } from 'node:os';
import { Command } from 'commander';
import { accessOf } from '../hardware/discover-access.ts';
import { discoverDevices, type FoundDevice } from '../hardware/discover-devices.ts';
import { listKeyboards } from '../hardware/evdev/keyboards.ts';
import { type HidDevice, listHid } from '../hardware/hid/hid-devices.ts';
import { FINGERPRINTS, fingerprintOf } from '../hardware/scanner/fingerprints.ts';
import { rulesText } from '../hardware/udev/rules.ts';
import { type KioskConfig, parseConfig } from '../kiosk/config.ts';
import type { KioskNow } from '../kiosk/doctor-words.ts';
import { ConfigError } from '../protocol/errors.ts';
import { systemClock } from '../protocol/time.ts';
import { deviceFindings, usbDoor } from './doctor-devices.ts';
import { type Finding, forSupport, liveLines, type Report, reportLines, worstOf } from './doctor-findings.ts';
import { examineKiosk, type KioskExamined } from './doctor-kiosk.ts';
import { runLive } from './doctor-live.ts';
import { addonFindings, holdersOf, machineFindings, mayUseBluetooth } from './doctor-machine.ts';
import { usesOf } from './doctor-uses.ts';
import { settingsOf } from './kiosk-settings.ts';
import { untilStopped } from './stopping.ts';
import { systemUser } from './system-user.ts';
import { VERSION } from './version.ts';

const RULES_FILES = ['/etc/udev/rules.d/70-vestibule.rules', '/usr/lib/udev/rules.d/70-vestibule.rules'];

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const HELP = `
Ask as the user that the kiosk runs as, with the options it runs with: sudo -u vestibule npx vestibule doctor --data …
A kiosk that runs is asked; where none runs, the test event is sent without one. Exit status 1: something is wrong.
Nothing that is scanned or measured is shown or kept.`;

const LIVE_SECONDS = '30';

interface Options {
  readonly data: string;
  readonly config?: string;
  readonly trust?: string;
  readonly json?: true;
  readonly delivery: boolean;
  readonly udevRules?: true;
  readonly live?: string | true;
}

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('tell what is plugged in, what is wrong and how to mend it, and whether an event reaches the gateway')
    .option('--data <dir>', 'data directory; the kiosk is in its "kiosk" folder', './data')
    .option('--config <file>', 'JSON settings of the kiosk')
    .option('--trust <file>', "the gateway's trust.json")
    .option('--no-delivery', 'send no test event')
    .option('--json', 'as one line of JSON, for support: no secrets, no serial numbers')
    .option('--live [seconds]', `then wait for scans and readings, and tell of each as it comes; ${LIVE_SECONDS} when left out`)
    .option('--udev-rules', 'print the udev rules that let a kiosk open its scanners, and nothing else')
    .addHelpText('after', HELP)
    .action(async (options: Options) => {
      if (options.udevRules) return void process.stdout.write(rulesText(FINGERPRINTS));
      const signal = untilStopped();
      const config = parseConfig(settingsOf(options));
      const style = { hasColour: process.stdout.isTTY === true && !process.env.NO_COLOR };
      const found = await examine(config, options.delivery, signal);
      if (!options.json) for (const line of reportLines(found.report, style)) say(line);
      const heard = options.live === undefined ? [] : await liveFindings(config, found.kiosk, options, signal);
      if (!options.json) for (const line of liveLines(heard, style)) say(line);
      const report = { ...found.report, findings: [...found.report.findings, ...heard] };
      if (options.json) say(JSON.stringify(forSupport(report)));
      if (worstOf(report.findings) === 'wrong') process.exitCode = 1;
    });
}

async function liveFindings(config: KioskConfig, kiosk: KioskExamined, options: Options, signal: AbortSignal): Promise<readonly Finding[]> {
  const seconds = Number(options.live === true ? LIVE_SECONDS : options.live);
  if (!(Number.isInteger(seconds) && seconds >= 1 && seconds <= 600))
    throw new ConfigError('config.invalid', `--live: "${options.live}" of 1 to 600 seconds`);
  const tell = (line: string) => (options.json ? undefined : say(line));
  return await runLive({ config, clock: systemClock, isRunning: kiosk.isRunning, trust: kiosk.trust, seconds, tell }, signal);
}

async function examine(config: KioskConfig, mayDeliver: boolean, signal: AbortSignal): Promise<{ report: Report; kiosk: KioskExamined }> {
  const uid = process.getuid?.() ?? 0;
  const kiosk = await examineKiosk({ config, clock: systemClock, version: VERSION, uid, mayDeliver }, signal);
  const devices = await examineDevices(config, kiosk.now);
  const findings = [...machineFindings(process.arch, config.scanners), ...addonFindings(config), ...kiosk.findings, ...devices];
  return { report: { version: VERSION, node: process.versions.node, platform: `Linux ${release()} ${process.arch}`, findings }, kiosk };
}

async function examineDevices(config: KioskConfig, now: KioskNow | undefined): Promise<Finding[]> {
  const [seen, hid, keyboards] = await Promise.all([discoverDevices(), listHid(), listKeyboards()]);
  const devices = seen.map((device) => withTakenDoors(device, hid));
  const uses = usesOf(config, { hid, keyboards }, (path) => (existsSync(path) ? realpathSync(path) : undefined));
  const used = devices.flatMap((device) => device.doors.map((door) => uses.of(device, door)));
  const paths = new Set([
    ...devices.flatMap(({ doors }) => doors.map(({ path }) => path)),
    ...used.flatMap((use) => ('nodes' in use ? use.nodes : [])),
    ...uses.named.flatMap(({ realPath }) => realPath ?? []),
  ]);
  const access = new Map(await Promise.all([...paths].map(async (path) => [path, await accessOf(path)] as const)));
  const findings = deviceFindings(devices, {
    access,
    uses,
    known: ({ usb }) => (usb === undefined ? undefined : fingerprintOf(usb)?.name),
    holders: now === undefined ? holdersOf(paths, process.pid) : new Map(),
    now,
    user: systemUser(),
    mayBluetooth: mayUseBluetooth(),
    isRulesFileInstalled: RULES_FILES.some((path) => existsSync(path)),
  });
  return findings.length === 0 ? [NOTHING_HERE] : findings;
}

const NOTHING_HERE: Finding = {
  area: 'device',
  subject: 'devices',
  state: 'note',
  says: 'none is plugged in. Scans can be typed into the terminal and the page only.',
};

/** An interface that a program has taken from the kernel has no file of its own left; what is left is that of the whole USB device. */
function withTakenDoors(device: FoundDevice, hid: readonly HidDevice[]): FoundDevice {
  const nodes = hid.flatMap(({ port, hidraw, libusb }) =>
    device.usb?.socket === port && hidraw === undefined && libusb !== undefined ? [libusb.node] : [],
  );
  return nodes.length === 0 ? device : { ...device, doors: [...device.doors, ...[...new Set(nodes)].map(usbDoor)] };
}

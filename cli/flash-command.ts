/** `vestibule flash`: writes an image to cards, one after the other, reads each back, and prints a label for each. `flash board` is a file of its own. */
import { readFileSync, realpathSync } from 'node:fs';
import { Command, Option } from 'commander';
import { ConfigError, FlashError } from '../protocol/errors.ts';
import { systemClock } from '../protocol/time.ts';
import { encodeSettings } from '../workshop/flash/batch-settings.ts';
import { openCard } from '../workshop/flash/card.ts';
import { type Disk, diskLine, refusalOf, sizeText, type Wanted } from '../workshop/flash/disks.ts';
import { examine, type Plan } from '../workshop/flash/examine.ts';
import { type ImageFile, imageFile } from '../workshop/flash/image.ts';
import { listDisks, type Slot, slotOf } from '../workshop/flash/list-disks.ts';
import { type BatchFace, flashMany } from '../workshop/flash/many-cards.ts';
import { verifyCard } from '../workshop/flash/write-card.ts';
import { flashBoardCommand } from './flash-board-command.ts';
import { type LabelOptions, openLabels } from './flash-labels.ts';
import { FlashLines } from './flash-lines.ts';
import { wholeNumberOf } from './numbers.ts';
import { readPassword } from './password.ts';
import { untilStopped } from './stopping.ts';

interface DiskOptions {
  readonly disk?: readonly string[];
  readonly loopDevices?: true;
}

interface CardOptions extends DiskOptions, LabelOptions {
  readonly count: string;
  readonly yes?: true;
  readonly wifi?: string;
  readonly wifiPassphrase: boolean;
  readonly country?: string;
}

const HELP = `
Examples:
  sudo vestibule flash kiosk.img                                 one card: shows the disks, asks once
  sudo vestibule flash kiosk.img.zst --disk /dev/sdb --count 50 --labels labels.pdf --venue "Town library"
  sudo vestibule flash kiosk.img --wifi "Town library" --country DE
  vestibule flash disks                                          every disk, and why it is left alone
  sudo vestibule flash check kiosk.img --disk /dev/sdb           reads a card and writes nothing
  vestibule flash board                                          the firmware of an Arduino

The image may be packed (.gz; .zst, .xz and .zip by the programs of these names). Only disks that can be taken out are written to, never one that this
machine runs from or of which anything is mounted. A card that was not finished boots nothing. The Wi-Fi passphrase is asked for, or read from standard
input; it is written to the cards (as the key that is made of it), and nowhere else. --labels needs the gateway's data directory on this machine.`;

const EXIT_STOPPED = 130;
const say = (line = ''): void => void process.stdout.write(`${line}\n`);

export function flashCommand(): Command {
  const flash = new Command('flash').description('write cards for kiosks, and the firmware of boards');
  const card = flash
    .command('card', { isDefault: true })
    .usage('[options] <image>')
    .description('what `vestibule flash` does by itself')
    .argument('<image>', 'file, packed or not')
    .option('--count <number>', 'cards, one after the other', '1')
    .option('--yes', 'ask nothing; needs --disk unless there is one disk only')
    .option('--wifi <name>', 'network that the kiosks are to join')
    .option('--no-wifi-passphrase', 'it is an open network')
    .option('--country <code>', 'in which they hang, ISO 3166: which radio channels are allowed')
    .option('--labels <file>', 'print an enrolment label for each card that is done into this PDF')
    .option('--venue <name>', 'where the kiosks are to hang, by name or id; for --labels')
    .addOption(new Option('--direction <door>', 'what their doors are for; for --labels').choices(['in', 'out', 'both']))
    .option('--hours <hours>', 'how long a label is good', '24')
    .option('--force', 'write over the file of labels if it is there')
    .option('--data <dir>', 'data directory of the gateway; for --labels', './data')
    .action((image: string, options: CardOptions) => flashCards(image, options));
  withDisk(card);
  card.addHelpText('after', HELP);
  flash.addHelpText('after', () => `\n${card.helpInformation()}${HELP}`);
  withDisk(flash.command('check').argument('<image>').description('compare a card with an image; settings of a batch may differ')).action(
    (image: string, options: DiskOptions) => checkCard(image, options),
  );
  flash
    .command('disks')
    .description('every disk of this machine, and why it is left alone')
    .option('--loop-devices', 'loop devices, too: for practice')
    .action(async ({ loopDevices }: DiskOptions) => {
      for (const disk of await listDisks()) {
        if (disk.isLoop && !loopDevices) continue;
        const why = refusalOf(disk, { needsBytes: 0, mayLoop: loopDevices === true, isNamed: false });
        say(
          `${why === undefined ? '✓' : '✗'} ${diskLine(disk)}${why === undefined ? '' : `  ${why.message.replace(`${disk.path}: `, '')}`}`,
        );
      }
    });
  flash.addCommand(flashBoardCommand());
  return flash;
}

const withDisk = (command: Command): Command =>
  command.option('--disk <path...>', 'this one; several are taken in turn').option('--loop-devices', 'loop devices, too: for practice');

async function flashCards(path: string, options: CardOptions): Promise<void> {
  const signal = untilStopped();
  const count = wholeNumberOf('--count', options.count);
  const settings = encodeSettings({
    ...(options.wifi !== undefined && {
      wifi: { ssid: options.wifi, ...(options.wifiPassphrase && { passphrase: await passphraseOf(options.wifi) }) },
    }),
    ...(options.country !== undefined && { country: options.country }),
  });
  const labels = options.labels === undefined ? undefined : await openLabels(options);
  const lines = new FlashLines(systemClock, process.stdout);
  try {
    const image = imageFile(path);
    const disks = await disksFor(image.packing === 'raw' ? image.fileBytes : 0, options);
    // What is agreed to is what is there now: by the time that the image is read another disk may have the name.
    const agreed = disks.map(slotAt);
    if (!options.yes && !(await mayWrite(disks, count, signal))) return say('Nothing was written.');
    const plan = await planOf(image, settings, lines, signal);
    if (plan === undefined) return stopped();
    refuseUnfit(disks, plan.sizeBytes, options);
    let atRisk: string | undefined;
    const face: BatchFace = {
      onWaiting: (number, why) =>
        lines.tell(
          why === undefined ? `Card ${number} of ${count}: put it in.` : `Card ${number} of ${count}: ${why.message} [${why.code}]`,
        ),
      onCard: (number, disk) => {
        atRisk = disk.path;
        lines.begin(count === 1 ? disk.path : `Card ${number} of ${count}`, count === 1 ? undefined : disk.path);
      },
      onProgress: (stage, done, total) => lines.progress(stage, done, total),
      onDone: async (number, disk) => {
        atRisk = undefined;
        const card = count === 1 ? disk.path : `Card ${number} of ${count}`;
        const label = await labels?.add().catch((error: unknown) => {
          lines.tell(`${card}: written and read back, and has NO label. Take it out; "vestibule enrol" gives it another one.`);
          throw error;
        });
        lines.tell(`${card}: written and read back. Take it out.${label === undefined ? '' : ` Its label is No. ${label}.`}`);
      },
      onFailed: (number, disk, why) => {
        atRisk = undefined;
        lines.tell(`Card ${number} of ${count}, ${disk.path}: NOT done, boots nothing. ${why.message} [${why.code}]`);
      },
    };
    const { done, failed } = await flashMany({ plan, count, agreed, mayLoop: options.loopDevices === true }, face, systemClock, signal);
    if (count > 1 || failed > 0) lines.tell(`${done} of ${count} done, ${failed} failed.`);
    if (labels !== undefined && done > 0)
      say(
        `${options.labels}: print it at 100 % and stick one label on each kiosk. It is a secret until its codes are used: delete it when it is printed.`,
      );
    if (done < count) process.exitCode = 1;
    if (signal.aborted) stopped(atRisk);
  } finally {
    settings?.fill(0);
    labels?.close();
  }
}

function stopped(atRisk?: string): void {
  say(atRisk === undefined ? 'Stopped.' : `Stopped. ${atRisk} is blank at its beginning and boots nothing: flash it again.`);
  process.exitCode = EXIT_STOPPED;
}

async function checkCard(path: string, options: DiskOptions): Promise<void> {
  const signal = untilStopped();
  const lines = new FlashLines(systemClock, process.stdout);
  const image = imageFile(path);
  const [disk] = await disksFor(0, options);
  const plan = await planOf(image, undefined, lines, signal);
  if (plan === undefined || disk === undefined) return stopped();
  lines.begin(disk.path, undefined);
  const card = await openCard(disk.path, 'read');
  try {
    const isDone = await verifyCard(
      card,
      disk,
      plan,
      { mayHaveSettings: true },
      (stage, done, total) => lines.progress(stage, done, total),
      signal,
    );
    if (!isDone) return stopped();
    lines.tell(`${disk.path}: is as the image says, all ${sizeText(plan.sizeBytes)}.`);
  } finally {
    await card.close();
  }
}

async function planOf(
  image: ImageFile,
  settings: Uint8Array | undefined,
  lines: FlashLines,
  signal: AbortSignal,
): Promise<Plan | undefined> {
  lines.begin(image.path, undefined);
  const plan = await examine(image, settings, (done, total) => lines.progress('reading', done, total), signal);
  if (plan !== undefined)
    lines.tell(`${image.path}: ${sizeText(plan.sizeBytes)}${image.packing === 'raw' ? '' : `, packed by ${image.packing}`}`);
  return plan;
}

/** @throws FlashError for a disk that was named and is refused; `flash.no_disk`. @throws ConfigError where there is a choice. */
async function disksFor(needsBytes: number, options: DiskOptions): Promise<readonly Disk[]> {
  const all = await listDisks();
  const named = options.disk?.map((name) => {
    const path = realPath(name);
    const disk = all.find((one) => one.path === path);
    if (disk === undefined) throw new FlashError('flash.no_disk', `${name}: is no disk of this machine, or is empty`);
    return disk;
  });
  if (named !== undefined) {
    refuseUnfit(named, needsBytes, options);
    return named;
  }
  const fit = all.filter((disk) => refusalOf(disk, wantedOf(needsBytes, options)) === undefined);
  if (fit.length === 0)
    throw new FlashError('flash.no_disk', 'no disk is here that may be written to ("vestibule flash disks" says why not)');
  if (fit.length > 1)
    throw new ConfigError('config.invalid', `which one? Name it with --disk:\n${fit.map((disk) => `  ${diskLine(disk)}`).join('\n')}\n`);
  return fit;
}

const wantedOf = (needsBytes: number, { disk, loopDevices }: DiskOptions): Wanted => ({
  needsBytes,
  mayLoop: loopDevices === true,
  isNamed: disk !== undefined,
});

function refuseUnfit(disks: readonly Disk[], needsBytes: number, options: DiskOptions): void {
  for (const disk of disks) {
    const why = refusalOf(disk, wantedOf(needsBytes, options));
    if (why !== undefined) throw why;
  }
}

function realPath(name: string): string {
  try {
    return realpathSync(name);
  } catch {
    return name;
  }
}

function slotAt({ path }: Disk): Slot {
  const slot = slotOf(path);
  if (slot === undefined) throw new FlashError('flash.disk_gone', `${path}: was taken out`);
  return slot;
}

async function mayWrite(disks: readonly Disk[], count: number, signal: AbortSignal): Promise<boolean> {
  if (!process.stdin.isTTY) throw new ConfigError('config.invalid', 'flash: asks a person, and there is no terminal (--yes asks nothing)');
  const { createInterface } = await import('node:readline/promises');
  say(`All that is on ${disks.length === 1 ? 'this disk' : 'these disks'} is lost:`);
  for (const disk of disks) say(`  ${diskLine(disk)}`);
  if (count > 1) say(`and all that is on the cards that are put there next, ${count} in all.`);
  const asking = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return (await asking.question('Type yes to go on: ', { signal })).trim() === 'yes';
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  } finally {
    asking.close();
  }
}

/** Not an argument: those can be seen by everybody on the machine. */
async function passphraseOf(ssid: string): Promise<string> {
  return process.stdin.isTTY ? await readPassword(`Passphrase of "${ssid}": `) : (readFileSync(0, 'utf8').split('\n')[0] ?? '');
}

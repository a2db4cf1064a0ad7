/**
 * `vestibule cards`: prints cards, makes one card for a phone, tells who the issuer is. Reads no process: text goes where it is told to,
 * faults are thrown.
 */
import { join } from 'node:path';
import { Command } from 'commander';
import { ConfigError } from '../protocol/errors.ts';
import { type DeploymentId, isPlaceId } from '../protocol/ids.ts';
import { type CardIssuer, openIssuer } from './issuer.ts';
import { PICTURE_FORMATS, type PictureFormat } from './picture.ts';
import { faultsOf, type GroupOrder, MOST_AT_ONCE, printSheet } from './print.ts';
import { KEY_ADVICE, printOne } from './print-one.ts';
import { MOST_STAFF_CARDS, printStaffCards } from './staff-sheet.ts';

export interface CardsSurroundings {
  /** Where lines for a person go; each is handed over without its line feed. */
  readonly out: (line: string) => void;
  /** The data directory unless `--data` names another; the issuer lives in `issuer/` within it. */
  readonly dataDir: string;
  /** The deployment that lives in a data directory already, so that a new issuer signs for it; none unless given. */
  readonly deploymentIn?: (dataDir: string) => DeploymentId | undefined;
}

interface SheetOptions {
  readonly visitors?: string;
  readonly groups?: readonly string[];
  readonly stickers?: string;
  readonly out?: string;
  readonly force?: true;
  readonly data: string;
}

interface OneOptions {
  readonly format?: string;
  readonly people: string;
  readonly out?: string;
  readonly keyOut?: string;
  readonly force?: true;
  readonly data: string;
}

interface IssuerOptions {
  readonly deployment?: string;
  readonly json?: true;
  readonly data: string;
}

const SHEET_HELP = `
Examples:
  vestibule cards --visitors 20 --out cards.pdf
  vestibule cards --visitors 50 --groups 4x5 --groups 2x12 --stickers 24 --out cards.pdf

Cards come five to an A4 sheet, each beside its stub, which bears the key: print at 100 %, cut at the marks, hand out
card and stub together. Stickers come 24 to a sheet and fit labels of 63.5 x 33.9 mm.
The file holds the key of every card on it: delete it when it is printed. No list of the cards is kept.`;

const ONE_HELP = `
Examples:
  vestibule cards one --out card.png
  vestibule cards one --people 4 --out family.svg --key-out family-key.txt

The picture is shown at doors, so the key is not in it: it is printed here, to be written down, or goes into the file
that --key-out names.`;

interface StaffOptions {
  readonly count: string;
  readonly out?: string;
  readonly force?: true;
  readonly data: string;
}

const STAFF_HELP = `
Examples:
  vestibule cards staff --count 3 --out staff.pdf

A staff card opens the menu of every kiosk of its deployment. One that was lost is withdrawn as a visitor's card is, by its key:
"vestibule cards lost".`;

const ISSUER_HELP = `
The public key goes on a gateway's list of issuers (and so to its kiosks), which then take the cards that are printed here.`;

/** @returns the command, to be mounted by the composition root; its actions throw ConfigError `config.invalid` and StoreError `store.*`. */
export function cardsCommand({ out, dataDir, deploymentIn = () => undefined }: CardsSurroundings): Command {
  const openIn = (data: string, deployment = deploymentIn(data)): CardIssuer =>
    openIssuer(join(data, 'issuer'), deployment === undefined ? {} : { deployment });
  const tellNew = (issuer: CardIssuer, data: string): CardIssuer => {
    if (issuer.isNew) out(`A new issuer was made in ${join(data, 'issuer')}: keep a copy of that folder in a safe place.`);
    if (issuer.isNew)
      out(
        'A gateway that runs on this data directory tells its kiosks of it within seconds; "vestibule venue list" says which have confirmed.',
      );
    return issuer;
  };
  const data = ['--data <dir>', 'data directory; the issuer is in its "issuer" folder', dataDir] as const;

  const cards = new Command('cards').description('print visitor cards, group cards and test stickers');
  // The options are a command's of their own: a parent's would take the --out of the commands below it.
  const sheet = cards
    .command('sheet', { isDefault: true })
    .usage('[options]')
    .description('print sheets of cards and stickers as a PDF; what `vestibule cards` does by itself')
    .option('--visitors <count>', `cards for one person each, up to ${MOST_AT_ONCE.toLocaleString('en')}`)
    .option('--groups <cards x people>', 'group cards: 4x5 is four cards for five people each; may be given again', collect)
    .option('--stickers <count>', 'test stickers')
    .option('--out <file>', 'the PDF to write; readable by you alone')
    .option('--force', 'write over the file if it is there')
    .option(...data)
    .addHelpText('after', SHEET_HELP)
    .action(async (options: SheetOptions) => {
      const faults: string[] = [];
      const visitors = countOf('--visitors', options.visitors ?? '0', faults);
      const groups = (options.groups ?? []).flatMap((text) => groupOf(text, faults));
      const stickers = countOf('--stickers', options.stickers ?? '0', faults);
      const order = { visitors, groups, stickers };
      if (faults.length === 0) faults.push(...faultsOf(order));
      const path = options.out ?? '';
      if (path === '') faults.push('--out: name the PDF to write');
      refuse(faults);
      const { sheets, groupCards, warning } = await printSheet({ ...order, issuer: tellNew(openIn(options.data), options.data) }, path, {
        mayReplace: options.force === true,
      });
      out(
        `${path}: ${plural(sheets, 'sheet')} with ${plural(visitors, 'visitor card')}, ${plural(groupCards, 'group card')}, ${plural(stickers, 'test sticker')}`,
      );
      for (const { count, size } of groups) out(`  ${plural(count, 'group card')} for ${size} people`);
      out('Print it at 100 % on A4 (no "fit to page"): the line at the top of each sheet is then 100 mm long.');
      out(warning);
    });

  cards.addHelpText('after', () => `\nOptions of sheet:\n${optionsOf(sheet)}\n${SHEET_HELP}`);

  cards
    .command('one')
    .description("make one card as a picture for a phone's screen")
    .option('--format <png|svg>', "the picture's format; taken from the file's name unless given")
    .option('--people <count>', 'how many people come on the card', '1')
    .option('--out <file>', 'the picture to write; readable by you alone')
    .option('--key-out <file>', 'write the key into this text file instead of printing it here')
    .option('--force', 'write over files that are there')
    .option(...data)
    .addHelpText('after', ONE_HELP)
    .action((options: OneOptions) => {
      const faults: string[] = [];
      const people = countOf('--people', options.people, faults);
      const path = options.out ?? '';
      if (path === '') faults.push('--out: name the picture to write');
      const format = options.format ?? path.split('.').at(-1)?.toLowerCase() ?? '';
      if (path !== '' && !isFormat(format)) faults.push(`--format: expected ${PICTURE_FORMATS.join(' or ')}`);
      refuse(faults);
      if (!isFormat(format)) return;
      const { typedKeyCode, warning } = printOne({
        issuer: tellNew(openIn(options.data), options.data),
        format,
        people,
        path,
        ...(options.keyOut === undefined ? {} : { keyPath: options.keyOut }),
        mayReplace: options.force === true,
      });
      out(`${path}: the card, to be shown at doors`);
      if (options.keyOut !== undefined) out(`${options.keyOut}: its key`);
      if (typedKeyCode !== undefined) for (const line of ['', 'Its key:', '', `    ${typedKeyCode}`, '', ...KEY_ADVICE, '']) out(line);
      out(warning);
    });

  cards
    .command('staff')
    .description("print staff cards, which open a kiosk's menu, and the key of each")
    .option('--count <count>', `how many, up to ${MOST_STAFF_CARDS}`, '1')
    .option('--out <file>', 'the PDF to write; readable by you alone')
    .option('--force', 'write over the file if it is there')
    .option(...data)
    .addHelpText('after', STAFF_HELP)
    .action(async (options: StaffOptions) => {
      const faults: string[] = [];
      const count = countOf('--count', options.count, faults);
      if (faults.length === 0 && (count < 1 || count > MOST_STAFF_CARDS)) faults.push(`--count: ${count} is not 1 to ${MOST_STAFF_CARDS}`);
      const path = options.out ?? '';
      if (path === '') faults.push('--out: name the PDF to write');
      refuse(faults);
      const sheets = await printStaffCards(tellNew(openIn(options.data), options.data), count, path, options.force === true);
      out(`${path}: ${plural(sheets, 'sheet')} with ${plural(count, 'staff card')}; for labels of 63.5 x 33.9 mm, or to be cut`);
      out('Who has one can open the menu of every kiosk: hand them to people by name, keep the keys locked up, delete the file.');
    });

  cards
    .command('issuer')
    .description('tell who signs the cards that are printed here, and for which deployment')
    .option('--deployment <id>', 'for a new issuer: the deployment that its cards are for')
    .option('--json', 'as one line of JSON')
    .option(...data)
    .addHelpText('after', ISSUER_HELP)
    .action((options: IssuerOptions) => {
      const { deployment } = options;
      if (deployment !== undefined && !isPlaceId(deployment))
        refuse(['--deployment: expected 16 characters of lower-case Crockford base32']);
      const issuer = openIn(options.data, deployment as DeploymentId | undefined);
      const publicKey = Buffer.from(issuer.publicKey).toString('base64url');
      if (options.json === true) return out(JSON.stringify({ deployment: issuer.deployment, publicKey }));
      out(`deployment  ${issuer.deployment}`);
      out(`public key  ${publicKey}`);
      tellNew(issuer, options.data);
    });

  return cards;
}

const collect = (text: string, before: readonly string[] = []): string[] => [...before, text];

/** The lines of a command's help that tell its options. */
function optionsOf(command: Command): string {
  const help = command.createHelp();
  const width = help.padWidth(command, help);
  return help
    .visibleOptions(command)
    .map((option) => help.formatItem(help.optionTerm(option), width, help.optionDescription(option), help))
    .join('\n');
}

const isFormat = (text: string): text is PictureFormat => PICTURE_FORMATS.some((format) => format === text);

const plural = (count: number, thing: string): string => `${count} ${thing}${count === 1 ? '' : 's'}`;

function countOf(option: string, text: string, faults: string[]): number {
  if (/^\d{1,6}$/.test(text)) return Number(text);
  faults.push(`${option}: "${text}" is not a whole number`);
  return 0;
}

/** `4x5`, several with commas between. */
function groupOf(text: string, faults: string[]): GroupOrder[] {
  return text.split(',').flatMap((part) => {
    const [, count, size] = /^(\d{1,6})[xX×](\d{1,6})$/.exec(part.trim()) ?? [];
    if (count !== undefined && size !== undefined) return [{ count: Number(count), size: Number(size) }];
    faults.push(`--groups: "${part}" is not cards x people, such as 4x5`);
    return [];
  });
}

function refuse(faults: readonly string[]): void {
  if (faults.length > 0) throw new ConfigError('config.invalid', `cards: ${faults.join('; ')}`);
}

/** `vestibule core`: what an operator may ask of the tracing core, each look written to the audit log. */
import { Command } from 'commander';
import { readCoreKeys } from '../core/keys.ts';
import { answerOverlaps } from '../core/overlap-command.ts';
import { coreStatus } from '../core/status.ts';
import { spanWords } from '../gateway/web/kiosk-words.ts';
import { decodeCode } from '../protocol/code.ts';
import { CodeError, ConfigError } from '../protocol/errors.ts';
import type { VisitorUuid } from '../protocol/ids.ts';
import { silentLog } from '../protocol/log.ts';
import type { ClockDoubt } from '../protocol/retention-clock.ts';
import { systemClock } from '../protocol/time.ts';
import { giveUpDayCommand } from './core-give-up-command.ts';
import { machineCommand, subjectCommand } from './core-machine-commands.ts';
import { corePolicyCommand } from './core-policy-command.ts';
import { coreServeCommand } from './core-serve-command.ts';
import { venueNoticesCommand } from './core-venue-notices-command.ts';
import { dataPaths } from './data-paths.ts';
import { counted, decimalOf } from './numbers.ts';
import { scanCode } from './scan-code.ts';
import { systemUser } from './system-user.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const OVERLAPS_HELP = `
The card is scanned, or its code is given on standard input: never as an argument, where other users and the shell's
history would see it. The answer names nobody: contacts are numbered anew at each look.
Who asked, when, and for what purpose goes into the audit log, which shows if it is altered.`;

export function coreCommand(): Command {
  const core = new Command('core').description('ask the tracing core, for health officers; or run one by itself');
  core
    .command('overlaps')
    .description('who was at the same place at the same time as the holder of one card')
    .requiredOption('--purpose <words>', 'why you look; kept in the audit log')
    .option('--minutes <count>', 'least overlap', '15')
    .option('--json', 'as one line of JSON')
    .option('--data <dir>', 'data directory; the core is in its "core" folder', './data')
    .addHelpText('after', OVERLAPS_HELP)
    .action(async (options: { purpose: string; minutes: string; json?: true; data: string }) => {
      const paths = dataPaths(options.data);
      const keys = await readCoreKeys(paths.coreKeys);
      const minutes = decimalOf('--minutes', options.minutes);
      if (!(minutes > 0)) throw new ConfigError('config.invalid', `--minutes: "${options.minutes}" is not a number above 0`);
      const card = cardIn(await scanCode('Scan the card: '));
      const answer = await answerOverlaps(
        { dir: paths.core, keys, clock: systemClock, log: silentLog },
        { card, minimumOverlapMs: Math.round(minutes * 60_000), who: systemUser(), purpose: options.purpose },
      );
      if (options.json) return say(JSON.stringify(answer));
      say(
        answer.contacts.length === 0
          ? 'No overlaps.'
          : `${answer.contacts.length} ${answer.contacts.length === 1 ? 'overlap' : 'overlaps'}:`,
      );
      for (const contact of answer.contacts) {
        const certainty = contact.isCertain ? '' : ', times uncertain';
        const doubt = contact.isDoubtful ? ', doubtful' : '';
        say(
          `  ${contact.contact}  ${contact.day}  venue ${contact.venue}  ${Math.round(contact.overlapMs / 60_000)} min${certainty}${doubt}`,
        );
      }
      if (answer.clock !== undefined) say(doubtWords(answer.clock));
      if (answer.unreadableDays.length > 0) say(`Not looked at, since unreadable: ${answer.unreadableDays.join(', ')}`);
      say(`Audit log entry ${answer.audit.entry}, ${answer.audit.hash}`);
    });
  core
    .command('status')
    .description('how much the core holds, and what it had to set aside and why')
    .option('--json', 'as one line of JSON')
    .option('--data <dir>', 'data directory; the core is in its "core" folder', './data')
    .action(async (options: { json?: true; data: string }) => {
      const paths = dataPaths(options.data);
      const { storeKey } = await readCoreKeys(paths.coreKeys);
      const status = coreStatus({ dir: paths.core, storeKey, clock: systemClock });
      if (options.json) return say(JSON.stringify(status));
      if (status.clock !== undefined) say(doubtWords(status.clock));
      const { days, flags, undos, setAside, setAsideBy, expired, daysDropped, cases, notices } = status;
      const held = `${days} ${days === 1 ? 'day' : 'days'} held`;
      say(`${held}, ${daysDropped} dropped past retention, ${counted(expired, 'record')} came too late, ${undos} taken back`);
      say(`flags: ${flags.confirmed} confirmed, ${flags.unconfirmed} unconfirmed`);
      const { noticed, leftOut, toTrace, oldestWaitingMs = 0 } = notices;
      say(`cases: ${cases.confirmed} confirmed, ${cases.suspected} suspected, ${cases.dismissed} dismissed`);
      say(`notices: for ${noticed} ${noticed === 1 ? 'card' : 'cards'}${leftOut === 0 ? '' : `, ${leftOut} MORE THAN CAN BE TOLD`}`);
      if (toTrace > 0) say(`to be traced: ${toTrace}, the oldest for ${Math.ceil(oldestWaitingMs / 1_000)} s`);
      say(setAside === 0 ? 'nothing set aside' : `${setAside} SET ASIDE: not traced, still in the gateway's ledger`);
      for (const { kiosk, reason, count } of setAsideBy) say(`  kiosk ${kiosk}: ${count} [${reason}]`);
    });
  core.addCommand(machineCommand('gateway'));
  core.addCommand(machineCommand('partner'));
  core.addCommand(subjectCommand());
  core.addCommand(corePolicyCommand());
  core.addCommand(venueNoticesCommand());
  core.addCommand(giveUpDayCommand());
  core.addCommand(coreServeCommand());
  return core;
}

/** Above what goes by it: days are held, and looked at, by another time than the machine's. */
const doubtWords = ({ kind, byMs }: ClockDoubt): string =>
  kind === 'ahead'
    ? `THE CLOCK IS ${spanWords(byMs)} AHEAD of the time by which days are kept and looked at here: set it right, or "vestibule clock confirm"`
    : `THE CLOCK IS ${spanWords(byMs)} BEHIND what it was: days are kept and looked at by it all the same; set it right, or "vestibule clock confirm"`;

/** @throws CodeError for whatever is not a card; DeviceError at the input's end. */
function cardIn(text: string): VisitorUuid {
  const code = decodeCode(text.trim());
  if (code.kind !== 'visitor' && code.kind !== 'group' && code.kind !== 'unsigned')
    throw new CodeError('code.kind', `a ${code.kind} code: not a visitor's card`);
  return code.card;
}

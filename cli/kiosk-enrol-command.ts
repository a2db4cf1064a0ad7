/** `vestibule kiosk enrol`: makes a kiosk of this machine by a code, where nobody wants to scan it at the kiosk itself. */
import { mkdirSync } from 'node:fs';
import { Command } from 'commander';
import { readErrorWords } from '../gateway/web/error-words.ts';
import { lockDataDir } from '../kiosk/data-lock.ts';
import { enrol } from '../kiosk/enrol.ts';
import { openIdentity } from '../kiosk/kiosk-identity.ts';
import { isEnrolled } from '../kiosk/papers.ts';
import { decodeCode, type EnrolmentCode } from '../protocol/code.ts';
import { CodeError, ConfigError, EnrolError } from '../protocol/errors.ts';
import { systemClock } from '../protocol/time.ts';
import { dataPaths } from './data-paths.ts';
import { openLog } from './log.ts';
import { untilStopped } from './stopping.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const HELP = `
The code is what "vestibule enrol" printed on the gateway; blanks and line ends in it do no harm. "-" reads it from standard
input, so that it stands in no list of processes. Where the gateway is not reached it is tried again; Ctrl-C stops, and
"vestibule kiosk run" goes on with the same code.`;
const LONGEST_INPUT_CHARACTERS = 4_096;

export function kioskEnrolCommand(): Command {
  return new Command('enrol')
    .argument('<code>', 'the enrolment code, or - for standard input')
    .description('make a kiosk of this machine, by a code from its gateway')
    .option('--data <dir>', 'data directory; the kiosk is in its "kiosk" folder', './data')
    .addHelpText('after', HELP)
    .action(async (text: string, options: { data: string }) => {
      const code = enrolmentCodeOf(text === '-' ? await readInput() : text);
      const { kiosk: dir } = dataPaths(options.data);
      mkdirSync(dir, { recursive: true, mode: 0o700 });
      const unlock = lockDataDir(dir);
      try {
        if (isEnrolled(dir)) throw new ConfigError('config.invalid', `${dir}: is an enrolled kiosk already (give this one another --data)`);
        const onUnreached = (why: string) => say(`${code.host}:${code.port} not reached (${why}); trying again`);
        const enrolling = {
          dir,
          identity: openIdentity(dir),
          clock: systemClock,
          log: openLog('silent'),
          random: Math.random,
          onUnreached,
        };
        const papers = await enrol(enrolling, code, untilStopped()).catch(inWords);
        say(papers === undefined ? 'stopped; "vestibule kiosk run" goes on with this code' : `kiosk ${papers.kiosk} enrolled: ${dir}`);
      } finally {
        unlock();
      }
    });
}

/** What a refused code means to whoever stands at the kiosk. */
function inWords(error: unknown): never {
  if (!(error instanceof EnrolError)) throw error;
  throw new EnrolError(error.code, `${readErrorWords()(error.code).meaning} Ask the operator for another.`, { cause: error });
}

function enrolmentCodeOf(text: string): EnrolmentCode {
  const code = decodeCode(text.replaceAll(/\s/g, ''));
  if (code.kind !== 'enrolment') throw new CodeError('code.kind', `a ${code.kind} code; expected one that "vestibule enrol" gave`);
  return code;
}

async function readInput(): Promise<string> {
  let text = '';
  for await (const chunk of process.stdin) {
    text += String(chunk);
    if (text.length > LONGEST_INPUT_CHARACTERS) break;
  }
  return text;
}

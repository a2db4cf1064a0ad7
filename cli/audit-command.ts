/** `vestibule audit`: what people did and looked at, and whether the log of it is whole. Also while no gateway runs. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { AuditLog as CoreAuditLog } from '../core/audit.ts';
import { readCoreKeys } from '../core/keys.ts';
import { type AuditFinding, type AuditHead, parseHead, refuseAltered } from '../disk/audit-chain.ts';
import { ConfigError } from '../protocol/errors.ts';
import { systemClock } from '../protocol/time.ts';
import { withAudit, writeDeed } from './audit-desk.ts';
import { type DataPaths, dataPaths, refuseNoGateway } from './data-paths.ts';
import { counted, wholeNumberOf } from './numbers.ts';
import { systemUser } from './system-user.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const data = ['--data <dir>', 'data directory of the gateway', './data'] as const;

const VERIFY_HELP = `
Prints how far the log goes, as <entries>:<hash>. Note it elsewhere now and then: with it, --head proves that nothing before
it was changed since, even by somebody who had every file and key of this machine.`;

export function auditCommand(): Command {
  const audit = new Command('audit').description('what people did and looked at');

  audit
    .command('list')
    .description('show the newest entries, the newest last')
    .option('--core', "the core's log")
    .option('--last <count>', 'how many', '50')
    .option('--json', 'one JSON object a line')
    .option(...data)
    .action(async (options: { core?: true; last: string; json?: true; data: string }) => {
      const most = wholeNumberOf('--last', options.last);
      if (options.core) return await listCore(options.data, most, options.json === true);
      refuseNoGateway(dataPaths(options.data));
      await writeDeed(options.data, { action: 'look.audit', about: '', detail: '' });
      for (const entry of (await withAudit(options.data, (log) => log.entries(most))).reverse()) {
        const { atMs, who, via, action, about, detail } = entry;
        const line = `${entry.entry}  ${new Date(atMs).toISOString()}  ${who} (${via})  ${[action, about, detail].filter((text) => text !== '').join(' ')}`;
        say(options.json ? JSON.stringify(entry) : line);
      }
    });

  audit
    .command('verify')
    .description('read the whole log and say whether anything was changed, taken out, moved or cut off; exit status 1 when so')
    .option('--head <entries:hash>', 'a head that was noted earlier')
    .option('--core-head <entries:hash>', "one of the core's log")
    .option(...data)
    .addHelpText('after', VERIFY_HELP)
    .action(async (options: { head?: string; coreHead?: string; data: string }) => {
      const paths = dataPaths(options.data);
      if (!existsSync(paths.coreKeys)) refuseNoGateway(paths);
      const [kept, keptOfCore] = [headIn('--head', options.head), headIn('--core-head', options.coreHead)];
      if (existsSync(paths.gateway)) {
        const { entries, hash } = refuseAltered(await withAudit(options.data, (log) => log.verify(kept)), 'audit');
        say(`whole: ${counted(entries, 'entry', 'entries')}`);
        say(`${entries}:${hash}`);
      }
      if (existsSync(join(paths.core, 'audit.db'))) {
        const { entries, hash } = refuseAltered(await verifyCore(paths, keptOfCore), "the core's audit");
        say(`the core's, whole: ${counted(entries, 'entry', 'entries')}`);
        say(`${entries}:${hash}`);
      }
    });

  return audit;
}

/** Looking at it is a look. */
async function listCore(directory: string, most: number, isJson: boolean): Promise<void> {
  const { core, coreKeys } = dataPaths(directory);
  const { storeKey } = await readCoreKeys(coreKeys);
  const log = new CoreAuditLog(core, storeKey);
  try {
    const look = { who: systemUser(), role: 'operator', purpose: 'oversight', action: 'look.audit', about: '', detail: '' };
    log.append({ ...look, atMs: systemClock.wall(), outcome: 'done', rows: 0 });
    for (const entry of log.entries(most).reverse()) {
      const { atMs, who, role, purpose, action, about, outcome, rows, detail } = entry;
      const what = [action, about, purpose && `for ${purpose}`, outcome, rows > 0 ? counted(rows, 'record') : '', detail];
      const line = `${entry.entry}  ${new Date(atMs).toISOString()}  ${who} (${role})  ${what.filter((text) => text !== '').join(' ')}`;
      say(isJson ? JSON.stringify(entry) : line);
    }
  } finally {
    log.close();
  }
}

async function verifyCore({ core, coreKeys }: DataPaths, kept: AuditHead | undefined): Promise<AuditFinding> {
  const { storeKey } = await readCoreKeys(coreKeys);
  const log = new CoreAuditLog(core, storeKey);
  try {
    return log.verify(kept);
  } finally {
    log.close();
  }
}

function headIn(option: string, text: string | undefined): AuditHead | undefined {
  const head = text === undefined ? undefined : parseHead(text);
  if (text !== undefined && head === undefined)
    throw new ConfigError('config.invalid', `${option}: expected <entries>:<64 hexadecimal digits>`);
  return head;
}

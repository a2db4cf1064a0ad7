/** `vestibule cards lost` and `cards found`: what every kiosk of a gateway is to refuse, by the key on the stub or by the card. */
import { Command } from 'commander';
import { decodeCode } from '../protocol/code.ts';
import { CodeError } from '../protocol/errors.ts';
import type { VisitorUuid } from '../protocol/ids.ts';
import { parseTypedKeyCode } from '../protocol/key-code.ts';
import { systemClock } from '../protocol/time.ts';
import { deriveVisitor } from '../protocol/visitor.ts';
import { doDeed } from './audit-desk.ts';
import { dataPaths, refuseNoGateway } from './data-paths.ts';
import { withRegistry } from './registry-access.ts';
import { scanCodes } from './scan-code.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const data = ['--data <dir>', 'data directory of the gateway', './data'] as const;

const LOST_HELP = `
Scan or type the key on the stub that stayed at home, or scan the card if there is a picture of it; a file of such codes,
one a line, may come on standard input. Neither is shown, and the gateway keeps neither: only a digest that leads back to
no card. Kiosks that are online refuse the card within seconds, others when they come back.`;

export function lostCardCommands(): Command[] {
  const lost = new Command('lost')
    .description('report a card lost: every kiosk then says "card withdrawn" and keeps nothing of a scan')
    .option(...data)
    .option('--count', 'only tell how many are on the list')
    .addHelpText('after', LOST_HELP)
    .action(async (options: { data: string; count?: true }) => {
      refuseNoGateway(dataPaths(options.data));
      if (options.count !== true) await change(options.data, 'card.lost', 'reported lost', 'on the list already');
      const count = await withRegistry(options.data, ({ lostList }) => lostList.count());
      if (options.count !== true)
        say('a running gateway tells its kiosks within seconds; a kiosk that is away goes on taking the card until it is back');
      say(`${count} ${count === 1 ? 'card is' : 'cards are'} on the list`);
    });
  const found = new Command('found')
    .description('take a card off the list of lost cards')
    .option(...data)
    .action(async (options: { data: string }) => {
      refuseNoGateway(dataPaths(options.data));
      await change(options.data, 'card.found', 'taken off the list', 'not on the list');
    });
  return [lost, found];
}

async function change(directory: string, action: 'card.lost' | 'card.found', done: string, notDone: string): Promise<void> {
  for await (const text of scanCodes('Scan or type the key, or scan the card: ')) {
    const card = cardOf(text.trim());
    const isLost = action === 'card.lost';
    const isToChange = await withRegistry(directory, ({ lostList }) => lostList.has(card) !== isLost);
    if (isToChange)
      await doDeed(directory, { action, about: '', detail: '' }, () =>
        withRegistry(directory, ({ lostList }) =>
          isLost ? lostList.add([card], systemClock.wall()) > 0 : lostList.remove(card, systemClock.wall()),
        ),
      );
    say(isToChange ? done : notDone);
    if (process.stdin.isTTY) return;
  }
}

/** @throws CodeError for what is neither a key nor a card. */
function cardOf(text: string): VisitorUuid {
  const keyCode = keyCodeIn(text);
  if (keyCode !== undefined) {
    const { card } = deriveVisitor(keyCode);
    keyCode.fill(0);
    return card;
  }
  const code = decodeCode(text);
  if (code.kind !== 'visitor' && code.kind !== 'group' && code.kind !== 'unsigned')
    throw new CodeError('code.kind', `a ${code.kind} code: neither a key nor a visitor's card`);
  return code.card;
}

/** A key as a QR, or as it is printed beside it. A scanned code has none of its hyphens; a typed key is no code. */
function keyCodeIn(text: string): Uint8Array | undefined {
  try {
    const code = decodeCode(text);
    return code.kind === 'key' ? code.keyCode : undefined;
  } catch (error) {
    if (!(error instanceof CodeError)) throw error;
    if (!/^[0-9A-Za-z -]{30,}$/.test(text) || /^[Vv]/.test(text)) throw error;
    return parseTypedKeyCode(text);
  }
}

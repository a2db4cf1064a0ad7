/**
 * Set-up at a terminal: prints what changed, and takes lines. Numbers choose; everything else is what the step asks for. A line that is a
 * code of ours is a scan, whatever is asked: scanners type into terminals, too.
 */
import { decodeCode } from '../../protocol/code.ts';
import { CodeError } from '../../protocol/errors.ts';
import { entranceName } from '../../protocol/kiosk-place.ts';
import type { Language } from '../screen/languages.ts';
import type { SetupDesk } from './setup-desk.ts';
import { PORT_USES, type PortUse, SETUP_STEPS, type SetupState } from './setup-state.ts';
import { outcomeOf, SETUP_WORDS, type SetupWords } from './setup-words.ts';

export interface SetupTerminal {
  readonly write: (text: string) => void;
  /** Lines as they are typed or scanned, without their ends. */
  readonly lines: AsyncIterable<string>;
}

/** What is typed for a port: its number and a letter, such as `1 t`. */
const LETTERS: Readonly<Record<string, PortUse>> = { s: 'scanner', t: 'gy-mcu90614', v: 'gy-614v', b: 'board-rgb', l: 'board-three' };

/** Resolves once all is done, or the lines end, or at abort. @returns whether set-up is done. */
export async function runTerminalFace(
  desk: SetupDesk,
  { write, lines }: SetupTerminal,
  language: Language,
  signal: AbortSignal,
): Promise<boolean> {
  const words = SETUP_WORDS[language];
  const over = new AbortController();
  let shown = '';
  const show = (state: SetupState) => {
    const text = linesOf(words, state).join('\n');
    if (text !== shown) write(`\n${text}\n`);
    shown = text;
    if (state.step === 'done') over.abort();
  };
  const stop = desk.listen(show);
  show(desk.state);
  try {
    const hearing = hear(desk, lines, (step) => write(`  ${step === 'name' ? words.notName : '?'}\n${shown}\n`), over.signal);
    await Promise.race([hearing, once(signal), once(over.signal)]);
  } finally {
    stop();
  }
  return desk.state.step === 'done';
}

async function hear(
  desk: SetupDesk,
  lines: AsyncIterable<string>,
  refuse: (step: SetupState['step']) => void,
  over: AbortSignal,
): Promise<void> {
  for await (const line of lines) {
    if (over.aborted) return;
    if (!take(desk, line.trim())) refuse(desk.state.step);
  }
}

/** @returns whether the line says anything at this step. */
export function take(desk: SetupDesk, line: string): boolean {
  const { step, devices } = desk.state;
  if (step === 'enrol' || isCode(line)) {
    desk.scan(line.replaceAll(/\s/g, ''));
    return true;
  }
  if (line === '') {
    // An event that did not arrive is sent again; all else is gone on from.
    desk.command({ kind: step === 'delivery' ? 'again' : 'next' });
    return true;
  }
  if (step === 'name') {
    const name = entranceName.safeParse(line).data;
    if (name !== undefined) desk.command({ kind: 'name', name });
    return name !== undefined;
  }
  const [, number = '', letter = ''] = /^(\d+)\s*([a-z])?$/.exec(line) ?? [];
  const device = devices[Number(number) - 1];
  if (step !== 'devices') return false;
  if (line === 'n' || line === 'o') {
    desk.command({ kind: 'sniffer', isOn: line === 'n' });
    return true;
  }
  if (device === undefined) return false;
  const as = LETTERS[letter];
  if (letter !== '' && as === undefined) return false;
  desk.command(as === undefined ? { kind: 'seen', device: device.name } : { kind: 'use', device: device.name, as });
  return true;
}

function isCode(line: string): boolean {
  try {
    decodeCode(line);
    return true;
  } catch (error) {
    if (!(error instanceof CodeError)) throw error;
    return false;
  }
}

function linesOf(words: SetupWords, state: SetupState): string[] {
  const at = state.step === 'done' ? SETUP_STEPS.length : SETUP_STEPS.indexOf(state.step);
  const head = SETUP_STEPS.map((step, index) => `${index < at ? '✓' : index === at ? '▸' : '·'} ${words.steps[step]}`).join('   ');
  const outcome = outcomeOf(words, state);
  return [
    head,
    `  ${words.asks[state.step]}`,
    ...(state.step === 'devices' ? deviceLines(words, state) : []),
    ...(outcome === '' ? [] : [`  ${outcome}`]),
    ...hint(words, state).map((text) => `  [${text}]`),
  ];
}

function deviceLines(words: SetupWords, { devices }: SetupState): string[] {
  if (devices.length === 0) return [`  ${words.noDevices}`];
  return devices.map(({ name, kind, isUp, why, isTried }, index) => {
    const state = !isUp ? `✗ ${words.down.replace('{code}', why ?? '')}` : isTried ? `✓ ${words.tried}` : `· ${words.tryIt[kind]}`;
    return `  ${index + 1}  ${words.kinds[kind]} ${name}: ${state}`;
  });
}

function hint(words: SetupWords, { step, isBusy, devices }: SetupState): string[] {
  switch (step) {
    case 'enrol':
    case 'done':
      return [];
    case 'name':
      return [`Enter: ${words.next}`];
    case 'devices':
      return [
        `Enter: ${words.next}`,
        ...devices.flatMap(({ name }, index) => (isOnPort(name) ? portHints(words, index + 1) : [])),
        ...devices.flatMap(({ kind, isUp, isTried }, index) =>
          kind === 'board' && isUp && !isTried ? [`${index + 1}: ${words.seen}`] : [],
        ),
        devices.some(({ kind }) => kind === 'sniffer') ? `o: ✗ ${words.kinds.sniffer}` : `n: ${words.sniffer}`,
      ];
    case 'delivery':
      return isBusy ? [] : [`Enter: ${words.again}`];
  }
}

/** What can be used as something else: a USB serial port, by its own name or by what set-up has made of it. */
const isOnPort = (name: string): boolean => name.startsWith('serial-') || name === 'thermometer' || name === 'board';

const portHints = (words: SetupWords, number: number): string[] =>
  PORT_USES.map((use) => `${number} ${Object.keys(LETTERS).find((letter) => LETTERS[letter] === use) ?? ''}: ${words.uses[use]}`);

const once = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });

/**
 * One demonstration: prints a sheet, reads it back, walks people through a door while everything that can fail does, and counts.
 * The sheet and all else lie in a private temporary directory, which is erased at the end whatever happens.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeCode } from '../../protocol/code.ts';
import { auditRoad, type RoadAudit } from '../support/audit-road.ts';
import { VestibuleProcess } from '../support/child.ts';
import { readSheet } from '../support/read-sheet.ts';
import { seededRandom } from '../support/suite-size.ts';
import { type Answer, Road } from './road.ts';

export interface DemoCount {
  /** Rows that the kiosk's answers promised. */
  readonly promised: number;
  /** Of those, in the gateway's ledger and, where they are scans or readings, in the core too. */
  readonly delivered: number;
  readonly lost: number;
  /** Rows, or scans of one card, that are there more often than they happened. */
  readonly duplicates: number;
  /** Flags that stand, in the gateway and the core alike. */
  readonly flagged: number;
  /** High readings shown to the sensor that the kiosk answered. */
  readonly highReadings: number;
  /** Flags that the readings shown call for (DESIGN of flags: docs/operator.md). */
  readonly expectedFlags: number;
  readonly seed: number;
}

export interface DemoOptions {
  readonly seed: number;
  readonly cards: number;
  readonly say: (line: string) => void;
  /** Told once the gateway runs. */
  readonly onOpen?: (road: Road) => void;
  /** Looks at what the run left behind, before it is erased. @param codes all that was printed, cards and stubs. */
  readonly inspect?: (road: Road, audit: RoadAudit, codes: readonly string[]) => Promise<void> | void;
}

/** What the sensor sees of skin; the kiosk adds its offset of 2.50 °C, and 38.00 °C is high. */
export const NORMAL_CENTI_CELSIUS = 3_412;
export const HIGH_CENTI_CELSIUS = 3_647;

type Mishap = 'kill after the answer' | 'kill before the answer' | 'restart the gateway' | 'cut the link' | 'unplug the scanner';
type Fever = 'confirmed' | 'unconfirmed' | 'normal at the second reading';

export async function playDemo({ seed, cards, say, onOpen, inspect }: DemoOptions): Promise<DemoCount> {
  const data = mkdtempSync(join(tmpdir(), 'vestibule-demo-'));
  const road = new Road(data);
  const erase = () => rmSync(data, { recursive: true, force: true });
  process.once('exit', erase);
  try {
    const codes = await printAndRead(data, cards, say);
    const symbols = codes.filter((text) => text.startsWith('VC'));
    say('Starting the gateway with the core, and a kiosk with a serial scanner and a thermometer on pseudo-terminals.');
    await road.open();
    onOpen?.(road);
    const shown = await walkThrough(road, symbols, seededRandom(seed), say);
    say('Everybody has been. Waiting until the kiosk has handed over all it promised.');
    await road.close();
    const audit = await auditRoad(data);
    await inspect?.(road, audit, codes);
    return { ...count(road.answers, audit, shown.scansOf), expectedFlags: shown.expectedFlags, highReadings: shown.highReadings, seed };
  } finally {
    await road.destroy();
    erase();
    process.removeListener('exit', erase);
  }
}

async function printAndRead(data: string, cards: number, say: (line: string) => void): Promise<string[]> {
  const sheet = join(data, 'sheet.pdf');
  await VestibuleProcess.run(['cards', '--visitors', String(cards), '--out', sheet, '--data', data]);
  const codes = await readSheet(readFileSync(sheet), { dpi: 150 });
  rmSync(sheet);
  const texts = codes.map(({ text }) => text);
  const read = texts.filter((text) => text.startsWith('VC')).length;
  say(`Printed a sheet of ${cards} cards as PDF, read ${read} of them back from its picture, and erased it.`);
  if (read !== cards) throw new Error(`${read} of ${cards} cards could be read`);
  return texts;
}

interface Shown {
  /** How often each symbol was put before the scanner. */
  readonly scansOf: ReadonlyMap<string, number>;
  readonly highReadings: number;
  readonly expectedFlags: number;
}

async function walkThrough(road: Road, symbols: readonly string[], random: () => number, say: (line: string) => void): Promise<Shown> {
  const ROUNDS = 2;
  const visits = Array.from({ length: ROUNDS }, () => shuffled(symbols, random)).flat();
  const mishaps = placed<Mishap>(
    ['kill after the answer', 'restart the gateway', 'cut the link', 'unplug the scanner', 'kill before the answer'],
    visits.length,
    random,
  );
  const fevers = placed<Fever>(
    ['confirmed', 'normal at the second reading', 'unconfirmed', 'confirmed', 'normal at the second reading', 'confirmed'],
    visits.length,
    random,
    mishaps,
  );
  const scansOf = new Map<string, number>();
  const noteScan = (symbol: string): void => void scansOf.set(symbol, (scansOf.get(symbol) ?? 0) + 1);
  let highReadings = 0;
  let expectedFlags = 0;
  const high = async (): Promise<Answer> => {
    highReadings += 1;
    return await road.measure(HIGH_CENTI_CELSIUS);
  };
  for (const [at, symbol] of visits.entries()) {
    const mishap = mishaps.get(at);
    if (mishap !== undefined) say(`  after ${road.answers.length} answers: ${mishap}`);
    if (mishap === 'unplug the scanner') {
      // Half of a code, then the plug: nobody may come in by it.
      await road.scanner.send(symbol.slice(0, 60));
      await road.replugScanner();
    }
    if (mishap === 'kill before the answer') {
      await road.scanner.send(`${symbol}\r`);
      await road.killKiosk();
      await road.startKiosk();
      noteScan(symbol);
    }
    if (mishap === 'cut the link') road.link.cut();
    noteScan(symbol);
    await road.scan(symbol);
    if (mishap === 'kill after the answer') {
      await road.killKiosk();
      await road.startKiosk();
      continue;
    }
    if (mishap === 'restart the gateway') await road.restartGateway();
    const fever = fevers.get(at);
    if (fever === undefined) await road.measure(NORMAL_CENTI_CELSIUS);
    else {
      await high();
      if (fever === 'confirmed') await high();
      if (fever === 'normal at the second reading') await road.measure(NORMAL_CENTI_CELSIUS);
      if (fever === 'unconfirmed') await road.answer(road.answers.length - 1, ({ kind }) => kind === 'please-see-staff');
      if (fever !== 'normal at the second reading') expectedFlags += 1;
    }
    // Out again; three people stay offline with the rest while the link is cut.
    noteScan(symbol);
    await road.scan(symbol);
    if (mishaps.get(at - 3) === 'cut the link') road.link.mend();
  }
  road.link.mend();
  return { scansOf, highReadings, expectedFlags };
}

/** @param scansOf how often each symbol was put before the scanner: the most often that its card may have come in or gone out. */
function count(
  answers: readonly Answer[],
  audit: RoadAudit,
  scansOf: ReadonlyMap<string, number>,
): Pick<DemoCount, 'promised' | 'delivered' | 'lost' | 'duplicates' | 'flagged'> {
  const promised = new Set(answers.flatMap(({ row }) => (row === undefined ? [] : [row])));
  const inLedger = countBy(audit.rows, ({ name }) => name);
  const inCore = countBy([...audit.scans, ...audit.readings], ({ name }) => name);
  const traced = new Set(
    audit.rows.filter(({ event }) => ['check-in', 'check-out', 'temperature'].includes(event.type)).map(({ name }) => name),
  );
  const delivered = [...promised].filter((name) => inLedger.has(name) && (!traced.has(name) || inCore.has(name)));
  // The same row twice, or one scan as two rows: a card can not have passed more often than it was scanned.
  const passages = audit.rows.flatMap(({ event }) => (event.type === 'check-in' || event.type === 'check-out' ? [hex(event.card)] : []));
  const scansOfCard = new Map([...scansOf].map(([symbol, scans]) => [hex(cardOf(symbol)), scans]));
  const tooMany = [...countBy(passages, (card) => card)].map(([card, times]) => Math.max(0, times - (scansOfCard.get(card) ?? 0)));
  const tooManyInCore = Math.max(0, audit.scans.length - passages.length);
  const duplicates =
    sum([...inLedger.values()].map((times) => times - 1)) +
    sum([...inCore.values()].map((times) => times - 1)) +
    sum(tooMany) +
    tooManyInCore;
  const flagged = audit.flags.length === audit.coreFlags.length ? audit.flags.length : Number.NaN;
  return { promised: promised.size, delivered: delivered.length, lost: promised.size - delivered.length, duplicates, flagged };
}

function cardOf(symbol: string): Uint8Array {
  const code = decodeCode(symbol);
  if (code.kind !== 'visitor') throw new Error('not a visitor card');
  return code.card;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

function countBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(keyOf(item), (counts.get(keyOf(item)) ?? 0) + 1);
  return counts;
}

/** Gives each thing a place of its own among the first nine tenths, away from what is there already and from what needs the visits after it. */
function placed<T>(
  things: readonly T[],
  places: number,
  random: () => number,
  taken: ReadonlyMap<number, unknown> = new Map(),
): Map<number, T> {
  const APART = 4;
  const at = new Map<number, T>();
  for (const thing of things) {
    let place: number;
    do place = 2 + Math.floor(random() * (places * 0.9 - 2));
    while ([...taken.keys(), ...at.keys()].some((other) => Math.abs(other - place) < APART));
    at.set(place, thing);
  }
  return at;
}

/** Fisher and Yates. */
function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const left = [...items];
  return items.map(() => left.splice(Math.floor(random() * left.length), 1)[0] as T);
}

/** Whether nothing was lost or doubled, and the flags are those that the readings call for. */
export const isRight = (count: DemoCount): boolean =>
  count.promised > 0 && count.lost === 0 && count.duplicates === 0 && count.flagged === count.expectedFlags;

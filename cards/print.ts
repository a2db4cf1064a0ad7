/** Prints sheets of cards and stickers into a PDF that only its owner can read. */
import { LARGEST_GROUP, SMALLEST_GROUP } from '../protocol/code-payload.ts';
import { ConfigError } from '../protocol/errors.ts';
import { drawCard, drawSticker, drawStub } from './faces.ts';
import { issueCard, issueSticker } from './issue.ts';
import type { CardIssuer } from './issuer.ts';
import { openPdf } from './pdf.ts';
import { refuseTaken, writePrivateFile } from './private-file.ts';
import { CARDS_A_SHEET, cardPlace, drawCardSheet, drawStickerSheet, STICKERS_A_SHEET, stickerPlace } from './sheets.ts';

export interface GroupOrder {
  /** 2 to 99 people. */
  readonly size: number;
  /** How many cards for a group of that size. */
  readonly count: number;
}

export interface SheetOrder {
  /** Cards for one person each. */
  readonly visitors: number;
  readonly groups: readonly GroupOrder[];
  readonly stickers: number;
}

export interface Printed {
  readonly sheets: number;
  readonly visitors: number;
  readonly groupCards: number;
  readonly stickers: number;
  /** What whoever printed has to be told. */
  readonly warning: string;
}

/** Cards, or stickers, in one file: what one machine draws in some seconds and a person can still cut. */
export const MOST_AT_ONCE = 2_000;

/** @returns every fault of an order, in words for whoever gave it; empty when it can be printed. */
export function faultsOf({ visitors, groups, stickers }: SheetOrder): string[] {
  const isCount = (count: number) => Number.isInteger(count) && count >= 0 && count <= MOST_AT_ONCE;
  const cards = visitors + groups.reduce((sum, { count }) => sum + count, 0);
  const faults: string[] = [];
  if (!isCount(visitors)) faults.push(`visitors: ${visitors} is not 0 to ${MOST_AT_ONCE}`);
  for (const { size, count } of groups) {
    if (!isCount(count) || count === 0) faults.push(`groups: ${count} cards is not 1 to ${MOST_AT_ONCE}`);
    if (!Number.isInteger(size) || size < SMALLEST_GROUP || size > LARGEST_GROUP)
      faults.push(`groups: ${size} people is not ${SMALLEST_GROUP} to ${LARGEST_GROUP}`);
  }
  if (!isCount(stickers)) faults.push(`stickers: ${stickers} is not 0 to ${MOST_AT_ONCE}`);
  if (faults.length === 0 && cards > MOST_AT_ONCE) faults.push(`cards: ${cards} of at most ${MOST_AT_ONCE} in one file`);
  if (faults.length === 0 && cards + stickers === 0) faults.push('nothing to print: no visitors, groups or stickers');
  return faults;
}

/**
 * Makes the cards, draws them with their stubs, and writes one PDF. When this resolves the file is whole and durable, and the keys are nowhere else.
 * @param mayReplace whether a file at `path` may be written over.
 * @throws ConfigError `config.invalid` with every fault of the order, or when the file is there or can not be made there;
 * StoreError `store.*` when the disk does not take it.
 */
export async function printSheet(
  order: SheetOrder & { readonly issuer: CardIssuer },
  path: string,
  { mayReplace = false }: { readonly mayReplace?: boolean } = {},
): Promise<Printed> {
  const faults = faultsOf(order);
  if (faults.length > 0) throw new ConfigError('config.invalid', `cards: ${faults.join('; ')}`);
  refuseTaken(path, mayReplace);
  const people = [
    ...Array.from({ length: order.visitors }, () => 1),
    ...order.groups.flatMap(({ size, count }) => Array.from({ length: count }, () => size)),
  ];
  const cardSheets = Math.ceil(people.length / CARDS_A_SHEET);
  const sheets = cardSheets + Math.ceil(order.stickers / STICKERS_A_SHEET);
  const pdf = openPdf('Vestibule cards');
  const { pen } = pdf;
  for (const [at, size] of people.entries()) {
    const place = at % CARDS_A_SHEET;
    if (place === 0) {
      pdf.addPage();
      drawCardSheet(pen, Math.min(CARDS_A_SHEET, people.length - at), at / CARDS_A_SHEET + 1, sheets);
    }
    issueCard(order.issuer, size, ({ card, key, typed }) => {
      const strip = cardPlace(pen, place);
      drawCard(strip.card, card, size);
      drawStub(strip.stub, key, typed, size);
    });
  }
  for (let at = 0; at < order.stickers; at++) {
    const place = at % STICKERS_A_SHEET;
    if (place === 0) {
      pdf.addPage();
      drawStickerSheet(pen, Math.min(STICKERS_A_SHEET, order.stickers - at), cardSheets + at / STICKERS_A_SHEET + 1, sheets);
    }
    drawSticker(stickerPlace(pen, place), issueSticker(order.issuer));
  }
  const file = await pdf.finish();
  try {
    writePrivateFile(path, file, mayReplace);
  } finally {
    file.fill(0);
  }
  return {
    sheets,
    visitors: order.visitors,
    groupCards: people.length - order.visitors,
    stickers: order.stickers,
    warning:
      people.length === 0
        ? 'Whoever has a sticker can use it once: keep the file and the sheets with the test kits, and delete the file when they are printed.'
        : 'The file is a secret: it holds the key of every card. Print it, delete it, and leave no copy in a print queue, a mail or a backup.',
  };
}

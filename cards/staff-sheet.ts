/**
 * Staff cards on labels, to be stuck on cardboard: three to a card. One opens the kiosk's menu, one takes the last scan back, and one is the key,
 * by which a staff card that was lost is withdrawn, as a visitor's card is.
 */
import { issueStaffCards } from './issue.ts';
import type { CardIssuer } from './issuer.ts';
import { type Label, printSheets } from './labels.ts';

export const MOST_STAFF_CARDS = 200;

const WORDS = {
  title: 'Vestibule staff cards',
  footer:
    'A secret: who has a staff card can open the menu of every kiosk of this deployment. Keep the keys apart from the cards, locked up.',
};

/**
 * @returns the number of sheets, once the file is whole and durable, and readable by its owner alone.
 * @throws ConfigError `config.invalid` when the file is there or can not be made; StoreError `store.*`.
 */
export async function printStaffCards(issuer: CardIssuer, count: number, path: string, mayReplace: boolean): Promise<number> {
  const labels = Array.from({ length: count }, (_, at) => staffLabels(issuer, at + 1)).flat();
  return await printSheets(labels, path, mayReplace, WORDS);
}

const staffLabels = (issuer: CardIssuer, number: number): Label[] =>
  issueStaffCards(issuer, ['menu', 'undo'], ([menu = '', undo = ''], { key, typed }) => [
    {
      text: menu,
      head: 'STAFF CARD',
      title: 'Menu',
      venue: `No. ${number}`,
      lines: ['Scan it: the kiosk’s', 'menu opens, for a', 'minute.'],
    },
    {
      text: undo,
      head: 'STAFF CARD',
      title: 'Take back',
      venue: `No. ${number}`,
      lines: ['Scan it: the last scan', 'no longer counts.', 'Within two minutes.'],
    },
    {
      text: key,
      head: 'KEY',
      title: `To No. ${number}`,
      venue: 'Locked up, not with the card',
      lines: ['If it is lost:', ...groupsOf(typed)],
    },
  ]);

/** Three groups of five to a line. */
const groupsOf = (typed: string): string[] => {
  const groups = typed.split('-');
  return [groups.slice(0, 3).join('-'), groups.slice(3).join('-')];
};

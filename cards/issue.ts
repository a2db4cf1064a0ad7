/** Makes one card and its key, and forgets both as soon as they are drawn. Nothing here writes, logs or counts who gets which. */
import { randomBytes } from 'node:crypto';
import { signCard, signGroupCard, signStaffCard, signSticker } from '../protocol/card.ts';
import { encodeCode, type StaffCommand } from '../protocol/code.ts';
import { formatKeyCode, newKeyCode } from '../protocol/key-code.ts';
import { deriveVisitor } from '../protocol/visitor.ts';
import type { CardIssuer } from './issuer.ts';

export interface IssuedCard {
  /** The card's code: what is scanned at doors. */
  readonly card: string;
  /** The key code as a code: what is scanned at home. */
  readonly key: string;
  /** The key code as it is typed. */
  readonly typed: string;
}

const STICKER_BYTES = 16;

/**
 * @param people 1 for a visitor's card, 2 to 99 for a group's.
 * @param draw gets the texts. They are strings, which can not be wiped: the engine frees them when nothing holds them any longer.
 * The key code's bytes are filled with zeros before this returns, whether or not `draw` throws.
 */
export function issueCard<Drawn>(issuer: CardIssuer, people: number, draw: (issued: IssuedCard) => Drawn): Drawn {
  const keyCode = newKeyCode();
  try {
    const { card } = deriveVisitor(keyCode);
    const signed =
      people === 1
        ? signCard(card, issuer.deployment, issuer.privateKey)
        : signGroupCard(card, people, issuer.deployment, issuer.privateKey);
    return draw({ card: encodeCode(signed), key: encodeCode({ kind: 'key', keyCode }), typed: formatKeyCode(keyCode) });
  } finally {
    keyCode.fill(0);
  }
}

/**
 * A staff card, and beside it others of the same id for one command each: withdrawn together, by the one stub.
 * @param draw as of issueCard; gets the texts of the cards in the order of `commands`.
 */
export function issueStaffCards<Drawn>(
  issuer: CardIssuer,
  commands: readonly StaffCommand[],
  draw: (cards: readonly string[], stub: Pick<IssuedCard, 'key' | 'typed'>) => Drawn,
): Drawn {
  const keyCode = newKeyCode();
  try {
    const { card } = deriveVisitor(keyCode);
    const cards = commands.map((command) => encodeCode(signStaffCard(card, command, issuer.deployment, issuer.privateKey)));
    return draw(cards, { key: encodeCode({ kind: 'key', keyCode }), typed: formatKeyCode(keyCode) });
  } finally {
    keyCode.fill(0);
  }
}

/** @returns the text of a new test sticker. */
export const issueSticker = (issuer: CardIssuer): string =>
  encodeCode(signSticker(randomBytes(STICKER_BYTES), issuer.deployment, issuer.privateKey));

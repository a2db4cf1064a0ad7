/** One card for a phone's screen, and its key apart from it: a picture that is shown at doors must not hold the key. */
import { LARGEST_GROUP } from '../protocol/code-payload.ts';
import { ConfigError } from '../protocol/errors.ts';
import { issueCard } from './issue.ts';
import type { CardIssuer } from './issuer.ts';
import { drawPicture, type PictureFormat } from './picture.ts';
import { refuseTaken, writePrivateFile } from './private-file.ts';

export interface OneCard {
  readonly issuer: CardIssuer;
  readonly format: PictureFormat;
  /** 1, or 2 to 99 for a group's card. */
  readonly people: number;
  /** Where the picture goes. */
  readonly path: string;
  /** Where the key goes as a text file; unless given, it is in the answer, for a person to write down. */
  readonly keyPath?: string;
  readonly mayReplace?: boolean;
}

export interface PrintedOne {
  /** The key code as it is typed; `undefined` when it went into a file. */
  readonly typedKeyCode: string | undefined;
  /** What whoever printed has to be told. */
  readonly warning: string;
}

export const KEY_ADVICE = [
  'Keep it at home, apart from the card, and show it to nobody. It will be the only way to',
  'read what concerns the card and to take everything back. It can not be replaced.',
];

/**
 * Makes one card. When this returns its picture, and the key's file if one was asked for, are whole and durable.
 * @throws ConfigError `config.invalid` for a number of people out of range, or a file that is there or can not be made there;
 * StoreError `store.*` when the disk does not take it.
 */
export function printOne({ issuer, format, people, path, keyPath, mayReplace = false }: OneCard): PrintedOne {
  if (!Number.isInteger(people) || people < 1 || people > LARGEST_GROUP)
    throw new ConfigError('config.invalid', `cards: people: ${people} is not 1 to ${LARGEST_GROUP}`);
  if (keyPath === path) throw new ConfigError('config.invalid', `${path}: the card and its key need a file each`);
  refuseTaken(path, mayReplace);
  if (keyPath !== undefined) refuseTaken(keyPath, mayReplace);
  return issueCard(issuer, people, ({ card, typed }) => {
    // The key first: a card whose key was lost could never be taken back.
    if (keyPath !== undefined) writeKey(keyPath, typed, mayReplace);
    writePrivateFile(path, drawPicture(format, card, people), mayReplace);
    return {
      typedKeyCode: keyPath === undefined ? typed : undefined,
      warning:
        keyPath === undefined
          ? 'Write the key down before you close this window: it is kept nowhere else.'
          : 'The key file is a secret: give it to the holder of the card, then delete it here.',
    };
  });
}

function writeKey(path: string, typed: string, mayReplace: boolean): void {
  const content = Buffer.from(['Vestibule: the key to a card', '', `    ${typed}`, '', ...KEY_ADVICE, ''].join('\n'));
  writePrivateFile(path, content, mayReplace);
  content.fill(0);
}

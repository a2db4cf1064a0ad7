/** What set-up says, in the languages of the screen: one shape, so that a word that is missing does not compile. Both faces show the same words. */
import type { Language } from '../screen/languages.ts';
import { ar } from './languages/ar.ts';
import { de } from './languages/de.ts';
import { en } from './languages/en.ts';
import { es } from './languages/es.ts';
import { fr } from './languages/fr.ts';
import type { DeviceKind, PortUse, SetupState, SetupStep } from './setup-state.ts';

export interface SetupWords {
  readonly title: string;
  readonly steps: Readonly<Record<SetupStep, string>>;
  /** What to do at each step. */
  readonly asks: Readonly<Record<SetupState['step'], string>>;
  readonly enrolling: string;
  /** A code is refused for good: `{code}` stands for the error's code, here and below. */
  readonly refused: string;
  /** Of any other code, and of what is none. */
  readonly notLabel: string;
  readonly unreached: string;
  readonly nameTaken: string;
  /** Of a code, and of what is too long. */
  readonly notName: string;
  /** `{venue}` and `{entrance}` stand for their names. */
  readonly hangs: string;
  readonly nameLater: string;
  readonly noDevices: string;
  readonly kinds: Readonly<Record<DeviceKind, string>>;
  readonly uses: Readonly<Record<PortUse, string>>;
  readonly tryIt: Readonly<Record<DeviceKind, string>>;
  readonly tried: string;
  readonly down: string;
  readonly sniffer: string;
  readonly delivering: string;
  readonly delivered: string;
  readonly notDelivered: string;
  readonly setAside: string;
  readonly next: string;
  readonly again: string;
  readonly seen: string;
  readonly later: string;
  readonly back: string;
  readonly saveName: string;
  readonly typeCode: string;
  readonly reset: string;
  /** `{count}` stands for the rows that were not delivered. */
  readonly resetAsk: string;
  /** Where that can not be told. */
  readonly resetBlind: string;
  readonly resetDo: string;
}

export const SETUP_WORDS: Readonly<Record<Language, SetupWords>> = { en, de, fr, es, ar };

/** @returns what stands below the question: how what was asked last came out. Empty where there is nothing to say. */
export function outcomeOf(words: SetupWords, { step, isBusy, why, place, name, delivery }: SetupState): string {
  const said = (text: string) => text.replace('{code}', why ?? '');
  switch (step) {
    case 'enrol':
      if (why === 'code.kind') return words.notLabel;
      return why === undefined ? (isBusy ? words.enrolling : '') : said(isBusy ? words.unreached : words.refused);
    case 'name':
      return why === undefined ? '' : said(why === 'config.invalid' ? words.nameTaken : words.unreached);
    case 'devices':
      return why === undefined ? placeWords(words, place, name) : said(words.refused);
    case 'delivery':
    case 'done':
      if (delivery === undefined) return isBusy ? words.delivering : '';
      if (delivery.outcome === 'delivered') return words.delivered.replace('{seconds}', (delivery.tookMs / 1_000).toFixed(1));
      return said(delivery.outcome === 'set-aside' ? words.setAside : words.notDelivered);
  }
}

const placeWords = ({ hangs, nameLater }: SetupWords, place: SetupState['place'], name: string | undefined): string => {
  if (name !== undefined) return nameLater.replace('{entrance}', name);
  return place === undefined ? '' : hangs.replace('{venue}', place.venue).replace('{entrance}', place.entrance || '…');
};

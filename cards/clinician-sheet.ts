/**
 * A clinician's code on paper, and beside it what a test can show, to be scanned in place of pressing a button. Whoever has the code can record
 * results at its venue until it is revoked: the file is a secret as long as the code is good.
 */
import { encodeCode } from '../protocol/code.ts';
import { RESULTS, type TestResult } from '../protocol/event.ts';
import { type Label, printSheets } from './labels.ts';

export interface ClinicianPaper {
  readonly number: number;
  /** The code, 16 bytes. */
  readonly secret: Uint8Array;
  /** What operators call the clinician. */
  readonly label: string;
  readonly venue: string;
}

export const RESULT_WORDS: Readonly<Record<TestResult, string>> = { positive: 'Positive', negative: 'Negative', void: 'Void' };

const WORDS = {
  title: 'Vestibule clinician code',
  footer: 'The first label is a secret: who has it can record results at its venue. Keep it on your person. The others are no secret.',
};

/**
 * @returns once the file is whole and durable, and readable by its owner alone.
 * @throws ConfigError `config.invalid` when the file is there or can not be made; StoreError `store.*`.
 */
export async function printClinician(paper: ClinicianPaper, path: string, mayReplace: boolean): Promise<void> {
  const { number, secret, label, venue } = paper;
  const code: Label = {
    text: encodeCode({ kind: 'clinician', secret }),
    head: 'CLINICIAN CODE',
    title: `No. ${number}`,
    venue,
    lines: [label, 'Scan it, then the sticker,', 'then choose the result.'],
  };
  const results = RESULTS.map((result): Label => {
    const text = encodeCode({ kind: 'result', result });
    return { text, head: 'TEST RESULT', title: RESULT_WORDS[result], venue: '', lines: ['Scan it after your code', 'and the sticker.'] };
  });
  await printSheets([code, ...results], path, mayReplace, WORDS);
}

/** Codes and the file that shows them: one that is on no label is nobody's, and is taken back. */
import type { CodeDesk, NewCode } from '../gateway/enrol/give-codes.ts';
import { codeOf } from '../protocol/errors.ts';
import { systemClock } from '../protocol/time.ts';
import { writeDeed } from './audit-desk.ts';

/**
 * @param codes given out for what is printed now. @returns what `print` does.
 * @throws what `print` throws, as a full disk; the codes are withdrawn then, but for what the same disk refuses: such a one ends by itself.
 */
export async function printCodes<T>(
  { book }: CodeDesk,
  data: string,
  codes: readonly Pick<NewCode, 'number'>[],
  print: () => Promise<T>,
): Promise<T> {
  try {
    return await print();
  } catch (error) {
    try {
      for (const { number } of codes) {
        book.withdraw(number, systemClock.wall());
        await writeDeed(data, { action: 'code.withdraw', about: String(number), detail: 'not printed' });
      }
    } catch (second) {
      if (codeOf(second) === undefined) throw second;
    }
    throw error;
  }
}

/** Codes and the file that shows them: they are good once that is there, so that none is good and nobody's, whatever fails and whenever. */
import type { CodeDesk, NewCode } from '../gateway/enrol/give-codes.ts';
import { codeOf, StoreError } from '../protocol/errors.ts';
import { writeDeed } from './audit-desk.ts';

/**
 * @param codes given out for what is printed now, and not opened. @returns what `print` does; the codes are good then.
 * @throws what `print` throws, as a full disk: the codes stay good for nothing. StoreError that names the labels that were printed and are good for nothing.
 */
export async function printCodes<T>(
  { book }: CodeDesk,
  data: string,
  codes: readonly Pick<NewCode, 'number'>[],
  print: () => Promise<T>,
): Promise<T> {
  const numbers = codes.map(({ number }) => number);
  const printed = await print().catch(async (error: unknown) => {
    await noteUnprinted(data, numbers);
    throw error;
  });
  try {
    book.open(numbers);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    throw new StoreError(error.code, `${error.message}; printed and good for nothing: label No. ${numbers.join(', ')}`, { cause: error });
  }
  return printed;
}

/** As far as the disk has room for it. */
async function noteUnprinted(data: string, numbers: readonly number[]): Promise<void> {
  try {
    for (const number of numbers) await writeDeed(data, { action: 'code.withdraw', about: String(number), detail: 'not printed' });
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
  }
}

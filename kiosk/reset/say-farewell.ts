/** Tells the gateway that this kiosk is gone for good, as long as it still has the key to say so. Once, and not waited for long: a reset does not hang on it. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf, type ErrorCode } from '../../protocol/errors.ts';
import { LEAVE_PATH } from '../../protocol/kiosk-place.ts';
import type { Log } from '../../protocol/log.ts';
import type { Clock } from '../../protocol/time.ts';
import { Credentials } from '../credentials.ts';
import { openIdentity } from '../kiosk-identity.ts';
import { readPapers } from '../papers.ts';
import { readTrust } from '../read-trust.ts';

/** `nobody`: it never had a gateway, or has no key any more. */
export type Farewell =
  | { readonly outcome: 'told' }
  | { readonly outcome: 'nobody' }
  | { readonly outcome: 'not-told'; readonly why: ErrorCode };

const LONGEST_MS = 8_000;

/** @param trustPath of a kiosk that is admitted by its key. Never rejects for an expected error. */
export async function sayFarewell(
  dir: string,
  trustPath: string | undefined,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
  signal: AbortSignal,
): Promise<Farewell> {
  if (!existsSync(join(dir, 'kiosk.key'))) return { outcome: 'nobody' };
  const late = new AbortController();
  const cancel = clock.after(LONGEST_MS, () => late.abort());
  try {
    const identity = openIdentity(dir);
    const parts = { dir, identity, clock, log };
    const papers = readPapers(dir, identity);
    if (papers === undefined && trustPath === undefined) return { outcome: 'nobody' };
    const credentials =
      papers === undefined ? await Credentials.ofTrust(parts, readTrust(trustPath ?? '')) : Credentials.ofPapers(parts, papers);
    await credentials.ask(LEAVE_PATH, '{}', AbortSignal.any([signal, late.signal]));
    return { outcome: 'told' };
  } catch (error) {
    const why = codeOf(error);
    if (why === undefined) throw error;
    // Told before, by a reset that was killed then, or by the operator.
    return why === 'admission.revoked' ? { outcome: 'told' } : { outcome: 'not-told', why };
  } finally {
    cancel();
  }
}

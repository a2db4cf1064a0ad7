/** Proves a key code to the core, by way of the gateway, which passes on what it can not read anything from. */
import { z } from 'zod';
import { HOLDER_ASK_PATH, HOLDER_CHALLENGE_PATH } from '../protocol/enrol.ts';
import { DecodeError, HolderError } from '../protocol/errors.ts';
import { decodeChallenge, encodeProof, type HolderAction, signProof } from '../protocol/holder.ts';
import type { TrustDocument } from '../protocol/trust.ts';
import type { Visitor } from '../protocol/visitor.ts';

export type HolderAnswer =
  | { readonly kind: 'notices'; readonly notices: number; readonly isRevoked: boolean }
  /** Whether every tier but backups has erased the card; false, too, where it was never taken back. */
  | { readonly kind: 'receipt'; readonly isAllDone: boolean };

export interface HolderLink {
  readonly trust: TrustDocument;
  /** @returns the gateway's answer. @throws LinkError, HolderError, AdmissionError. */
  ask(path: string, body: string, signal: AbortSignal): Promise<string>;
}

const notices = z.object({ notices: z.array(z.unknown()).max(1_000), revokedAtMs: z.number().nullable() });
const receipt = z.object({ receipt: z.string().nullable() });
const payload = z.object({ tiers: z.array(z.object({ tier: z.string(), state: z.string() })) });

/** @throws as `HolderLink.ask`; HolderError `holder.challenge` for one of a core that this kiosk does not know; DecodeError. */
export async function askHolder(link: HolderLink, action: HolderAction, visitor: Visitor, signal: AbortSignal): Promise<HolderAnswer> {
  const challenge = decodeChallenge(await link.ask(HOLDER_CHALLENGE_PATH, '{}', signal));
  if (!link.trust.recipients.some(({ id }) => Buffer.compare(id, challenge.core) === 0))
    throw new HolderError('holder.challenge', 'holder: a challenge of a core that is not known here');
  const answer = await link.ask(HOLDER_ASK_PATH, encodeProof(signProof(action, challenge, visitor)), signal);
  if (action === 'read') {
    const { notices: list, revokedAtMs } = parse(notices, answer);
    return { kind: 'notices', notices: list.length, isRevoked: revokedAtMs !== null };
  }
  const { receipt: jws } = parse(receipt, answer);
  if (jws === null) return { kind: 'receipt', isAllDone: false };
  const { tiers } = parse(payload, Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString('utf8'));
  return { kind: 'receipt', isAllDone: tiers.every(({ tier, state }) => tier === 'backups' || state === 'done') };
}

function parse<Form extends z.ZodType>(form: Form, text: string): z.output<Form> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new DecodeError('decode.malformed', 'holder answer: no JSON', { cause });
  }
  const parsed = form.safeParse(value);
  if (!parsed.success) throw new DecodeError('decode.malformed', 'holder answer: not of its form');
  return parsed.data;
}

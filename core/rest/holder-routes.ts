/** For whoever proves that a card is theirs. No account: what is asked for is looked at by the proof alone. */
import { z } from 'zod';
import { encodeProof, proofForm } from '../../protocol/holder.ts';
import type { HolderDoor } from '../intake.ts';
import { type Route, route } from './route.ts';

const challenge = z.object({ core: z.string(), challenge: z.string() });

const answer = z.union([
  z.object({
    receipt: z
      .string()
      .nullable()
      .describe('a JWS (RFC 7515) that says what was erased in which tier; null where the card was never taken back'),
  }),
  z.object({
    notices: z.array(
      z.object({
        level: z.enum(['high', 'medium', 'flag']),
        order: z.union([z.literal(1), z.literal(2)]),
        day: z.string(),
        overlapMinutes: z.int().min(0),
        isClockCertain: z.boolean(),
        raisedAtMs: z.int(),
      }),
    ),
    revokedAtMs: z.int().nullable(),
  }),
]);

export const holderRoutesOf = (holder: HolderDoor): Route[] => [
  route({
    method: 'POST',
    path: '/core/1/holder/challenge',
    summary: 'What the next proof is to be over; good for one, within two minutes',
    roles: ['holder'],
    purposes: [],
    answer: challenge,
    audit: { action: 'holder.challenge' },
    isRoutine: true,
    handle: async () => JSON.parse(await holder.challenge()) as z.infer<typeof challenge>,
  }),
  route({
    method: 'POST',
    path: '/core/1/holder/ask',
    summary: 'Reads the notices of the card that is proved, takes it back, or tells how far that is',
    roles: ['holder'],
    purposes: [],
    body: proofForm,
    answer,
    audit: { action: 'holder.ask', about: ({ body }) => body.action, isAfterProof: true },
    handle: async ({ body, address, writeDown }) =>
      JSON.parse(await holder.ask(encodeProof(body), address, writeDown)) as z.infer<typeof answer>,
  }),
];

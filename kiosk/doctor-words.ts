/** What a running kiosk and `vestibule doctor` say to each other: one JSON object a line each way. Never a card, a code or a temperature. */
import { z } from 'zod';

/** In the data directory: whoever may enter that may ask. */
export const DOCTOR_SOCKET = 'doctor.sock';

/** `state`: one answer. `test`: one, once the test event is delivered or not. `watch`: each thing a device does, until the asker hangs up. */
export const QUESTIONS = ['state', 'test', 'watch'] as const;
export type Question = (typeof QUESTIONS)[number];

/** `no-scan`: bytes that make none. */
const sight = z.object({ device: z.string(), what: z.enum(['scan', 'no-scan', 'reading']) });
export type Sight = z.output<typeof sight>;

const code = z.string().regex(/^[a-z]{1,16}\.[a-z_]{1,32}$/);

export const answerSchema = z.union([
  z.object({
    state: z.object({
      isOnline: z.boolean(),
      linkWhy: code.optional(),
      storeWhy: code.optional(),
      clock: z.enum(['synced', 'assumed', 'unsynced']),
      /** Absent where the kiosk can not tell: its store is not open. */
      queued: z.number().optional(),
      droppedUnsent: z.number().optional(),
      conflicts: z.number(),
      quarantined: z.number(),
      setAside: z.number(),
      devices: z.array(z.object({ name: z.string(), isUp: z.boolean(), why: code.optional() })),
    }),
  }),
  z.object({
    test: z.discriminatedUnion('outcome', [
      z.object({ outcome: z.literal('delivered'), tookMs: z.number() }),
      z.object({ outcome: z.literal('set-aside') }),
      z.object({ outcome: z.literal('waiting'), why: code.optional() }),
      z.object({ outcome: z.literal('refused'), why: code }),
    ]),
  }),
  z.object({ sight }),
]);
export type Answer = z.output<typeof answerSchema>;
export type KioskNow = Extract<Answer, { state: unknown }>['state'];

/**
 * What the kiosk remembers of releases: what it is taking, what lies ready, what is on trial, what became of the last, and which did not hold.
 * One file, whole or as it was: what is read after a power cut is where the work is gone on from.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { onDisk, systemCodeOf } from '../../disk/faults.ts';
import { writeWhole } from '../../disk/files.ts';
import { ERROR_CODE_FORM, type ErrorCode } from '../../protocol/errors.ts';
import type { Log } from '../../protocol/log.ts';
import { SLOT_NAMES } from './slots.ts';

const FILE = 'update.json';
/** Of releases that did not hold; the oldest is forgotten. */
const MOST_FAILED = 16;

const code = z
  .string()
  .regex(ERROR_CODE_FORM)
  .transform((text) => text as ErrorCode);
const release = {
  /** SHA-256 of the bundle's head, in hexadecimal. */
  digest: z.string().regex(/^[0-9a-f]{64}$/),
  version: z.string().max(32),
};
/** Where it comes from: what a gateway takes back is not gone on with. */
const from = z.enum(['gateway', 'medium']);
/** The slot that it goes to. */
const to = z.enum(SLOT_NAMES);

/** What a trial before went without: it kept what it was given, and no gateway was reached. It may have been the gateway. */
const lacked = z.literal('link').optional();

const work = z.discriminatedUnion('phase', [
  z.strictObject({ phase: z.literal('taking'), ...release, from, to, chunks: z.int().min(0) }),
  z.strictObject({ phase: z.literal('ready'), ...release, from, to, tries: z.int().min(0), lacked }),
  z.strictObject({
    phase: z.literal('trial'),
    ...release,
    from,
    to,
    /** This one counted. */
    tries: z.int().min(1),
    lacked,
    /** Whether the gateway was reached before: more is not asked of the new than of the old. */
    wasOnline: z.boolean(),
    /** Of the boot in which it was first heard of, in hexadecimal, and the time since that boot. */
    heard: z.strictObject({ boot: z.string(), atMs: z.number() }).optional(),
  }),
]);

const schema = z.strictObject({
  work: work.optional(),
  last: z.strictObject({ ...release, outcome: z.enum(['kept', 'refused', 'failed']), why: code.optional() }).optional(),
  failed: z.array(z.strictObject({ ...release, why: code })),
});

export type UpdateState = Readonly<z.output<typeof schema>>;
export type Work = Readonly<z.output<typeof work>>;
export type Trial = Extract<Work, { phase: 'trial' }>;

const NOTHING: UpdateState = { failed: [] };

export class UpdateMemory {
  readonly #path: string;
  #state: UpdateState;

  /** A file that can not be read is none: at worst a release is taken from its beginning. */
  constructor(dir: string, log: Log) {
    this.#path = join(dir, FILE);
    this.#state = read(this.#path, log);
  }

  get now(): UpdateState {
    return this.#state;
  }

  /** When it returns, a power cut can not bring back what was before. @throws StoreError; what is gone by is then as it was. */
  set(change: Partial<UpdateState>): void {
    const { work, last, failed } = { ...this.#state, ...change };
    const state = { ...(work && { work }), ...(last && { last }), failed: failed.slice(-MOST_FAILED) };
    onDisk(FILE, () => writeWhole(this.#path, Buffer.from(`${JSON.stringify(state)}\n`), 0o600));
    this.#state = state;
  }
}

function read(path: string, log: Log): UpdateState {
  try {
    return schema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT') log.error('update.unreadable', { code: 'store.corrupt' });
    return NOTHING;
  }
}

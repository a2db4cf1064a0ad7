/**
 * What must outlast every backup: who was admitted and revoked, which cards were lost, which codes used, who may log in. Each change is a line,
 * sealed and bound to the line before, in revocations.db; a copy in a file elsewhere (revocation-file.ts) is replayed over a restored backup, so
 * that nothing that was revoked since comes back to life.
 */
import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { ROLES } from '../../protocol/enrol.ts';
import { BackupError } from '../../protocol/errors.ts';
import { type EntranceId, isPlaceId, type KioskId, type VenueId } from '../../protocol/ids.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import { type Db, openDatabase, translating } from '../database.ts';

const place = z.string().refine(isPlaceId);
const bytes = (length: number) =>
  z
    .string()
    .regex(/^[0-9a-f]*$/)
    .length(2 * length)
    .transform((text): Uint8Array => new Uint8Array(Buffer.from(text, 'hex')));
const atMs = z
  .int()
  .min(0)
  .max(253_402_300_799_999)
  .transform((value) => value as EpochMillis);
const kiosk = place.transform((text) => text as KioskId);
const number = z.int().min(1);

const change = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('admitted'),
    atMs,
    kiosk,
    publicKey: bytes(32),
    venue: place.transform((text) => text as VenueId),
    entrance: place.transform((text) => text as EntranceId),
    direction: z.enum(['in', 'out', 'both']).optional(),
    isDirectionTold: z.boolean().optional(),
    dwellMs: z.int().min(1).optional(),
    role: z.enum(ROLES).optional(),
  }),
  z.strictObject({ kind: z.literal('revoked'), atMs, kiosk }),
  /** By the digest of the card, as the lost list keeps it. */
  z.strictObject({ kind: z.literal('lost'), atMs, digest: bytes(16) }),
  z.strictObject({ kind: z.literal('found'), atMs, digest: bytes(16) }),
  /** By the digest of the code, as the list of clinicians keeps it. */
  z.strictObject({ kind: z.literal('clinician-revoked'), atMs, digest: bytes(16) }),
  /** By tombstones: the gateway's and the core's. Neither says anything of the card. The core by the name of its sink; left out for the one here. */
  z.strictObject({
    kind: z.literal('card-revoked'),
    atMs,
    tombstone: bytes(16),
    coreTombstone: bytes(16),
    core: z
      .string()
      .regex(/^[a-z][a-z0-9-]{0,31}$/)
      .optional(),
  }),
  z.strictObject({ kind: z.literal('code-used'), atMs, number, kiosk, publicKey: bytes(32) }),
  z.strictObject({ kind: z.literal('code-withdrawn'), atMs, number }),
  /** Another key of the gateway's own was made, by which kiosks know it from then on: one that has an earlier key would be refused by them. */
  z.strictObject({ kind: z.literal('gateway-key'), atMs, generation: z.int().min(1).max(0xffff_ffff) }),
  z.strictObject({
    kind: z.literal('account'),
    atMs,
    name: z.string().min(1).max(32),
    role: z.enum(['read-only', 'manager']),
    holder: z.enum(['person', 'program']),
    /** Of a password or a token. */
    secretHash: z
      .string()
      .regex(/^([0-9a-f]{2}){16,128}$/)
      .transform((text): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'))),
  }),
  z.strictObject({ kind: z.literal('account-removed'), atMs, name: z.string().min(1).max(32) }),
]);

export type Change = Readonly<z.output<typeof change>>;

const STEPS = [
  `CREATE TABLE lines (no INTEGER PRIMARY KEY, line TEXT NOT NULL) STRICT;
   CREATE TRIGGER lines_stay BEFORE UPDATE ON lines BEGIN SELECT RAISE(ABORT, 'append only'); END;
   CREATE TRIGGER lines_stay_whole BEFORE DELETE ON lines BEGIN SELECT RAISE(ABORT, 'append only'); END;`,
];
const IV_BYTES = 12;
const TAG_BYTES = 16;
export const LONGEST_LINE = 2_048;
const LINE = /^[A-Za-z0-9_-]+$/;

export const revocationsPath = (directory: string): string => join(directory, 'revocations.db');

export class RevocationLog {
  readonly #path: string;
  readonly #storeKey: Uint8Array;
  #opened: Db | undefined;

  /** Opens nothing yet. @param directory the gateway's. @param storeKey the identity's. */
  constructor(directory: string, storeKey: Uint8Array) {
    this.#path = revocationsPath(directory);
    this.#storeKey = storeKey;
  }

  /** Adds changes, in their order. When this returns, a power cut cannot lose them. @throws StoreError. */
  add(...changes: readonly Change[]): void {
    const key = lineKeyOf(this.#storeKey);
    this.#write((before, count) => {
      const lines: string[] = [];
      for (const one of changes) lines.push(sealLine(one, { key, no: count + lines.length + 1, before: lines.at(-1) ?? before }));
      return lines;
    });
  }

  /** Adds lines as they came out of a copy. @throws StoreError. */
  addLines(lines: readonly string[]): void {
    this.#write(() => lines);
  }

  /** All lines, oldest first. @throws StoreError. */
  lines(): string[] {
    return translating('revocations', () => this.#db.prepare('SELECT line FROM lines ORDER BY no').pluck().all() as string[]);
  }

  count(): number {
    return translating('revocations', () => Number(this.#db.prepare('SELECT count(*) FROM lines').pluck().get()));
  }

  close(): void {
    this.#opened?.close();
    this.#opened = undefined;
  }

  get #db(): Db {
    this.#opened ??= openDatabase({ path: this.#path, key: this.#storeKey, steps: STEPS });
    return this.#opened;
  }

  #write(make: (before: string, count: number) => readonly string[]): void {
    translating('revocations', () =>
      this.#db.transact(() => {
        const last = this.#db.prepare('SELECT no, line FROM lines ORDER BY no DESC LIMIT 1').get() as
          | { no: number; line: string }
          | undefined;
        for (const [at, line] of make(last?.line ?? '', last?.no ?? 0).entries())
          this.#db.prepare('INSERT INTO lines VALUES (?, ?)').run((last?.no ?? 0) + 1 + at, line);
      }),
    );
  }
}

/**
 * @param lines from the first on. @param storeKey of the gateway that wrote them.
 * @returns what they say, in their order. @throws BackupError `backup.altered` unless each follows from the one before.
 */
export function readChanges(lines: readonly string[], storeKey: Uint8Array): Change[] {
  const key = lineKeyOf(storeKey);
  return lines.map((line, at) => openLine(line, { key, no: at + 1, before: lines[at - 1] ?? '' }));
}

interface LinePlace {
  readonly key: Uint8Array;
  readonly no: number;
  readonly before: string;
}

function sealLine(one: Change, { key, no, before }: LinePlace): string {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, iv);
  cipher.setAAD(placeOf(no, before));
  const inHex = Object.entries(one).map(([name, value]) => [
    name,
    value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
  ]);
  const text = JSON.stringify(Object.fromEntries(inHex));
  return Buffer.concat([iv, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64url');
}

function openLine(line: string, { key, no, before }: LinePlace): Change {
  const altered = (cause?: unknown) =>
    new BackupError('backup.altered', `revocations: line ${no} does not follow from those before it`, { cause });
  if (line.length > LONGEST_LINE || !LINE.test(line)) throw altered();
  const sealed = Buffer.from(line, 'base64url');
  if (sealed.length <= IV_BYTES + TAG_BYTES) throw altered();
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, IV_BYTES));
  decipher.setAAD(placeOf(no, before));
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  const opened = decipher.update(sealed.subarray(IV_BYTES, -TAG_BYTES));
  try {
    decipher.final();
  } catch (cause) {
    throw altered(cause);
  }
  const parsed = change.safeParse(JSON.parse(opened.toString('utf8')));
  if (!parsed.success) throw altered(parsed.error);
  return parsed.data;
}

/** So that a line can not be taken out, put in or moved. */
const placeOf = (no: number, before: string): Uint8Array => createHash('sha256').update(`${no} ${before}`).digest();

const lineKeyOf = (storeKey: Uint8Array): Uint8Array =>
  new Uint8Array(hkdfSync('sha256', storeKey, new Uint8Array(), 'vestibule-revocations-1', 32));

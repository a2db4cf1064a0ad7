/**
 * A kiosk's retained `state` message: what an operator sees of it. JSON, because people and dashboards read it. Unknown keys are
 * left out, not refused: a kiosk one release ahead of its gateway must stay readable, and nothing here is obeyed.
 * Source: docs/protocol.md, "Kiosk state".
 */
import { z } from 'zod';
import { DecodeError, ERROR_CODE_FORM } from './errors.ts';
import { BOARD_FORM } from './release.ts';

export const LONGEST_KIOSK_STATE_BYTES = 8_192;

/** With 32 devices that are down, all else at its longest, a state stays under its bound. */
export const LONGEST_DEVICE_PATH = 80;
const DEVICE_PATH_FORM = /^[\x20-\x7e]{1,80}$/;

const errorCode = z.string().regex(ERROR_CODE_FORM);
const count = z.int().min(0);
const revision = z.int().min(1).max(65_535);

/** As it is written. */
export const kioskStateJson = z.object({
  isUp: z.boolean(),
  state: z.enum(['up', 'degraded', 'down']),
  /** Rows that the gateway has not acknowledged. Means nothing, and is 0, beside `isQueueUnknown`: gateways a release behind refuse a state without it. */
  queued: z.int().min(0),
  /** The kiosk can not tell how many wait: its store is not open. So of the Will. */
  isQueueUnknown: z.boolean().optional(),
  /** How long the oldest of them has waited, ms; absent when none waits, or the kiosk can not tell. */
  oldestQueuedMs: z.int().min(0).optional(),
  clock: z.enum(['synced', 'assumed', 'unsynced']),
  devices: z
    .array(
      z.object({
        name: z.string().regex(/^[a-z0-9-]{1,32}$/),
        isUp: z.boolean(),
        why: errorCode.optional(),
        /** Where it is plugged in: the path of a device file, `usb` and a port or ids, `ble`. Absent where it is plugged in nowhere. */
        path: z.string().regex(DEVICE_PATH_FORM).optional(),
        /** How long it had been down when this was said, ms. Absent while it is up. */
        downForMs: count.optional(),
      }),
    )
    .max(32),
  /** The code of the last error that a person may have to act on. */
  lastError: errorCode.optional(),
  /** What the kiosk finds wrong with its own road, the worst first. Absent where nothing is, and from the Will. */
  faults: z.array(errorCode).max(8).optional(),
  /**
   * The version of the policy document that the kiosk goes by, 0 while it has none; `why` it does not go by the last that it was sent, or
   * that the one it goes by has expired; `isForgetting` while it holds, or may hold, rows of cards that the document says were taken back.
   * Absent from a kiosk that takes none, and from the Will.
   */
  policy: z
    .object({ version: z.int().min(0).max(0xffff_ffff), why: errorCode.optional(), isForgetting: z.boolean().optional() })
    .optional(),
  /**
   * The version of the notice document that the kiosk goes by, 0 while it has none; `why` it did not take the last, or shows none just now.
   * Absent from a kiosk that takes none, and from the Will.
   */
  notices: z.object({ version: z.int().min(0).max(0xffff_ffff), why: errorCode.optional() }).optional(),
  /** The version of the last command to send again that the kiosk has carried out, 0 for none. Absent from a kiosk that takes none, and from the Will. */
  sentAgain: z.int().min(0).max(0xffff_ffff).optional(),
  /**
   * Which key the kiosk knows its gateway by: the second in which that was made, 0 for the first. Absent from a kiosk that can not follow to
   * another, and from the Will.
   */
  gatewayKey: z.int().min(0).max(0xffff_ffff).optional(),
  /**
   * What the door answered since the kiosk started: cards taken, scans not taken by reason, and how many cards in a row it refused as not
   * made for this place. Counts alone. Absent from the Will.
   */
  scans: z
    .object({
      taken: count,
      refused: z.object({
        'not-a-card': count.optional(),
        'card-refused': count.optional(),
        'card-withdrawn': count.optional(),
        'keep-at-home': count.optional(),
        'refused-full': count.optional(),
        'refused-store': count.optional(),
      }),
      refusedInARow: count,
    })
    .optional(),
  /** What its staff, or its venue, chose for the door. Absent from a kiosk that has no such choice, and from the Will. */
  settings: z
    .object({
      direction: z.enum(['in', 'out', 'both']).optional(),
      /** ISO 639-1. */
      language: z.string().regex(/^[a-z]{2}$/),
      sound: z.enum(['silent', 'quiet', 'normal', 'loud']),
      /** Whether the staff took it out of use: it takes no card then. */
      isOutOfOrder: z.boolean(),
    })
    .optional(),
  /** The revisions of the wire that the kiosk speaks. Absent from a kiosk of the first, and from the Will. */
  wire: z.object({ least: revision, greatest: revision }).optional(),
  /** For what board the kiosk takes releases. Absent from one that takes none, and from the Will. */
  board: z.string().regex(BOARD_FORM).optional(),
  /**
   * How far the kiosk is with the last release that it was given: `waiting` for its turn, `taking` it (percent), `ready` to be tried when the
   * door is quiet, `trying` it, `kept`, `refused` or `failed` (why). Absent from a kiosk that takes none, and from the Will.
   */
  update: z
    .object({
      /** The beginning of the bundle's digest. */
      release: z.string().regex(/^[0-9a-f]{16}$/),
      version: z.string().regex(/^[0-9.]{5,17}$/),
      phase: z.enum(['waiting', 'taking', 'ready', 'trying', 'kept', 'refused', 'failed']),
      percent: z.int().min(0).max(100).optional(),
      why: errorCode.optional(),
    })
    .optional(),
  /** The kiosk's software. */
  version: z.string().regex(/^[0-9A-Za-z.+-]{1,32}$/),
});

/** `queued` is absent where the kiosk can not tell how many wait. */
export type KioskStateReport = Readonly<Omit<KioskStateJson, 'queued' | 'isQueueUnknown'> & Partial<Pick<KioskStateJson, 'queued'>>>;
type KioskStateJson = z.infer<typeof kioskStateJson>;

const QUEUE_UNKNOWN = { queued: 0, isQueueUnknown: true };

/** @returns JSON in UTF-8. @throws DecodeError as `decodeKioskState`. */
export function encodeKioskState(report: KioskStateReport): Uint8Array {
  const bytes = new TextEncoder().encode(JSON.stringify(report.queued === undefined ? { ...report, ...QUEUE_UNKNOWN } : report));
  decodeKioskState(bytes);
  return bytes;
}

/** @throws DecodeError `decode.overlong` past 8,192 bytes; `decode.malformed` when it is no JSON or a field is missing or out of bounds. */
export function decodeKioskState(bytes: Uint8Array): KioskStateReport {
  if (bytes.length > LONGEST_KIOSK_STATE_BYTES)
    throw new DecodeError('decode.overlong', `kiosk state: ${bytes.length} of at most ${LONGEST_KIOSK_STATE_BYTES} bytes`);
  const result = kioskStateJson.safeParse(parseJson(bytes));
  if (!result.success) {
    const places = result.error.issues.map(({ path }) => path.join('.') || 'all of it');
    throw new DecodeError('decode.malformed', `kiosk state: not as it should be: ${places.join(', ')}`);
  }
  const { isQueueUnknown = false, queued, oldestQueuedMs, ...report } = result.data;
  if (isQueueUnknown) return report;
  return { ...report, queued, ...(oldestQueuedMs === undefined ? {} : { oldestQueuedMs }) };
}

/** The Will, which the broker publishes when the kiosk's connection is lost. */
export const downState = (version: string): KioskStateReport => ({
  isUp: false,
  state: 'down',
  clock: 'unsynced',
  devices: [],
  version,
});

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new DecodeError('decode.malformed', `kiosk state: ${bytes.length} bytes that are no JSON`);
  }
}

/** What an operator says of a venue and its entrances, as values, and how such words from outside are read. Pure. */
import { z } from 'zod';
import type { Direction } from '../../core/intake.ts';
import { ConfigError } from '../../protocol/errors.ts';
import type { EntranceId, VenueId } from '../../protocol/ids.ts';
import { FLAG_OVERLAP_MS } from '../../protocol/ledger-entry.ts';
import { DWELL_MS, THRESHOLD } from '../../protocol/policy.ts';
import type { CentiCelsius } from '../../protocol/units.ts';

export const VENUE_KINDS = [
  'shop',
  'restaurant',
  'office',
  'school',
  'health',
  'care',
  'worship',
  'culture',
  'sport',
  'transport',
  'event',
  'other',
] as const;
export type VenueKind = (typeof VENUE_KINDS)[number];

export const UNSIGNED_CARDS = ['as-gateway', 'taken', 'refused'] as const;
export const DIRECTIONS: readonly Direction[] = ['in', 'out', 'both'];
export const MOST_ENTRANCES = 64;
/** How long what somebody breathed out may hang in the air after they left. */
const LONGEST_LINGERING_MS = 24 * 3_600_000;

export interface VenueRules {
  /** For operators, 1 to 100 characters. */
  readonly name: string;
  /** Who runs it, where it is, and under whose health office: up to 100 characters each, empty where nobody said. */
  readonly organisation: string;
  readonly site: string;
  readonly region: string;
  readonly kind: VenueKind;
  /** IANA name, such as `Europe/Berlin`: decides where a venue's day ends. */
  readonly timezone: string;
  /** The usual stay, 1 minute to 48 hours: how long a visit without a check-out is taken to last. */
  readonly dwellMs: number;
  /** 0 to 24 hours: how long after somebody left others may still meet what they left in the air. */
  readonly lingeringMs: number;
  /** From which estimate on a reading is high, 35.00 to 42.00 °C; `undefined`: each kiosk goes by its own settings. */
  readonly threshold: CentiCelsius | undefined;
  /** Whether cards that nobody signed are taken. */
  readonly unsignedCards: (typeof UNSIGNED_CARDS)[number];
  /** Whether those are told who met somebody with a confirmed high-temperature flag of here, for so long: 1 minute to 12 hours. */
  readonly areFlagsTold: boolean;
  readonly flagOverlapMs: number;
  /** Whether a confirmed flag of here makes a suspected case. */
  readonly areFlaggedSuspected: boolean;
}

export interface Entrance {
  readonly id: EntranceId;
  /** Up to 100 characters, of this venue alone; empty for one that came with a kiosk. */
  readonly name: string;
  readonly direction: Direction;
  /** Whether kiosks here are told the direction; if not, each goes by its own settings and staff. */
  readonly isTold: boolean;
}

export interface Venue extends VenueRules {
  readonly id: VenueId;
  /** By name. */
  readonly entrances: readonly Entrance[];
}

export type VenueChange = Partial<VenueRules>;

export const NEW_VENUE: Omit<VenueRules, 'name' | 'timezone'> = {
  organisation: '',
  site: '',
  region: '',
  kind: 'other',
  dwellMs: 7_200_000,
  lingeringMs: 0,
  threshold: undefined,
  unsignedCards: 'as-gateway',
  areFlagsTold: true,
  flagOverlapMs: FLAG_OVERLAP_MS.usual,
  areFlaggedSuspected: false,
};

const words = (least: number) =>
  z
    .string()
    .trim()
    .min(least)
    .max(100)
    .regex(/^[^\p{Cc}]*$/u, 'expected no control characters');

const change = z
  .strictObject({
    name: words(1),
    organisation: words(0),
    site: words(0),
    region: words(0),
    kind: z.enum(VENUE_KINDS),
    timezone: z.string().max(64).refine(isTimezone, 'expected an IANA time zone such as Europe/Berlin'),
    dwellMs: z.int().min(DWELL_MS.least).max(DWELL_MS.most),
    lingeringMs: z.int().min(0).max(LONGEST_LINGERING_MS),
    /** JSON has no `undefined`: null takes a threshold back. */
    threshold: z
      .int()
      .min(THRESHOLD.least)
      .max(THRESHOLD.most)
      .nullable()
      .transform((threshold) => (threshold ?? undefined) as CentiCelsius | undefined),
    unsignedCards: z.enum(UNSIGNED_CARDS),
    areFlagsTold: z.boolean(),
    flagOverlapMs: z.int().min(FLAG_OVERLAP_MS.least).max(FLAG_OVERLAP_MS.most),
    areFlaggedSuspected: z.boolean(),
  })
  .partial();

const entrance = z.strictObject({ name: words(1), direction: z.enum(['in', 'out', 'both']) });

/**
 * @param value what a person wrote: any of the rules of a venue; `threshold: null` leaves it to the kiosks again.
 * @throws ConfigError `config.invalid` with every fault; unknown keys are faults.
 */
export function parseVenueChange(value: unknown): VenueChange {
  return parsed(change, value, 'venue') as VenueChange;
}

/** As parseVenueChange, for an entrance. */
export const parseEntrance = (value: unknown): Pick<Entrance, 'name' | 'direction'> => parsed(entrance, value, 'entrance');

function parsed<T>(schema: z.ZodType<T>, value: unknown, subject: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const faults = result.error.issues.map(({ path, message }) => `${path.join('.') || subject}: ${message.replace(/^Invalid input: /, '')}`);
  throw new ConfigError('config.invalid', `${subject}: ${faults.join('; ')}`);
}

export function isTimezone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/**
 * What the HTTP API says and takes, as one schema: answers are typed by it, requests are checked by it, and docs/openapi.json is made
 * of it. Kiosks, venues, counts, codes and words; of a visitor only the operator's pseudonym of one venue and day.
 */
import { z } from 'zod';
import { kioskStateJson } from '../../protocol/kiosk-state.ts';

const count = z.int().min(0);
const epochMs = z.int().min(0).describe('ms since 1970-01-01T00:00:00Z');
const placeId = z.string().regex(/^[0-9a-hjkmnp-tv-z]{16}$/);

/** `act`: a person has to do something. `look`: somebody should have a look when there is time. `off`: nothing is expected of it. */
export const tone = z.enum(['act', 'look', 'good', 'off']);
export type Tone = z.infer<typeof tone>;

export const trouble = z.object({
  tone,
  text: z.string().describe('what is wrong, in words'),
  advice: z.string().describe('what to do about it; empty where there is nothing to do'),
  code: z.string().optional(),
  sinceMs: epochMs.optional(),
});
export type Trouble = z.infer<typeof trouble>;

export const kioskView = z.object({
  kiosk: placeId,
  name: z.string().optional().describe('what operators call it; absent where nobody gave it a name'),
  venue: placeId.optional().describe('absent for one that the registry does not know'),
  entrance: placeId.optional(),
  direction: z.enum(['in', 'out', 'both']).optional(),
  standing: z.enum(['admitted', 'revoked', 'unknown']),
  tone,
  summary: z.string().describe('its state in a few words'),
  troubles: z.array(trouble).describe('the gravest first'),
  isConnected: z.boolean(),
  queued: count
    .optional()
    .describe('rows at the kiosk that the gateway has not acknowledged, as it said last; absent where it can not tell'),
  oldestQueuedMs: count.optional(),
  clock: z.enum(['synced', 'assumed', 'unsynced']).optional(),
  scans: kioskStateJson.shape.scans.describe('what its door answered since the kiosk started, as it said last; counts alone'),
  isCopied: z.boolean().describe('its sequence numbers came twice'),
  takeovers: count.describe('second connections in place of a living one'),
  doubts: count.describe('events of it that can not be as they were told'),
  devices: z.array(
    z.object({
      name: z.string(),
      isUp: z.boolean(),
      why: z.string().optional().describe('in words'),
      path: z.string().optional().describe('where it is plugged in, as the kiosk says it: a device file, usb and a port, ble'),
      downSinceMs: epochMs.optional().describe('absent while it is up, and from a kiosk that does not say it'),
    }),
  ),
  settings: kioskStateJson.shape.settings.describe('what is set at the kiosk, by its staff or its venue'),
  version: z.string().optional(),
  reportedAtMs: epochMs.optional(),
  lastReceivedAtMs: epochMs.optional(),
  rowsPerMinute: z.array(count).describe('of the last 60 minutes, oldest first; empty when nothing came since the gateway started'),
  occupancy: z
    .object({ tokens: count.optional().describe('absent: too few to tell'), slotMs: count, receivedAtMs: epochMs })
    .optional()
    .describe('Bluetooth devices about, where the venue counts them'),
  release: z
    .object({
      phase: z.enum(['offered', 'waiting', 'taking', 'ready', 'trying', 'kept', 'refused', 'failed']),
      percent: z.int().min(0).max(100).optional().describe('that it has taken'),
      atMs: epochMs.describe('since when'),
      code: z.string().optional(),
      why: z.string().optional().describe('in words'),
    })
    .optional()
    .describe('how far it is with the release of the last rollout; absent for one that was not told of it'),
  withheldBatches: count,
  quarantined: count,
  missingRows: count,
});
export type KioskView = z.infer<typeof kioskView>;

export const venueView = z.object({
  id: placeId,
  name: z.string(),
  organisation: z.string(),
  site: z.string(),
  region: z.string(),
  kind: z.string(),
  timezone: z.string(),
  dwellMs: count.describe('how long a visit without a check-out is taken to last'),
  lingeringMs: count.describe('how long after somebody left others may still meet what they left in the air'),
  thresholdCelsius: z.number().optional().describe('from which a reading is high; absent: each kiosk goes by its own settings'),
  unsignedCards: z.enum(['as-gateway', 'taken', 'refused']),
  areFlagsTold: z.boolean().describe('whether those are told who met somebody with a confirmed high-temperature flag'),
  flagOverlapMs: count.describe('so long they have to have met'),
  areFlaggedSuspected: z.boolean().describe('whether such a flag makes a suspected case'),
  entrances: z.array(z.object({ id: placeId, name: z.string(), direction: z.enum(['in', 'out', 'both']) })),
});
export type VenueView = z.infer<typeof venueView>;

export const sinkView = z.object({
  name: z.string(),
  behindEntries: count,
  waitingSinceMs: epochMs.optional().describe('when the oldest of them was received; absent when it has everything'),
  setAsideEntries: count.describe('that it refuses for what they are; /api/1/sinks/{sink}/set-aside lists them'),
  droppedEntries: count.describe('that retention ended before the sink had taken them'),
  unerasedRows: count.optional().describe('of taken-back cards, that it has not said to have erased'),
  why: z.string().optional().describe('why the last offer failed, in words'),
  code: z.string().optional(),
});

export const gatewayView = z.object({
  deployment: placeId,
  version: z.string(),
  tone,
  headline: z.string().describe('how all of it does, one sentence'),
  troubles: z.array(trouble),
  atMs: epochMs,
  startedAtMs: epochMs,
  admittedKiosks: count,
  connectedKiosks: count,
  queued: count.describe('rows that wait at kiosks, by what they said last'),
  queueUnknownKiosks: count.describe('admitted kiosks that did not say how many wait there, or can not tell; they are not in `queued`'),
  rowsPerMinute: z.array(count),
  acknowledgedInS: z
    .number()
    .optional()
    .describe('99 of 100 batches were acknowledged within so many seconds since the start; absent before the first'),
  sinks: z.array(sinkView),
  disk: z.object({
    freeBytes: count,
    usedBytes: count,
    growthBytesPerDay: z.int().optional().describe('absent until it was measured for an hour'),
    daysLeft: z.number().min(0).optional().describe('absent while nothing grows, or not known yet; above 999 it is 999'),
  }),
  flags: z.object({ confirmed: count, unconfirmed: count, pending: count }),
  quarantined: count,
  refused: z.array(z.object({ kiosk: placeId.optional(), code: z.string(), meaning: z.string(), count, lastAtMs: epochMs })),
  policy: z
    .object({
      confirmed: count.describe('kiosks that go by the newest they were told'),
      unconfirmed: count,
      refused: z.record(z.string(), count).describe('kiosks that refuse theirs, by code'),
    })
    .optional(),
  restored: z
    .object({
      backupAtMs: epochMs.describe('what came later was lost here, and is asked for'),
      restoredAtMs: epochMs,
      kiosks: count,
      sentAgain: count.describe('of them: that have looked through all they kept'),
    })
    .optional()
    .describe('absent for a gateway that was not brought back from a backup within 21 days'),
  notices: z
    .object({
      cards: count.describe('that there are notices for, as kiosks are told'),
      leftOut: count.describe('cards beyond those, for whom there was no room'),
      kiosks: count,
      told: count.describe('of them: whose document says all that is known here'),
      unheard: z
        .array(z.object({ sink: z.string(), code: z.string(), why: z.string().describe('in words'), sinceMs: epochMs }))
        .describe('cores that can not be heard, and since when'),
    })
    .optional()
    .describe('how far notices are on their way; absent until it was looked'),
  takenBack: z
    .object({ cards: count, pending: count.describe('of them: not erased here yet, or not known to every kiosk') })
    .describe('cards that their holders took back'),
  key: z
    .object({
      madeAtMs: epochMs.optional().describe('absent for the first'),
      kiosks: count,
      followed: count.describe('of them: that know the gateway by this key'),
      mayNotFollow: count.describe('of them: that have not said that they could follow to another'),
    })
    .describe("the gateway's TLS key, and how far kiosks have followed to it"),
  recipient: z
    .object({
      madeAtMs: epochMs.optional().describe('absent for the first'),
      kiosks: count,
      followed: count.describe('of them: that have sent what was sealed for this key'),
      earlier: count.describe('keys before it that are here'),
      earlierMayGoAtMs: epochMs.optional().describe('when they are of no use any more; absent while a kiosk has not followed'),
    })
    .describe('the key for which kiosks seal, and how far they have followed to it'),
  rollout: z
    .object({
      number: z.int().min(1),
      version: z.string(),
      state: z.enum(['running', 'paused', 'stopped']),
      percent: z.int().min(1).max(100).describe('of those that it is meant for'),
      startedAtMs: epochMs,
      meant: count.describe('kiosks that it goes to, at this percentage'),
      kept: count,
      underWay: count.describe('that were told, and are not done with it'),
      failed: count.describe('that refuse it, or went back to what they had'),
      mostFailed: count.describe('with more it pauses by itself'),
      failures: z.array(z.object({ kiosk: placeId, code: z.string(), meaning: z.string() })).describe('at most 50'),
    })
    .optional()
    .describe('of a release to kiosks, the last one; absent before the first'),
  secondPlace: z
    .object({ staleSinceMs: epochMs.optional(), code: z.string().optional(), why: z.string().optional().describe('in words') })
    .optional()
    .describe('of the log of revocations; absent where none was named'),
  late: z
    .object({
      checkpoints: z.boolean().describe('written entries are put in their place while kiosks wait'),
      opening: z.boolean().describe('the thread that opens batches failed'),
    })
    .describe('why kiosks may be answered late; the troubles say it in words'),
  clock: z
    .object({
      kind: z.enum(['ahead', 'behind']),
      byMs: count,
      believedInMs: count.optional().describe('of running time; one that is behind is not believed by itself'),
    })
    .optional()
    .describe("how the machine's clock differs from what is believed, by which it is forgotten; absent while it does not"),
  droppedEvents: count,
  auditEntries: count,
  logLevel: z.string(),
});
export type GatewayView = z.infer<typeof gatewayView>;

export const overview = z.object({ gateway: gatewayView, venues: z.array(venueView), kiosks: z.array(kioskView) });
export type Overview = z.infer<typeof overview>;

export const flagView = z.object({
  flag: z.string(),
  venue: placeId,
  entrance: placeId,
  kiosk: placeId,
  subject: z.string().describe("the card's pseudonym at this venue on this day"),
  state: z.enum(['pending', 'confirmed', 'unconfirmed', 'cleared']),
  raisedAtMs: epochMs,
  expiresAtMs: epochMs,
  handled: z.object({ by: z.string(), atMs: epochMs }).optional(),
});
export type FlagView = z.infer<typeof flagView>;

export const quarantineView = z.object({
  no: count,
  kiosk: placeId,
  receivedAtMs: epochMs,
  code: z.string(),
  meaning: z.string(),
  advice: z.string(),
  sizeBytes: count,
  seq: count.optional().describe('of one row; absent for a whole batch'),
  mayReplay: z.boolean().describe('a row that stands against another one is to be looked at, not taken'),
});
export type QuarantineView = z.infer<typeof quarantineView>;

export const setAsideView = z.object({
  position: count.describe('in the ledger'),
  kiosk: placeId,
  kind: z.enum(['batch', 'flag', 'doubt']),
  setAsideAtMs: epochMs,
  code: z.string(),
  meaning: z.string(),
  advice: z.string(),
});
export type SetAsideView = z.infer<typeof setAsideView>;

export const reofferAnswer = z.object({
  outcome: z.enum(['taken', 'refused']),
  code: z.string().optional().describe('why it is still set aside'),
  meaning: z.string().optional(),
});
export type ReofferAnswer = z.infer<typeof reofferAnswer>;

export const replayAnswer = z.object({
  outcome: z.enum(['taken', 'quarantined']),
  acceptedRows: count,
  code: z.string().optional().describe('why it is still in quarantine'),
  meaning: z.string().optional(),
});
export type ReplayAnswer = z.infer<typeof replayAnswer>;

export const auditView = z.object({
  entry: count,
  atMs: epochMs,
  who: z.string(),
  via: z.string(),
  action: z.string(),
  about: z.string(),
  detail: z.string(),
  hash: z.string(),
});

export const role = z.enum(['read-only', 'manager']);
export const sessionView = z.object({
  account: z.string(),
  role,
  csrf: z.string().describe('to be sent as x-vestibule-csrf with every change'),
});

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export const logLevel = z.strictObject({ level: z.enum(LOG_LEVELS) });

/** Problem details for HTTP APIs (RFC 9457). */
export const problem = z.object({
  title: z.string(),
  status: z.int(),
  code: z.string().optional().describe('docs/errors.md has it'),
  retryAfterS: z.int().optional(),
});

export const placeIdParam = placeId;

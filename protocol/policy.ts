/**
 * The policy document: what a kiosk is told to go by, signed with the gateway's receipt key for that one kiosk's topic. It is retained, so
 * that a kiosk that was away gets it on its return; its version only ever steps up, and it expires, so that an old one can not be
 * brought back.
 * Source: docs/protocol.md, "Policy".
 */
import type { KeyObject } from 'node:crypto';
import { type CborValue, decodeCbor, encodeCbor } from './cbor.ts';
import { readArray, readBoolean, readBytes, readChoice, readInteger, readMap, readText } from './cbor-read.ts';
import { CLINICIAN_DIGEST_BYTES, type ClinicPolicy, MOST_CLINICIANS, STICKER_LIFE_MS } from './clinic.ts';
import { signSign1, verifySign1 } from './cose.ts';
import { PUBLIC_KEY_BYTES } from './ed25519.ts';
import { DecodeError } from './errors.ts';
import type { DeploymentId, EntranceId, KioskId, VenueId, VisitorUuid } from './ids.ts';
import { checkMarks, type LostCardFilter, MOST_LOST_CARDS } from './lost-card.ts';
import { FILTER_KEY_BYTES, MARK_BYTES } from './marks.ts';
import { checkRevoked, LONGEST_REVOKED_BYTES, REVOKED_KEY_BYTES, type RevokedCards, revokedTest } from './revoked-cards.ts';
import { topicOf } from './topics.ts';
import type { CentiCelsius, EpochMillis } from './units.ts';

/** 50,000 bytes of lost cards, 7,500 of revoked ones, 64 issuers, 256 clinicians, and less than 300 bytes around them. */
export const LONGEST_POLICY_BYTES = 65_536;
export const MOST_ISSUERS = 64;
export const GREATEST_POLICY_VERSION = 2 ** 32 - 1;
export const DWELL_MS = { least: 60_000, most: 172_800_000 } as const;
export const THRESHOLD = { least: 3_500, most: 4_200 } as const;

const DIRECTIONS = ['in', 'out', 'both'] as const;

export interface Policy {
  /** 1 to 2^32 - 1; of one kiosk, stepping up with each document that is signed for it. */
  readonly version: number;
  readonly issuedAtMs: EpochMillis;
  /** From then on a document that has not been taken yet is none. One that is held goes on, and is shown as expired. */
  readonly expiresAtMs: EpochMillis;
  readonly venue: VenueId;
  readonly entrance: EntranceId;
  /** What the entrance is for; `undefined` where the kiosk's own settings decide. */
  readonly direction: (typeof DIRECTIONS)[number] | undefined;
  /** Raw Ed25519, 32 bytes each, at most 64: the card issuers whose cards are taken. */
  readonly issuers: readonly Uint8Array[];
  readonly mayTakeUnsigned: boolean;
  /** The usual stay, 1 minute to 48 hours. A kiosk knows a card to be in for at least so long. */
  readonly dwellMs: number;
  /** From which corrected estimate on a reading is high, 35.00 to 42.00 °C; `undefined` where the kiosk's own settings decide. */
  readonly threshold: CentiCelsius | undefined;
  readonly lostCards: LostCardFilter;
  /** Cards that their holders took back, where there are any. A kiosk that knows nothing of them refuses the document: it does not forget them. */
  readonly revokedCards?: RevokedCards;
  /** Of a kiosk whose certificate says clinic; no other is told. */
  readonly clinic?: ClinicPolicy;
}

interface PolicyPlace {
  readonly deployment: DeploymentId;
  readonly kiosk: KioskId;
}

const KEY = {
  version: 0,
  issuedAt: 1,
  expiresAt: 2,
  venue: 3,
  entrance: 4,
  direction: 5,
  issuers: 6,
  mayTakeUnsigned: 7,
  dwell: 8,
  threshold: 9,
  lostCards: 10,
  revokedCards: 11,
  /** Passable: a kiosk that knows nothing of clinics goes by the rest. */
  clinic: 64,
} as const;
/** What a kiosk need not know: it passes over keys from here on, and refuses a document with any other that it does not know. */
const FIRST_PASSABLE_KEY = 64;
const KNOWN: ReadonlySet<number> = new Set(Object.values(KEY));
const PLACE_ID = /^[0-9a-hjkmnp-tv-z]{16}$/;
const LATEST_MS = 253_402_300_799_999;

/** @returns the signed document, the same for the same policy. @throws DecodeError as `openPolicy` for one that would not be read. */
export function encodePolicy(policy: Policy, place: PolicyPlace, signingKey: KeyObject): Uint8Array {
  const { direction, threshold, lostCards, revokedCards, clinic } = policy;
  const fields = new Map<number, CborValue>([
    [KEY.version, policy.version],
    [KEY.issuedAt, policy.issuedAtMs],
    [KEY.expiresAt, policy.expiresAtMs],
    [KEY.venue, policy.venue],
    [KEY.entrance, policy.entrance],
    ...(direction === undefined ? [] : [[KEY.direction, DIRECTIONS.indexOf(direction)] as const]),
    [KEY.issuers, policy.issuers],
    [KEY.mayTakeUnsigned, policy.mayTakeUnsigned],
    [KEY.dwell, policy.dwellMs],
    ...(threshold === undefined ? [] : [[KEY.threshold, threshold] as const]),
    [KEY.lostCards, [lostCards.key, lostCards.marks]],
    ...(revokedCards === undefined ? [] : [[KEY.revokedCards, [revokedCards.tombstoneKey, revokedCards.marks]] as const]),
    ...(clinic === undefined ? [] : [[KEY.clinic, [clinic.stickerLifeMs, clinic.clinicians]] as const]),
  ]);
  const payload = encodeCbor(fields);
  decodePayload(payload);
  return signSign1(payload, externalAadOf(place), signingKey);
}

/**
 * Reads a document; whether it is newer than the one held, and still good, is the caller's to say.
 * @param signer.publicKey the gateway's receipt key.
 * @throws SealError `seal.signature` for one that another signed, or that is for another kiosk or deployment; DecodeError when it is none.
 */
export function openPolicy(bytes: Uint8Array, signer: PolicyPlace & { readonly publicKey: KeyObject }): Policy {
  const { publicKey } = signer;
  return decodePayload(
    verifySign1(bytes, { externalAad: externalAadOf(signer), publicKey, subject: 'policy', longestBytes: LONGEST_POLICY_BYTES }),
  );
}

function decodePayload(payload: Uint8Array): Policy {
  const fields = readMap(decodeCbor(payload, 'policy', LONGEST_POLICY_BYTES), 'policy');
  for (const key of fields.keys())
    if (!KNOWN.has(key) && key < FIRST_PASSABLE_KEY)
      throw new DecodeError('decode.unsupported', `policy: rule ${key} is not known to this version`);
  const issuedAtMs = readInteger(fields.get(KEY.issuedAt), 'policy issue', 0, LATEST_MS) as EpochMillis;
  const expiresAtMs = readInteger(fields.get(KEY.expiresAt), 'policy expiry', 0, LATEST_MS) as EpochMillis;
  if (expiresAtMs <= issuedAtMs) throw new DecodeError('decode.malformed', 'policy: expires before it is issued');
  const direction = fields.get(KEY.direction);
  const threshold = fields.get(KEY.threshold);
  const clinic = fields.get(KEY.clinic);
  const revoked = fields.get(KEY.revokedCards);
  const [key, marks] = readArray(fields.get(KEY.lostCards), 'policy lost cards', 2);
  return {
    version: readInteger(fields.get(KEY.version), 'policy version', 1, GREATEST_POLICY_VERSION),
    issuedAtMs,
    expiresAtMs,
    venue: readText(fields.get(KEY.venue), 'policy venue', PLACE_ID) as VenueId,
    entrance: readText(fields.get(KEY.entrance), 'policy entrance', PLACE_ID) as EntranceId,
    direction: direction === undefined ? undefined : readChoice(direction, 'policy direction', DIRECTIONS),
    issuers: readArray(fields.get(KEY.issuers), 'policy issuers', 0, MOST_ISSUERS).map((issuer) =>
      readBytes(issuer, 'policy issuer', PUBLIC_KEY_BYTES),
    ),
    mayTakeUnsigned: readBoolean(fields.get(KEY.mayTakeUnsigned), 'policy unsigned cards'),
    dwellMs: readInteger(fields.get(KEY.dwell), 'policy stay', DWELL_MS.least, DWELL_MS.most),
    threshold:
      threshold === undefined ? undefined : (readInteger(threshold, 'policy threshold', THRESHOLD.least, THRESHOLD.most) as CentiCelsius),
    lostCards: {
      key: readBytes(key, 'policy filter key', FILTER_KEY_BYTES),
      marks: checkMarks(readBytes(marks, 'policy lost cards', 0, MOST_LOST_CARDS * MARK_BYTES)),
    },
    ...(revoked === undefined ? {} : { revokedCards: readRevoked(revoked) }),
    ...(clinic === undefined ? {} : { clinic: readClinic(clinic) }),
  };
}

/** @returns whether a card is one that its holder took back, by this document. */
export const revokedIn = ({ revokedCards, lostCards }: Policy): ((card: VisitorUuid) => boolean) =>
  revokedCards === undefined ? () => false : revokedTest(revokedCards, lostCards.key);

function readRevoked(value: CborValue): RevokedCards {
  const [tombstoneKey, marks] = readArray(value, 'policy revoked cards', 2);
  return {
    tombstoneKey: readBytes(tombstoneKey, 'policy tombstone key', REVOKED_KEY_BYTES),
    marks: checkRevoked(readBytes(marks, 'policy revoked cards', MARK_BYTES, LONGEST_REVOKED_BYTES)),
  };
}

function readClinic(value: CborValue): ClinicPolicy {
  const [life, clinicians] = readArray(value, 'policy clinic', 2);
  return {
    stickerLifeMs: readInteger(life, 'policy sticker life', STICKER_LIFE_MS.least, STICKER_LIFE_MS.most),
    clinicians: readArray(clinicians, 'policy clinicians', 0, MOST_CLINICIANS).map((digest) =>
      readBytes(digest, 'policy clinician', CLINICIAN_DIGEST_BYTES),
    ),
  };
}

const externalAadOf = ({ deployment, kiosk }: PolicyPlace): Uint8Array =>
  encodeCbor(['vestibule-policy-1', deployment, topicOf(kiosk, 'policy')]);

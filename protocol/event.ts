/**
 * What happened at a door, as values. The kiosk, the epoch, the content key and the sequence number are not in here: they are
 * bound to the sealed row that carries an event (row.ts), so that an event can not be moved under another name.
 */
import type { BootId, KeyId, Seq, VisitorUuid } from './ids.ts';
import type { CentiCelsius, EpochMillis, MonotonicMillis } from './units.ts';

/**
 * How far a kiosk trusts its wall clock. `synced`: set from outside this boot. `assumed`: carried over from the last
 * known time, so later than the truth at worst by the time switched off. `unsynced`: not to be believed.
 */
export type ClockState = 'synced' | 'assumed' | 'unsynced';

export interface Stamp {
  readonly wallMs: EpochMillis;
  readonly monotonicMs: MonotonicMillis;
  readonly bootId: BootId;
  readonly clock: ClockState;
}

/** Points at an earlier row of the same kiosk. With the key id, because a cloned kiosk uses sequence numbers twice. */
export interface RowRef {
  readonly keyId: KeyId;
  readonly seq: Seq;
}

export interface CheckIn {
  readonly type: 'check-in';
  readonly card: VisitorUuid;
  /** 1 to 99: how many people came in on this card. */
  readonly groupSize: number;
  /** Whether the card bears a known issuer's signature. */
  readonly isSigned: boolean;
}

export interface CheckOut {
  readonly type: 'check-out';
  readonly card: VisitorUuid;
}

/** Takes back one check-in or check-out. */
export interface Undo {
  readonly type: 'undo';
  readonly of: RowRef;
}

/** One reading, tied to the scan it was paired with. High is `estimate >= threshold`. */
export interface Temperature {
  readonly type: 'temperature';
  readonly card: VisitorUuid;
  /** The check-in (or check-out) that this reading was taken at. */
  readonly of: RowRef;
  /** 1, or 2 for the reading that a high first one asks for. */
  readonly attempt: 1 | 2;
  /** As the sensor gave it. */
  readonly objectRaw: CentiCelsius;
  /** The sensor's own temperature; `undefined` where the sensor does not tell. */
  readonly ambientRaw: CentiCelsius | undefined;
  /** objectRaw corrected by the offset that `offsetId` names. */
  readonly estimate: CentiCelsius;
  readonly threshold: CentiCelsius;
  readonly offsetId: number;
  readonly policyVersion: number;
  /** Whole days since the sensor was calibrated; `undefined` when nobody wrote it down. */
  readonly calibrationAgeDays: number | undefined;
  /** Whether the ambient temperature lay in the range the sensor's maker names. */
  readonly isRoomInRange: boolean;
}

export interface StickerLink {
  readonly type: 'sticker-link';
  /** 16 bytes. */
  readonly sticker: Uint8Array;
  readonly card: VisitorUuid;
}

/** What a test can show; `void`: nothing, and its sticker is of no use any more. */
export const RESULTS = ['positive', 'negative', 'void'] as const;
export type TestResult = (typeof RESULTS)[number];

export interface StickerResult {
  readonly type: 'sticker-result';
  /** 16 bytes. */
  readonly sticker: Uint8Array;
  /** 16 bytes: SHA-256 of the clinician's secret, cut. */
  readonly clinician: Uint8Array;
  readonly result: TestResult;
}

export interface Occupancy {
  readonly type: 'occupancy';
  readonly slotMs: number;
  /** Distinct tokens in the slot that ended at the stamp; `undefined` when too few to tell. */
  readonly tokens: number | undefined;
}

export interface DeviceState {
  readonly type: 'device-state';
  /** The device's configured name: 1 to 32 of a-z, 0-9 and `-`. */
  readonly device: string;
  readonly isUp: boolean;
  /** An error code while down. */
  readonly why: string | undefined;
}

export interface KioskState {
  readonly type: 'kiosk-state';
  readonly state: 'started' | 'stopping' | 'clock-stepped' | 'store-refused' | 'store-recovered';
  /** For `clock-stepped`: how far the wall clock moved against the monotonic one, ms; else 0. */
  readonly byMs: number;
}

/** A notice was shown to whoever holds the card. Said only by a kiosk that its gateway gave notices. */
export interface NoticeShown {
  readonly type: 'notice-shown';
  readonly card: VisitorUuid;
}

export type Happening =
  | CheckIn
  | CheckOut
  | Undo
  | Temperature
  | StickerLink
  | StickerResult
  | Occupancy
  | DeviceState
  | KioskState
  | NoticeShown;

export type VestibuleEvent = { readonly stamp: Stamp } & Happening;

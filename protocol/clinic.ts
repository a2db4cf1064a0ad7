/** What clinics, their kiosks and their gateway know of each other: who may record results, and how long a sticker serves. */
import { createHash } from 'node:crypto';

/** Of a clinician's code in events, policies and lists. */
export const CLINICIAN_DIGEST_BYTES = 16;
/** At one venue. */
export const MOST_CLINICIANS = 256;
/** From its link on. */
export const STICKER_LIFE_MS = { least: 3_600_000, most: 21 * 86_400_000, usual: 14 * 86_400_000 } as const;

/** What a clinic's kiosk is told beside the rest of its policy. */
export interface ClinicPolicy {
  /** How long after its link a result may be recorded for a sticker: an hour to 21 days. */
  readonly stickerLifeMs: number;
  /** 16 bytes each, at most 256: whose codes are good at this venue. */
  readonly clinicians: readonly Uint8Array[];
}

/** @param secret of the code, 16 bytes. @returns SHA-256 of it, cut to 16 bytes: it leads back to no code. */
export const clinicianDigestOf = (secret: Uint8Array): Uint8Array =>
  new Uint8Array(createHash('sha256').update(secret).digest().subarray(0, CLINICIAN_DIGEST_BYTES));

/**
 * Who may say what of test stickers: only a kiosk whose certificate says clinic, and results only by a clinician of its venue. A row that
 * breaks this goes to quarantine by name, and can be tried again once its reason is mended.
 */
import { correct } from '../../protocol/clock-correction.ts';
import type { ErrorCode } from '../../protocol/errors.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import type { OpenedBatch, OpenedRow } from '../open-batch.ts';
import type { Kiosk } from '../registry.ts';
import type { ClinicianList } from './clinician-list.ts';

/** @returns the rows, and in the place of each that its kiosk or clinician may not say, why. @throws StoreError. */
export function withClinicFaults(
  clinicians: Pick<ClinicianList, 'find'>,
  kiosk: Pick<Kiosk, 'role' | 'placement'>,
  batch: Pick<OpenedBatch, 'rows' | 'sentAt'>,
  receivedAtMs: EpochMillis,
): readonly OpenedRow[] {
  const isOfClinic = (row: OpenedRow): boolean =>
    'event' in row && (row.event.type === 'sticker-link' || row.event.type === 'sticker-result');
  // All but a few batches have none, and are looked at no closer.
  if (!batch.rows.some(isOfClinic)) return batch.rows;
  return batch.rows.map((row) => {
    const fault = faultOf(clinicians, kiosk, batch, row, receivedAtMs);
    if (fault === undefined) return row;
    const { seq, row: bytes, digest } = row;
    return { seq, row: bytes, digest, fault };
  });
}

function faultOf(
  clinicians: Pick<ClinicianList, 'find'>,
  { role, placement }: Pick<Kiosk, 'role' | 'placement'>,
  { sentAt }: Pick<OpenedBatch, 'sentAt'>,
  row: OpenedRow,
  receivedAtMs: EpochMillis,
): ErrorCode | undefined {
  if (!('event' in row)) return undefined;
  const { event } = row;
  if (event.type !== 'sticker-link' && event.type !== 'sticker-result') return undefined;
  if (role !== 'clinic') return 'ingest.not_clinic';
  if (event.type === 'sticker-link') return undefined;
  const clinician = clinicians.find(event.clinician);
  if (clinician === undefined || clinician.venue !== placement.venue) return 'ingest.unknown_clinician';
  if (clinician.revokedAtMs === undefined) return undefined;
  // What was recorded before the revocation stands, however late it comes; what may have been recorded after it does not.
  const { atMs, uncertaintyMs } = correct({ stamp: event.stamp, sentAt, receivedAtMs });
  return atMs + uncertaintyMs >= clinician.revokedAtMs ? 'ingest.revoked_clinician' : undefined;
}

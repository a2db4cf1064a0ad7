/**
 * Errors that are expected: each has a code from one list, and its family says whose turn it is.
 * Anything that is not an ExpectedError is a bug. `docs/errors.md` has one heading for each code, and a test compares both ways.
 * A message never carries a symbol, a person's id, a temperature or a key: lengths, counts and codes only.
 */

/** Every code there is. Form: family.reason. */
export type ErrorCode =
  // DecodeError: bytes that are not what they should be. Nobody acts; counted and dropped, or quarantined.
  | 'decode.truncated'
  | 'decode.overlong'
  | 'decode.checksum'
  | 'decode.unsupported'
  | 'decode.not_canonical'
  | 'decode.malformed'
  | 'decode.out_of_range'
  | 'decode.no_value'
  // CodeError: a text code that a person or scanner presented. The person at the door acts.
  | 'code.not_ours'
  | 'code.version'
  | 'code.length'
  | 'code.check'
  | 'code.kind'
  | 'code.malformed'
  | 'code.unknown_issuer'
  | 'code.forged'
  | 'code.unsigned'
  // DeviceError: `supervise` closes, waits and opens anew.
  | 'device.absent'
  | 'device.gone'
  | 'device.denied'
  | 'device.busy'
  | 'device.no_driver'
  | 'device.timeout'
  | 'device.unsupported'
  | 'device.failed'
  | 'device.no_scanner'
  | 'device.silent'
  // StoreError: a kiosk refuses scans visibly, a gateway withholds PUBACK.
  | 'store.full'
  | 'store.disk_full'
  | 'store.read_only'
  | 'store.corrupt'
  | 'store.busy'
  | 'store.failed'
  | 'store.newer'
  | 'store.wrong_key'
  | 'store.altered'
  | 'store.hung'
  | 'store.low'
  | 'store.log_long'
  // LinkError: the uplink backs off with jitter; the outbox keeps.
  | 'link.refused'
  | 'link.lost'
  | 'link.unauthorised'
  | 'link.pin'
  | 'link.timeout'
  | 'link.stuck'
  // What our image says of its Wi-Fi. A technician acts.
  | 'wifi.refused'
  | 'wifi.wrong_key'
  | 'wifi.not_found'
  // SealError: a sealed or signed thing does not open or verify. Wrong in itself: quarantine.
  | 'seal.signature'
  | 'seal.digest'
  | 'seal.open'
  | 'seal.kiosk'
  | 'seal.unknown_recipient'
  | 'seal.unknown_key'
  // PolicyError: a policy document that is the gateway's, and not to be gone by. The kiosk keeps the one it has and says so.
  | 'policy.older'
  | 'policy.expired'
  // NoticeError: a kiosk holds notices back. Nobody acts, unless it says so again and again.
  | 'notice.too_many'
  // AdmissionError: who may connect and publish where. The peer is told no; an operator is told why.
  | 'admission.unknown_kiosk'
  | 'admission.no_certificate'
  | 'admission.wrong_key'
  | 'admission.revoked'
  | 'admission.unknown_venue'
  | 'admission.wrong_topic'
  | 'admission.wrong_delivery'
  | 'admission.wrong_account'
  | 'admission.too_many_tries'
  | 'admission.not_allowed'
  | 'admission.over_budget'
  | 'admission.overlong'
  | 'admission.malformed'
  | 'admission.silent'
  | 'admission.no_handshake'
  | 'admission.slow_reader'
  | 'admission.too_many_connections'
  | 'admission.too_often'
  | 'admission.too_fast'
  | 'admission.too_many_subscriptions'
  | 'admission.over_quota'
  | 'admission.uncertified'
  | 'admission.expired'
  | 'admission.wrong_will'
  | 'admission.wrong_version'
  | 'admission.wrong_token'
  | 'admission.no_purpose'
  | 'admission.issuer_down'
  // EnrolError: a code that a kiosk enrols with. The technician asks the operator for another.
  | 'enrol.unknown'
  | 'enrol.used'
  | 'enrol.expired'
  | 'enrol.withdrawn'
  // IngestError: what the gateway decided about a row or a batch.
  | 'ingest.conflict'
  | 'ingest.quarantine_full'
  | 'ingest.internal'
  | 'ingest.too_many_epochs'
  | 'ingest.past_retention'
  | 'ingest.other_gateway'
  | 'ingest.unlisted_venue'
  | 'ingest.not_clinic'
  | 'ingest.unknown_clinician'
  | 'ingest.revoked_clinician'
  | 'ingest.card_revoked'
  | 'ingest.thread_failed'
  // CaseError: what was said of a test does not fit what is known of it. A clinician or a health officer acts.
  | 'case.conflict'
  | 'case.key_used'
  | 'case.expired'
  | 'case.void'
  | 'case.unknown_sticker'
  // TraceError: a trace that can not be made now. The core tries again by itself; the operator acts if it stays.
  | 'trace.thread_failed'
  | 'trace.too_large'
  // SinkError: whoever the ledger is forwarded to. Its cursor stays and it is tried again; only an entry that it refuses for itself is set aside.
  | 'sink.not_reached'
  | 'sink.not_trusted'
  | 'sink.not_admitted'
  | 'sink.silent'
  | 'sink.lost'
  | 'sink.entry_refused'
  | 'sink.refuses_all'
  | 'sink.too_large'
  | 'sink.past_retention'
  | 'sink.unavailable'
  | 'sink.unexpected'
  | 'sink.other_ledger'
  | 'sink.gap'
  | 'sink.quarantine_full'
  // HolderError: somebody who says that a card is theirs. They are told; nothing was read or changed.
  | 'holder.not_proven'
  | 'holder.challenge'
  | 'holder.too_often'
  | 'holder.not_reached'
  // KioskError: what a kiosk finds wrong with itself, and does not refuse a scan for.
  | 'kiosk.stalled'
  | 'clock.wrong'
  // Of a gateway's or core's state; nobody is refused. The operator looks at the machine's clock.
  | 'retention.clock_ahead'
  | 'retention.clock_behind'
  // BackupError: a backup that can not be made of this, opened with this, or restored here. Nothing was changed; the operator acts.
  | 'backup.not_one'
  | 'backup.version'
  | 'backup.wrong_key'
  | 'backup.truncated'
  | 'backup.altered'
  | 'backup.weak_passphrase'
  | 'backup.exists'
  | 'backup.not_empty'
  // ReleaseError: a release bundle that is not taken here, or that did not hold. What runs goes on; the operator or technician acts.
  | 'release.unknown_key'
  | 'release.truncated'
  | 'release.altered'
  | 'release.older'
  | 'release.wrong_board'
  | 'release.wire_old'
  | 'release.wire_new'
  | 'release.no_room'
  | 'release.not_started'
  | 'release.not_healthy'
  | 'release.failed_before'
  | 'release.too_many_failed'
  // FlashError: a card or board that is not written, or not as it should be. Whoever flashes acts; nothing else was touched.
  | 'flash.no_disk'
  | 'flash.system_disk'
  | 'flash.not_removable'
  | 'flash.in_use'
  | 'flash.read_only'
  | 'flash.too_small'
  | 'flash.not_allowed'
  | 'flash.disk_gone'
  | 'flash.disk_failed'
  | 'flash.differs'
  | 'flash.bad_image'
  | 'flash.no_settings'
  | 'flash.no_tool'
  | 'flash.no_board'
  | 'flash.board_silent'
  | 'flash.board_failed'
  // ConfigError: a person corrects the file; all faults are listed; exit 78 (EX_CONFIG).
  | 'config.invalid'
  | 'config.locked';

/** What a code looks like on the wire, also one that is newer than this list. */
export const ERROR_CODE_FORM = /^[a-z]{1,16}\.[a-z_]{1,32}$/;

export class ExpectedError extends Error {
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

export class DecodeError extends ExpectedError {}
export class CodeError extends ExpectedError {}
export class DeviceError extends ExpectedError {}
export class StoreError extends ExpectedError {}
export class LinkError extends ExpectedError {}
export class SealError extends ExpectedError {}
export class PolicyError extends ExpectedError {}
export class AdmissionError extends ExpectedError {}
export class EnrolError extends ExpectedError {}
export class CaseError extends ExpectedError {}
export class TraceError extends ExpectedError {}
export class IngestError extends ExpectedError {}
export class HolderError extends ExpectedError {}
export class BackupError extends ExpectedError {}
export class ReleaseError extends ExpectedError {}
export class FlashError extends ExpectedError {}
export class ConfigError extends ExpectedError {}

/** What a sink says of an offer. */
export class SinkError extends ExpectedError {
  /** Before which it does not want to be asked again, ms from now; `undefined` where it did not say. */
  readonly retryAfterMs: number | undefined;
  /** Of the one entry that it names as wrong in itself. */
  readonly position: number | undefined;
  constructor(
    code: Extract<ErrorCode, `sink.${string}`>,
    message: string,
    more: { readonly retryAfterMs?: number | undefined; readonly position?: number | undefined; readonly cause?: unknown } = {},
  ) {
    super(code, message, more);
    this.retryAfterMs = more.retryAfterMs;
    this.position = more.position;
  }
}

/** @returns the code of an expected error; `undefined` for a bug. */
export const codeOf = (error: unknown): ErrorCode | undefined => (error instanceof ExpectedError ? error.code : undefined);

/** Ingest on a real ledger without a network: one kiosk, one content key, a clock moved by hand. */
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Db, openDatabase } from '../../gateway/database.ts';
import { type Decided, Ingest } from '../../gateway/ingest.ts';
import { Ledger } from '../../gateway/ledger.ts';
import { LEDGER_STEPS } from '../../gateway/ledger-schema.ts';
import { BatchOpener } from '../../gateway/open-batch.ts';
import { VenueCalendar } from '../../gateway/pseudonym.ts';
import { Quarantine, type QuarantineLimits } from '../../gateway/quarantine.ts';
import type { Kiosk } from '../../gateway/registry.ts';
import { Triage } from '../../gateway/triage.ts';
import { generateSigningKey, rawPublicKey } from '../../protocol/ed25519.ts';
import type { ErrorCode } from '../../protocol/errors.ts';
import { generateRecipient } from '../../protocol/hpke.ts';
import { type DeploymentId, type EntranceId, type KioskId, newPlaceId, type VenueId, type VisitorUuid } from '../../protocol/ids.ts';
import type { TrustDocument } from '../../protocol/trust.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import { LogRecorder } from './log-recorder.ts';
import { ManualClock } from './manual-clock.ts';
import { TestKiosk } from './test-kiosk.ts';

export const STORE_KEY = new Uint8Array(32).fill(9);

export interface TestIngest {
  readonly path: string;
  readonly db: Db;
  readonly ledger: Ledger;
  readonly triage: Triage;
  readonly ingest: Ingest;
  readonly clock: ManualClock;
  readonly log: LogRecorder;
  readonly kiosk: TestKiosk;
  readonly deployment: DeploymentId;
  /** The gateway as a recipient. */
  readonly recipient: { readonly id: Uint8Array; readonly privateKey: Uint8Array };
  readonly decided: Decided[];
  readonly withheld: (ErrorCode | undefined)[];
  readonly cutOff: ErrorCode[];
  take(message: Uint8Array, signal?: AbortSignal): Promise<string>;
  /** The file that entries are written to. */
  segmentPath(): string;
  count(table: 'quarantine' | 'flags' | 'readings'): number;
  /** In the ledger. */
  rows(): number;
  entries(): number;
  /** Rows that are remembered as seen. */
  seen(): number;
  reasons(): Record<string, number>;
}

export async function openTestIngest(
  t: { testdir(): string; teardown(run: () => void): void },
  limits: QuarantineLimits = { mostItems: 100_000, mostBytes: 2 ** 30 },
  isErased: (card: VisitorUuid) => boolean = () => false,
): Promise<TestIngest> {
  const path = join(t.testdir(), 'gateway.db');
  const db = openDatabase({ path, key: STORE_KEY, steps: LEDGER_STEPS });
  t.teardown(() => db.close());
  const clock = new ManualClock();
  const log = new LogRecorder();
  const directory = join(dirname(path), 'ledger');
  const ledger = new Ledger(db, directory, STORE_KEY, clock);
  t.teardown(() => ledger.close());
  const { recipient, privateKey } = await generateRecipient();
  const deployment = newPlaceId<DeploymentId>();
  const trust: TrustDocument = {
    deployment,
    gateway: { host: '127.0.0.1', port: 1, certificatePem: '-' },
    receiptKey: rawPublicKey(generateSigningKey()),
    recipients: [recipient],
    issuers: [],
    mayTakeUnsigned: false,
  };
  const kiosk = new TestKiosk(trust, clock);
  const admitted: Kiosk = {
    kiosk: kiosk.kiosk,
    publicKey: kiosk.publicKey,
    placement: { venue: newPlaceId<VenueId>(), entrance: newPlaceId<EntranceId>(), direction: 'both', dwellMs: 3_600_000, lingeringMs: 0 },
    role: 'kiosk',
    isDirectionTold: false,
    timezone: 'UTC',
    admittedAtMs: 0 as EpochMillis,
    revokedAtMs: undefined,
  };
  const keys = { indexPseudonymKey: randomBytes(32), operatorPseudonymKey: randomBytes(32) };
  const triage = new Triage(db, ledger, { confirmWithinMs: 60_000, ageOffMs: 172_800_000 }, keys, new VenueCalendar());
  ledger.recover((readings, receivedAtMs) => triage.take(readings, receivedAtMs));
  const decided: Decided[] = [];
  const withheld: (ErrorCode | undefined)[] = [];
  const cutOff: ErrorCode[] = [];
  const ingest = new Ingest(
    new BatchOpener(deployment, [{ id: recipient.id, privateKey }]),
    { ledger, quarantine: new Quarantine(db, limits), triage, clinicians: { find: () => undefined }, erasedCards: { has: isErased } },
    {
      kiosk: (id: KioskId) => (id === kiosk.kiosk ? admitted : undefined),
      onDecided: (batch) => decided.push(...batch),
      onWithheld: (_kiosk, { code }) => withheld.push(code),
      onCutOff: (_kiosk, code) => cutOff.push(code),
    },
    clock,
    log,
  );
  return {
    path,
    db,
    ledger,
    triage,
    ingest,
    clock,
    log,
    kiosk,
    deployment,
    recipient: { id: recipient.id, privateKey },
    decided,
    withheld,
    cutOff,
    take: (message, signal = new AbortController().signal) => ingest.take(kiosk.kiosk, message, signal),
    segmentPath: () =>
      join(
        directory,
        readdirSync(directory)
          .filter((name) => name.endsWith('.db'))
          .toSorted()
          .at(-1) ?? '',
      ),
    rows: () => ledger.entriesAfter(0, 1e9, 1e9).reduce((sum, entry) => sum + (entry.kind === 'batch' ? entry.rows.length : 0), 0),
    entries: () => ledger.entriesAfter(0, 1e9, 1e9).length,
    seen: () => Number(db.prepare('SELECT coalesce(sum(length(entries)) / 13, 0) FROM seen_windows').pluck().get()),
    count: (table) => Number(db.prepare(`SELECT count(*) FROM ${table}`).pluck().get()),
    reasons: () =>
      Object.fromEntries(
        (db.prepare('SELECT reason, count(*) AS n FROM quarantine GROUP BY reason').all() as { reason: string; n: number }[]).map(
          ({ reason, n }) => [reason, n],
        ),
      ),
  };
}

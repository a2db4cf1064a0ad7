/** What the gateway does with a batch and nothing around it: verify, open, decide and commit, on a ledger of its own. */
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { decideAll } from '../../gateway/decide.ts';
import { Ledger, openLedgerFile } from '../../gateway/ledger.ts';
import { BatchOpener, type UnreadBatch } from '../../gateway/open-batch.ts';
import { VenueCalendar } from '../../gateway/pseudonym.ts';
import { Quarantine } from '../../gateway/quarantine.ts';
import type { Kiosk } from '../../gateway/registry.ts';
import { Triage } from '../../gateway/triage.ts';
import { generateRecipient } from '../../protocol/hpke.ts';
import { type DeploymentId, type EntranceId, type KioskId, newPlaceId, type VenueId } from '../../protocol/ids.ts';
import { systemClock } from '../../protocol/time.ts';
import { topicOf } from '../../protocol/topics.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import type { Target } from './bench-kiosk.ts';

export interface Arrived {
  readonly kiosk: string;
  readonly message: Uint8Array;
}

export class BareIngest {
  readonly target: Target;
  readonly #opener: BatchOpener;
  readonly #deciders: Parameters<typeof decideAll>[0];
  readonly #kiosks = new Map<string, Kiosk>();
  readonly #venue = newPlaceId<VenueId>();

  private constructor(target: Target, privateKey: Uint8Array, deciders: Parameters<typeof decideAll>[0]) {
    this.target = target;
    this.#opener = new BatchOpener(target.deployment, [{ id: target.recipient.id, privateKey }]);
    this.#deciders = deciders;
  }

  static async open(directory: string): Promise<BareIngest> {
    mkdirSync(directory, { recursive: true });
    const key = new Uint8Array(randomBytes(32));
    const db = openLedgerFile(join(directory, 'gateway.db'), key);
    const ledger = new Ledger(db, join(directory, 'ledger'), key, systemClock);
    const keys = { indexPseudonymKey: randomBytes(32), operatorPseudonymKey: randomBytes(32) };
    const triage = new Triage(db, ledger, { confirmWithinMs: 60_000, ageOffMs: 172_800_000 }, keys, new VenueCalendar());
    const quarantine = new Quarantine(db, { mostItems: 1, mostBytes: 1 });
    const { recipient, privateKey } = await generateRecipient();
    return new BareIngest({ deployment: newPlaceId<DeploymentId>(), recipient }, privateKey, {
      ledger,
      triage,
      quarantine,
      clinicians: { find: () => undefined },
      erasedCards: { has: () => false },
    });
  }

  admit(kiosk: string, publicKey: string): void {
    this.#kiosks.set(kiosk, {
      kiosk: kiosk as KioskId,
      publicKey: new Uint8Array(Buffer.from(publicKey, 'base64url')),
      placement: { venue: this.#venue, entrance: newPlaceId<EntranceId>(), direction: 'both', dwellMs: 3_600_000, lingeringMs: 0 },
      role: 'kiosk',
      isDirectionTold: false,
      timezone: 'UTC',
      admittedAtMs: 0 as EpochMillis,
      revokedAtMs: undefined,
    });
  }

  /** Takes batches in one commit. @throws when not every row of them was new. */
  async take(group: readonly Arrived[]): Promise<number> {
    const opened: { kiosk: Kiosk; message: Uint8Array; opened: UnreadBatch }[] = [];
    for (const { kiosk: id, message } of group) {
      const kiosk = this.#kiosks.get(id);
      if (kiosk === undefined) throw new Error('bench: a kiosk that is not admitted');
      opened.push({ kiosk, message, opened: await this.#opener.open(message, topicOf(kiosk.kiosk, 'batch'), kiosk) });
    }
    const receivedAtMs = systemClock.wall();
    const nameOf = (error: unknown): never => {
      throw error;
    };
    const decisions = decideAll(
      this.#deciders,
      opened.map((one) => ({ ...one, receivedAtMs, nameOf })),
      () => {},
    );
    let rows = 0;
    for (const decision of decisions) {
      if (decision.kind !== 'taken' || decision.taken.length < decision.batch.rows.length) throw new Error('bench: a row was not taken');
      rows += decision.taken.length;
    }
    return rows;
  }
}

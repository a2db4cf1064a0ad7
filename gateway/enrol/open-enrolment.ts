/** Enrolment, wired: authority, codes, the API for kiosks, and what the broker asks of a certificate. For run-gateway.ts. */
import { join } from 'node:path';
import type { HolderDoor } from '../../core/intake.ts';
import { MOST_SEEN, type Seen } from '../../protocol/enrol.ts';
import { codeOf, type ErrorCode } from '../../protocol/errors.ts';
import type { KioskId } from '../../protocol/ids.ts';
import type { Log } from '../../protocol/log.ts';
import { signTime } from '../../protocol/signed-time.ts';
import type { Clock } from '../../protocol/time.ts';
import type { TrustDocument } from '../../protocol/trust.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import type { Peer } from '../admission.ts';
import { type Authority, openAuthority } from '../authority.ts';
import { type Db, translating } from '../database.ts';
import type { Identity } from '../identity.ts';
import { gatewayPaths } from '../paths.ts';
import type { Registry } from '../registry.ts';
import { holderAt } from '../revoke/holder-at.ts';
import { SteadyLog } from '../steady-log.ts';
import { type ApiDoors, type KioskApi, openKioskApi } from './api.ts';
import { CodeBook } from './code-book.ts';
import { Enroller } from './enroller.ts';
import { KioskDesk } from './kiosk-desk.ts';

export interface EnrolmentParts {
  readonly directory: string;
  readonly identity: Identity;
  readonly registry: Registry;
  /** As the gateway writes it now. */
  readonly trust: () => TrustDocument;
  /** The ledger's, where it says how far each kiosk's rows have come. */
  readonly ledger: Db;
  /** What time it has become, of a clock that was set back. */
  readonly leastNowMs: () => EpochMillis;
  readonly clock: Clock;
  readonly log: Log;
  /** Of the core; `undefined` where there is none in this process. */
  readonly holder: HolderDoor | undefined;
  readonly piece: ApiDoors['piece'];
  readonly onRefused: (code: ErrorCode) => void;
  readonly onBug: (error: unknown) => void;
}

export interface Enrolment extends KioskApi {
  readonly authority: Authority;
  /**
   * Whether the certificate that a peer showed lets it in as that kiosk. Not asked: whether kiosk and key are admitted.
   * @returns why not; `undefined` when it does, or when the kiosk was admitted by its key and never had a certificate.
   */
  refuse(peer: Peer, kiosk: KioskId): ErrorCode | undefined;
  /** To be called at the start and now and then: forgets codes that nobody can use any more and few would ask for. @throws StoreError. */
  forgetCodes(): void;
  /** Until abort: ends, within a tenth of a second, the sessions of the revoked, and of those whose certificate has ended since they connected. */
  keepOut(end: (kiosk: KioskId) => void, signal: AbortSignal): Promise<void>;
}

/** Codes that were used or have expired are shown to operators for so long. */
const REMEMBER_CODES_MS = 60 * 86_400_000;

/** @throws ConfigError as openAuthority, StoreError as openDatabase does. */
export async function openEnrolment(parts: EnrolmentParts): Promise<Enrolment> {
  const { directory, identity, registry, leastNowMs, clock, log, trust, ledger, onRefused, onBug, holder, piece } = parts;
  const authority = await openAuthority(join(directory, 'keys'), identity.deployment);
  const book = new CodeBook(gatewayPaths(directory).enrolment, identity.storeKey);
  // A registry of before it knew roles, or one brought back from a backup.
  for (const { kiosk, role } of book.roles()) if (registry.kiosk(kiosk) !== undefined) registry.keepRole(kiosk, role);
  const seen = (kiosk: KioskId) => seenOf(ledger, kiosk);
  const enroller = new Enroller({ book, registry, authority, trust, seen, leastNowMs, clock, log });
  const api = openKioskApi({
    enroller,
    desk: new KioskDesk(registry, clock, log),
    signTime: (nonce) => signTime(clock.wall(), nonce, identity.deployment, identity.receiptKey),
    holder: holderAt(registry, holder),
    piece,
    after: (waitMs, fire) => clock.after(waitMs, fire),
    onRefused,
    onBug,
  });
  /** When the certificate ends that a kiosk last connected with. */
  const ends = new Map<KioskId, EpochMillis>();
  return {
    authority,
    accept: api.accept,
    refuse(peer, kiosk) {
      if (book.certificateOf(kiosk) === undefined) return undefined;
      const issued = issuedTo(authority, peer);
      if (issued?.kiosk !== kiosk) return 'admission.uncertified';
      if (issued.notAfterMs <= clock.wall()) return 'admission.expired';
      ends.set(kiosk, issued.notAfterMs);
      return undefined;
    },
    forgetCodes: () => book.forget((clock.wall() - REMEMBER_CODES_MS) as EpochMillis),
    async keepOut(end, signal) {
      const trouble = new SteadyLog(log, clock, 'revocation');
      while (!signal.aborted) {
        try {
          for (const kiosk of toBeEnded(registry, ends, clock.wall())) end(kiosk);
          trouble.recovered();
        } catch (error) {
          const code = codeOf(error);
          if (code === undefined) throw error;
          trouble.failed({ code });
        }
        await clock.sleep(LOOK_EVERY_MS, signal);
      }
    },
    close: async () => {
      await api.close();
      book.close();
    },
  };
}

/** Each look costs what the registry's `data_version` costs, and a walk over the kiosks that are known. */
const LOOK_EVERY_MS = 100;

function toBeEnded(registry: Registry, ends: Map<KioskId, EpochMillis>, nowMs: EpochMillis): KioskId[] {
  const revoked = [...registry.kiosks()].filter(({ revokedAtMs }) => revokedAtMs !== undefined).map(({ kiosk }) => kiosk);
  const ended = [...ends].filter(([, notAfterMs]) => notAfterMs <= nowMs).map(([kiosk]) => kiosk);
  for (const kiosk of ended) ends.delete(kiosk);
  return [...revoked, ...ended];
}

function seenOf(ledger: Db, kiosk: KioskId): Seen[] {
  const rows = translating('ledger', () =>
    ledger
      .prepare(
        `SELECT epoch, max(last_seq) AS seq FROM epochs JOIN spans USING (epoch_no) WHERE kiosk = ?
         GROUP BY epoch_no ORDER BY epoch_no DESC LIMIT ?`,
      )
      .all(kiosk, MOST_SEEN),
  ) as Seen[];
  return rows.map(({ epoch, seq }) => ({ epoch: new Uint8Array(epoch), seq }));
}

function issuedTo(authority: Authority, peer: Peer) {
  if (peer.transport !== 'tls' || peer.certificate === undefined) return undefined;
  try {
    return authority.recognise(peer.certificate);
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return undefined;
  }
}

/** Gives out enrolment codes, and tells of those that were given out: for the command line, while a gateway runs or not. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { keyHashOfCertificate } from '../../protocol/certificate.ts';
import { type EnrolmentCode, encodeCode } from '../../protocol/code.ts';
import { type Role, SECRET_BYTES } from '../../protocol/enrol.ts';
import { ConfigError } from '../../protocol/errors.ts';
import { type EntranceId, type KioskId, newPlaceId, type VenueId } from '../../protocol/ids.ts';
import { parseTrust } from '../../protocol/trust.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import { openIdentity } from '../identity.ts';
import { parseKioskName } from '../kiosk-name.ts';
import { gatewayPaths } from '../paths.ts';
import { Registry } from '../registry.ts';
import { CodeBook, type CodeOrder } from './code-book.ts';

/** What one code is asked for. */
export interface Door {
  readonly venue: VenueId;
  /** One of the venue's; a new one where it is left out. */
  readonly entrance?: EntranceId | undefined;
  readonly direction?: 'in' | 'out' | 'both' | undefined;
  readonly role: Role;
  /** What the kiosk will be called. */
  readonly name?: string | undefined;
}

export interface NewCode extends CodeOrder {
  readonly number: number;
  /** As scanned and typed: a secret until it is used. */
  readonly text: string;
  readonly venueName: string;
}

export const SHORTEST_LIFE_MS = 60_000;
export const LONGEST_LIFE_MS = 14 * 86_400_000;
export const MOST_CODES_AT_ONCE = 500;

export interface CodeDesk {
  /**
   * Gives out a code for each door, all or none, good until `lifeMs` from now on, once `book.open` makes them good.
   * @throws ConfigError `config.invalid` for a venue that is not there, another venue's entrance, a name that is none or that a kiosk there has, a
   * life or a count out of range, or a gateway that never ran.
   */
  give(doors: readonly Door[], lifeMs: number, nowMs: EpochMillis): NewCode[];
  /**
   * Gives out a code for a kiosk that takes another's place and entrance; the other is revoked when it is used. To be opened as those of `give`.
   * @param name left out: as the other is called then. @throws as `give`.
   */
  giveInPlaceOf(kiosk: KioskId, lifeMs: number, nowMs: EpochMillis, name?: string): NewCode;
  readonly book: CodeBook;
  readonly registry: Registry;
  close(): void;
}

/** @param directory the gateway's. @throws ConfigError and StoreError as openIdentity and openDatabase do. */
export async function openCodeDesk(directory: string): Promise<CodeDesk> {
  const { storeKey, tls } = await openIdentity(directory);
  const paths = gatewayPaths(directory);
  const registry = new Registry(paths.registry, storeKey);
  let book: CodeBook;
  try {
    book = new CodeBook(paths.enrolment, storeKey);
  } catch (error) {
    registry.close();
    throw error;
  }
  const give = (orders: readonly Omit<CodeOrder, 'expiresAtMs'>[], lifeMs: number, nowMs: EpochMillis): NewCode[] => {
    const gateway = gatewayIn(paths.trust, tls.certificatePem);
    const expiresAtMs = (nowMs + lifeMs) as EpochMillis;
    const wanted = orders.map((order) => ({ ...order, expiresAtMs, secret: new Uint8Array(randomBytes(SECRET_BYTES)) }));
    // Before it is kept: a host that fits no code is a fault of the settings.
    const texts = wanted.map(({ secret }) => encodeCode({ ...gateway, secret }));
    const names = new Map(registry.venues().map(({ id, name }) => [id, name]));
    const numbers = book.give(wanted, nowMs);
    return wanted.map(({ secret: _, ...order }, at) => ({
      ...order,
      number: numbers[at] ?? 0,
      text: texts[at] ?? '',
      venueName: names.get(order.venue) ?? '',
    }));
  };
  /** Said here, where a person can choose another; what is taken until the code is used is left out then. */
  const freeName = (wanted: string | undefined, venue: VenueId, but: KioskId | undefined): string | undefined => {
    if (wanted === undefined) return undefined;
    const name = parseKioskName(wanted);
    const other = [...registry.kiosks()].find(
      (one) => one.name === name && one.placement.venue === venue && one.revokedAtMs === undefined && one.kiosk !== but,
    );
    if (other !== undefined) throw new ConfigError('config.invalid', `name: kiosk ${other.kiosk} of that venue is called "${name}"`);
    return name;
  };
  return {
    book,
    registry,
    give(doors, lifeMs, nowMs) {
      refuseUnfit(doors.length, lifeMs);
      const venues = registry.venues();
      for (const { venue, entrance } of doors) {
        if (!venues.some(({ id }) => id === venue)) throw new ConfigError('config.invalid', `venue ${venue}: not registered here`);
        // Its kiosk could be admitted nowhere, and the code would be used up.
        if (venues.some(({ id, entrances }) => id !== venue && entrances.some((one) => one.id === entrance)))
          throw new ConfigError('config.invalid', `entrance ${entrance}: is of another venue than ${venue}`);
      }
      const orders = doors.map(({ venue, entrance, direction, role, name }) => ({
        ...{ venue, entrance: entrance ?? newPlaceId<EntranceId>(), direction, dwellMs: undefined, role, replaces: undefined },
        name: freeName(name, venue, undefined),
      }));
      return give(orders, lifeMs, nowMs);
    },
    giveInPlaceOf(kiosk, lifeMs, nowMs, wanted) {
      refuseUnfit(1, lifeMs);
      const known = registry.kiosk(kiosk);
      if (known === undefined) throw new ConfigError('config.invalid', `kiosk ${kiosk}: not registered here`);
      const { role, placement } = known;
      const { venue, entrance } = placement;
      const name = freeName(wanted, venue, kiosk);
      const [code] = give([{ venue, entrance, direction: undefined, dwellMs: undefined, role, replaces: kiosk, name }], lifeMs, nowMs);
      if (code === undefined) throw new TypeError('codes: none was given');
      return code;
    },
    close() {
      book.close();
      registry.close();
    },
  };
}

function refuseUnfit(count: number, lifeMs: number): void {
  if (!(count >= 1 && count <= MOST_CODES_AT_ONCE))
    throw new ConfigError('config.invalid', `enrolment codes: ${count} is not 1 to ${MOST_CODES_AT_ONCE} at once`);
  if (!(lifeMs >= SHORTEST_LIFE_MS && lifeMs <= LONGEST_LIFE_MS))
    throw new ConfigError('config.invalid', 'enrolment codes: good for one minute to 14 days');
}

/**
 * What a code says of the gateway: where it is, and the hash of its key; of the newest, which a restart may still have to bring into use: a kiosk
 * goes on asking until then.
 */
function gatewayIn(trustPath: string, certificatePem: string): Omit<EnrolmentCode, 'secret'> {
  if (!existsSync(trustPath))
    throw new ConfigError('config.invalid', `${trustPath}: is not there (start the gateway once: it says there where kiosks reach it)`);
  const { host, port } = parseTrust(readFileSync(trustPath, 'utf8')).gateway;
  return { kind: 'enrolment', gatewayKeyHash: keyHashOfCertificate(certificatePem), host: host.toLowerCase(), port };
}

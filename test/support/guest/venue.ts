/** A venue as a guest's kiosk meets it: a real gateway with its core on this machine, one admitted kiosk, and cards to scan. */
import type { KeyObject } from 'node:crypto';
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { dataPaths } from '../../../cli/data-paths.ts';
import { runGatewayAndCore } from '../../../cli/run-gateway-and-core.ts';
import { openIdentity } from '../../../gateway/identity.ts';
import { gatewayPaths } from '../../../gateway/paths.ts';
import { Registry } from '../../../gateway/registry.ts';
import { openIdentity as openKioskIdentity } from '../../../kiosk/kiosk-identity.ts';
import { signCard } from '../../../protocol/card.ts';
import { encodeCode } from '../../../protocol/code.ts';
import { generateSigningKey, rawPublicKey } from '../../../protocol/ed25519.ts';
import { type DeploymentId, type EntranceId, type KioskId, newPlaceId, type VenueId } from '../../../protocol/ids.ts';
import { systemClock } from '../../../protocol/time.ts';
import { uuidOfPublicKey } from '../../../protocol/visitor.ts';
import { LogRecorder } from '../log-recorder.ts';

/** Under this address QEMU's user network shows a guest this machine's loopback. */
const HOST_IN_GUEST = '10.0.2.2';
/** For a guest that is to reach the gateway. No boot ROM: nothing boots from the network. */
export const NETWORK = ['-netdev', 'user,id=network', '-device', 'virtio-net-pci,netdev=network,romfile='];
/** Takes up the network in a guest. */
export const TAKE_NETWORK = `busybox modprobe virtio_net
busybox ip link set lo up; busybox ip link set eth0 up; busybox ip addr add 10.0.2.15/24 dev eth0; busybox ip route add default via 10.0.2.2`;

export interface Card {
  /** What a scanner reads. */
  readonly code: string;
  /** Hexadecimal, as it is in the ledger. */
  readonly uuid: string;
}

interface Parts {
  readonly deployment: DeploymentId;
  readonly issuerKey: KeyObject;
  readonly stopping: AbortController;
  readonly done: Promise<void>;
}

export class Venue {
  /** `gateway` and `core` are in here. */
  readonly data: string;
  readonly kiosk: KioskId;
  /** As the gateway's registry has it. */
  readonly venue: VenueId;
  readonly log: LogRecorder;
  readonly #parts: Parts;
  #cards = 0;

  private constructor(data: string, parts: Pick<Venue, 'kiosk' | 'venue' | 'log'> & Parts) {
    this.data = data;
    this.kiosk = parts.kiosk;
    this.venue = parts.venue;
    this.log = parts.log;
    this.#parts = parts;
  }

  /**
   * Starts the gateway and admits a kiosk.
   * @param kioskData is made into the data directory of that kiosk, with its key; `trust.json` is put beside it.
   */
  static async open(data: string, kioskData: string, mayTakeUnsigned = false): Promise<Venue> {
    mkdirSync(join(kioskData, 'kiosk'), { recursive: true, mode: 0o700 });
    const { kiosk, publicKey } = openKioskIdentity(join(kioskData, 'kiosk'));
    const paths = dataPaths(data);
    const { deployment, storeKey } = await openIdentity(paths.gateway);
    const registry = new Registry(gatewayPaths(paths.gateway).registry, storeKey);
    const venue = newPlaceId<VenueId>();
    registry.putVenue({ id: venue, name: 'Shop', timezone: 'UTC' });
    const entrance = newPlaceId<EntranceId>();
    registry.admit({ kiosk, publicKey, venue, entrance, direction: 'in', dwellMs: 3_600_000 }, systemClock.wall());
    registry.close();
    const issuerKey = generateSigningKey();
    const stopping = new AbortController();
    const log = new LogRecorder();
    const settings = {
      publicHost: HOST_IN_GUEST,
      tls: { host: '127.0.0.1', port: 0 },
      tcp: { port: 0 },
      mayTakeUnsigned,
      issuers: [Buffer.from(rawPublicKey(issuerKey)).toString('base64url')],
    };
    const { done } = await runGatewayAndCore(paths, settings, { clock: systemClock, log }, stopping.signal);
    copyFileSync(gatewayPaths(paths.gateway).trust, join(kioskData, 'trust.json'));
    return new Venue(data, { kiosk, venue, log, deployment, issuerKey, stopping, done });
  }

  /** A card that nobody has scanned yet. @param isShort without an issuer's signature: what a scanner that types is quickest with. */
  nextCard(isShort = false): Card {
    const card = uuidOfPublicKey(Buffer.from(`visitor ${this.#cards}`));
    this.#cards += 1;
    if (isShort) return { code: encodeCode({ kind: 'unsigned', card }), uuid: Buffer.from(card).toString('hex') };
    return { code: encodeCode(signCard(card, this.#parts.deployment, this.#parts.issuerKey)), uuid: Buffer.from(card).toString('hex') };
  }

  /** Stops the gateway, so that what arrived can be counted. Stopping twice is not an error. */
  async close(): Promise<void> {
    this.#parts.stopping.abort();
    await this.#parts.done;
  }
}

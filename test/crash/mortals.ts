/**
 * A kiosk and its gateway that are killed and started again, while people go on scanning. What was promised is what the kiosk's lines
 * said, and nothing else: a row that was committed and not answered for may arrive, too.
 */
import { randomInt } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { openIdentity as openGatewayIdentity } from '../../gateway/identity.ts';
import { gatewayPaths } from '../../gateway/paths.ts';
import { Registry } from '../../gateway/registry.ts';
import { openIdentity as openKioskIdentity } from '../../kiosk/kiosk-identity.ts';
import { signCard } from '../../protocol/card.ts';
import { encodeCode } from '../../protocol/code.ts';
import { generateSigningKey, rawPublicKey } from '../../protocol/ed25519.ts';
import { type DeploymentId, type EntranceId, type KioskId, newPlaceId, type VenueId } from '../../protocol/ids.ts';
import { systemClock } from '../../protocol/time.ts';
import { uuidOfPublicKey } from '../../protocol/visitor.ts';
import { rowName } from '../support/audit-road.ts';
import { countUnsent } from '../support/count-unsent.ts';
import type { Death, Role } from './kill-plan.ts';
import { Mortal, type Said } from './mortal.ts';

export interface Promised {
  readonly name: string;
  /** Hexadecimal. */
  readonly card: string;
}

/** Scans that wait for their answer: some at once, so that batches are of more than one row. */
const MOST_SCANS_AT_ONCE = 4;
const LONGEST_PAUSE_MS = 40;

export class Mortals {
  readonly data: string;
  readonly promised: Promised[] = [];
  /** What no kiosk and no gateway should do. */
  readonly faults: string[] = [];
  /** How often each process died at each point. */
  readonly deaths = new Map<string, number>();
  scanned = 0;
  readonly #random: () => number;
  readonly #issuerKey = generateSigningKey();
  readonly #unanswered: string[] = [];
  readonly #alive = new Map<Role, Mortal>();
  #deployment = '' as DeploymentId;
  #kiosk = '' as KioskId;
  #port = 0;
  #isClosing = false;

  private constructor(data: string, random: () => number) {
    this.data = data;
    this.#random = random;
  }

  get kiosk(): KioskId {
    return this.#kiosk;
  }

  /** Lets both make their keys, and admits the kiosk. */
  static async open(data: string, random: () => number): Promise<Mortals> {
    const mortals = new Mortals(data, random);
    await mortals.#admit();
    return mortals;
  }

  /** Kills the one again and again, until it has died all of its deaths; then it lives on. */
  async liveThrough(role: Role, deaths: readonly Death[]): Promise<void> {
    for (const death of deaths) {
      // A life that the other's death cut short is no death of its own.
      while (!(await this.#liveOnce(role, death)));
      this.#count(`${role} ${death.by === 'point' ? death.point : death.by}`);
    }
    this.#start(role, undefined);
  }

  /** @returns whether it died the death it was to die. */
  async #liveOnce(role: Role, death: Death): Promise<boolean> {
    const mortal = this.#start(role, death);
    mortal.mustDie();
    let isStruck = false;
    const strike = () => {
      isStruck = true;
      this.#alive.get(role)?.kill();
      if (death.by === 'both') this.#alive.get(role === 'kiosk' ? 'gateway' : 'kiosk')?.kill();
    };
    const timer = death.by === 'point' ? undefined : setTimeout(strike, death.afterMs);
    await mortal.gone;
    clearTimeout(timer);
    if (mortal.fault === undefined) return isStruck || mortal.diedAt !== undefined;
    this.faults.push(`${role}, ${JSON.stringify(death)}: ${mortal.fault}`);
    return true;
  }

  /** Waits until the kiosk has handed over all it holds, then stops both. */
  async drain(): Promise<void> {
    const outbox = join(this.data, 'kiosk', 'outbox.db');
    const before = this.promised.length;
    while (this.promised.length === before) await this.#lookAgain();
    this.#isClosing = true;
    while (this.#unanswered.length > 0 || countUnsent(outbox) > 0) await this.#lookAgain();
    // The row that tells of this stop waits for a next start.
    await this.#alive.get('kiosk')?.stop();
    await this.#alive.get('gateway')?.stop();
  }

  /** Ends whatever runs. */
  async destroy(): Promise<void> {
    for (const mortal of this.#alive.values()) {
      mortal.kill();
      await mortal.gone;
    }
  }

  #start(role: Role, death: Death | undefined): Mortal {
    const point = death?.by === 'point' ? [death.point, String(death.passed)] : [];
    const cache = join(this.data, 'compiled');
    const mortal =
      role === 'kiosk'
        ? new Mortal('kiosk-child.ts', [JSON.stringify(this.#kioskConfig()), ...point], cache, (said) => this.#hear(said))
        : new Mortal('gateway-child.ts', [this.data, JSON.stringify(this.#gatewayConfig()), ...point], cache);
    this.#alive.set(role, mortal);
    return mortal;
  }

  /** @throws when one of the two that should live on has ended. */
  async #lookAgain(): Promise<void> {
    for (const [role, mortal] of this.#alive) if (mortal.hasEnded) throw new Error(`the ${role} ended: ${mortal.fault}`);
    await pause(50);
  }

  #hear(said: Said): void {
    if (said.diesAt !== undefined) return;
    if (said.isReady) {
      // What the one before had not answered, it never will.
      this.#unanswered.length = 0;
      void this.#goOnScanning(this.#alive.get('kiosk'));
      return;
    }
    const card = this.#unanswered.shift() ?? '';
    if (said.kind !== 'welcome' || said.keyId === undefined || said.seq === undefined) this.faults.push(`kiosk: answered ${said.kind}`);
    else this.promised.push({ name: rowName(this.#kiosk, said.keyId, said.seq), card });
  }

  /** People come one after the other, or some at once, as long as this kiosk lives and no drain is awaited. */
  async #goOnScanning(kiosk: Mortal | undefined): Promise<void> {
    let isGone = false;
    void kiosk?.gone.then(() => {
      isGone = true;
    });
    while (!isGone && !this.#isClosing) {
      if (this.#unanswered.length === 0) {
        const cards = 1 + Math.floor(this.#random() * MOST_SCANS_AT_ONCE);
        for (let card = 0; card < cards; card++) kiosk?.type(this.#nextCode());
      }
      await pause(this.#random() * LONGEST_PAUSE_MS);
    }
  }

  /** Each scan is of a card of its own. */
  #nextCode(): string {
    const card = uuidOfPublicKey(Buffer.from(`visitor ${this.scanned}`));
    this.scanned += 1;
    this.#unanswered.push(Buffer.from(card).toString('hex'));
    return encodeCode(signCard(card, this.#deployment, this.#issuerKey));
  }

  #count(death: string): void {
    this.deaths.set(death, (this.deaths.get(death) ?? 0) + 1);
  }

  #kioskConfig() {
    return {
      dataDir: join(this.data, 'kiosk'),
      trustPath: gatewayPaths(join(this.data, 'gateway')).trust,
      scanners: [{ kind: 'standard-input' }],
      page: { isOn: false },
      outbox: { maxSettledRows: 100_000 },
      uplink: {
        firstBackoffMs: 10,
        longestBackoffMs: 100,
        ackTimeoutMs: 2_000,
        drainRowsPerSecond: 2_000,
        liveBatchRows: 3,
        batchRows: 16,
      },
    };
  }

  #gatewayConfig() {
    const issuers = [Buffer.from(rawPublicKey(this.#issuerKey)).toString('base64url')];
    return { tls: { host: '127.0.0.1', port: this.#port }, issuers };
  }

  async #admit(): Promise<void> {
    this.#port = await freePort();
    const kioskDir = join(this.data, 'kiosk');
    mkdirSync(kioskDir, { recursive: true, mode: 0o700 });
    const { kiosk, publicKey } = openKioskIdentity(kioskDir);
    this.#kiosk = kiosk;
    const gatewayDir = join(this.data, 'gateway');
    const { deployment, storeKey } = await openGatewayIdentity(gatewayDir);
    this.#deployment = deployment;
    const registry = new Registry(gatewayPaths(gatewayDir).registry, storeKey);
    const venue = newPlaceId<VenueId>();
    registry.putVenue({ id: venue, name: 'Shop', timezone: 'UTC' });
    const entrance = newPlaceId<EntranceId>();
    registry.admit({ kiosk, publicKey, venue, entrance, direction: 'in', dwellMs: 3_600_000 }, systemClock.wall());
    registry.close();
    // The gateway writes the trust document at its first start, which a kiosk can not do without.
    await new Promise<void>((resolve) => {
      const first = new Mortal('gateway-child.ts', [this.data, JSON.stringify(this.#gatewayConfig())], join(this.data, 'compiled'), () =>
        resolve(first.stop()),
      );
    });
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Below the ports that connections are given (Linux: 32,768 and up): while nobody listens, no other connection may take the port, and a
 * kiosk that dials must not meet itself.
 */
async function freePort(): Promise<number> {
  for (;;) {
    // Not of the seed: two suites on one machine would choose alike, and each find it free while the other's gateway is dead.
    const port = randomInt(20_000, 30_000);
    const isFree = await new Promise<boolean>((resolve) => {
      const probe = createServer();
      probe.once('error', () => resolve(false));
      probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
}

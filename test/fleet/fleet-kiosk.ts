/** A kiosk's road to its gateway without its door: the product's own link over mutual TLS, its policy keeper and its state, and no outbox. */
import { mkdirSync } from 'node:fs';
import { Credentials } from '../../kiosk/credentials.ts';
import type { GatewayLink } from '../../kiosk/gateway-link.ts';
import { gatewayRoad } from '../../kiosk/gateway-road.ts';
import { Health, reportOf } from '../../kiosk/health.ts';
import { type KioskIdentity, openIdentity } from '../../kiosk/kiosk-identity.ts';
import { PolicyKeeper } from '../../kiosk/policy-keeper.ts';
import type { KioskId } from '../../protocol/ids.ts';
import { encodeKioskState } from '../../protocol/kiosk-state.ts';
import { silentLog } from '../../protocol/log.ts';
import { systemClock } from '../../protocol/time.ts';
import { topicOf } from '../../protocol/topics.ts';
import type { TrustDocument } from '../../protocol/trust.ts';

const VERSION = 'fleet';

export class FleetKiosk {
  readonly identity: KioskIdentity;
  readonly #dir: string;
  readonly #trust: TrustDocument;
  #link: GatewayLink | undefined;

  constructor(dir: string, trust: TrustDocument) {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    this.identity = openIdentity(dir);
    this.#dir = dir;
    this.#trust = trust;
  }

  get kiosk(): KioskId {
    return this.identity.kiosk;
  }

  async connect(): Promise<void> {
    const { deployment, receiptKey } = this.#trust;
    const parts = { dir: this.#dir, identity: this.identity, clock: systemClock, log: silentLog };
    const health = new Health(
      { queue: () => ({ queued: 0, oldestQueuedMs: undefined, droppedUnsent: 0 }), clock: () => 'synced' },
      () => {},
    );
    const say = () =>
      this.#link?.publish(topicOf(this.kiosk, 'state'), encodeKioskState(reportOf(health.snapshot(), VERSION)), true).catch(() => {});
    const keeper = new PolicyKeeper({
      dir: this.#dir,
      deployment,
      kiosk: this.kiosk,
      receiptKey,
      clock: systemClock,
      log: silentLog,
      mayJudgeTime: () => true,
      onPolicy: () => {},
      onStanding: (standing) => {
        health.policy({ ...standing, isForgetting: false });
        void say();
      },
    });
    keeper.open();
    const open = gatewayRoad({
      credentials: await Credentials.ofTrust(parts, this.#trust),
      version: VERSION,
      clock: systemClock,
      log: silentLog,
      onPolicy: (bytes) => keeper.take(bytes),
      onNotices: () => {},
      onCommand: () => {},
      onRelease: () => {},
      onReceipt: () => {},
    });
    this.#link = await open(new AbortController().signal);
    health.link(true, undefined);
    await say();
  }

  async leave(): Promise<void> {
    await this.#link?.close();
    this.#link = undefined;
  }
}

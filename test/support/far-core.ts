/** A real core on real files behind its real HTTPS intake, and a cable to it that a test can cut. */
import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Core, openCore } from '../../core/core.ts';
import { openHttpFiles } from '../../core/http-files.ts';
import { addedPeers, type HttpIntake, onePeer, openHttpIntake } from '../../core/http-intake.ts';
import type { Intake, LedgerEntry, Offer } from '../../core/intake.ts';
import { type CoreKeys, makeCoreKeys } from '../../core/keys.ts';
import type { GatewayConfigInput } from '../../gateway/config.ts';
import type { DeploymentId } from '../../protocol/ids.ts';
import type { Clock } from '../../protocol/time.ts';
import { type CuttableLink, openCuttableLink } from './cuttable-link.ts';
import { LogRecorder } from './log-recorder.ts';

type SinkInput = NonNullable<GatewayConfigInput['sinks']>[number];
export type HttpSinkInput = Extract<SinkInput, { kind: 'http' }>;

export class FarCore {
  readonly directory: string;
  readonly deployment: DeploymentId;
  readonly keys: CoreKeys;
  readonly log = new LogRecorder();
  /** Positions of each offer that reached the core, in the order they came. */
  readonly offered: number[][] = [];
  /** Called before the core is given an offer; may throw, or wait. */
  before: (entries: readonly LedgerEntry[]) => void | Promise<void> = () => {};
  /** Called once the core has them, before the answer goes. */
  after: (entries: readonly LedgerEntry[]) => void = () => {};
  core: Core;
  link: CuttableLink;
  readonly #clock: Clock;
  #served: HttpIntake | undefined;
  #pin = '';
  #tokenPath = '';

  private constructor(directory: string, deployment: DeploymentId, keys: CoreKeys, clock: Clock, core: Core, link: CuttableLink) {
    this.directory = directory;
    this.deployment = deployment;
    this.keys = keys;
    this.#clock = clock;
    this.core = core;
    this.link = link;
  }

  static async open(directory: string, deployment: DeploymentId, clock: Clock): Promise<FarCore> {
    mkdirSync(directory, { recursive: true });
    const keys = await makeCoreKeys(join(directory, 'keys'));
    const log = new LogRecorder();
    const core = await openCore({ dir: join(directory, 'core'), deployment, keys, clock, log });
    let port = 0;
    const link = await openCuttableLink(() => port);
    const far = new FarCore(directory, deployment, keys, clock, core, link);
    await far.serve();
    port = far.#served?.port ?? 0;
    return far;
  }

  /** As a gateway's configuration says it. */
  sink(more: Partial<HttpSinkInput> = {}): HttpSinkInput {
    return {
      kind: 'http',
      name: 'far',
      url: `https://127.0.0.1:${this.link.port}`,
      pin: this.#pin,
      tokenPath: this.#tokenPath,
      recipient: Buffer.from(this.keys.recipient.publicKey).toString('base64url'),
      ...more,
    };
  }

  /** @param clientPins lets in those who hold these keys, too. */
  async serve(clientPins: readonly Uint8Array[] = []): Promise<void> {
    const files = await openHttpFiles(join(this.directory, 'http'), this.deployment);
    this.#pin = files.pin;
    this.#tokenPath = files.tokenPath;
    const intake: Intake = {
      accept: async (entries, offer?: Offer) => {
        this.offered.push(entries.map(({ position }) => position));
        await this.before(entries);
        await this.core.accept(entries, offer);
        this.after(entries);
      },
      taken: () => this.core.taken(),
    };
    const { deployment, log } = this;
    const port = this.#served?.port ?? 0;
    const first = onePeer(
      {
        intake,
        deployment,
        revocations: {
          revocations: (...asked) => this.core.revocationsFor().revocations(...asked),
          report: (report) => this.core.revocationsFor().report(report),
        },
        holder: { challenge: () => this.core.holder.challenge(), ask: (...asked) => this.core.holder.ask(...asked) },
      },
      files.token,
      clientPins,
    );
    this.#served = await openHttpIntake({
      peerOf: (shown) => first(shown) ?? addedPeers(this.core)(shown),
      binding: { host: '127.0.0.1', port },
      tls: files.tls,
      notices: {
        noticeNews: (...asked) => this.core.notices.noticeNews(...asked),
        stickerNews: (...asked) => this.core.notices.stickerNews(...asked),
      },
      clock: this.#clock,
      log,
    });
  }

  /** Where it listens, past the cable. */
  get port(): number {
    return this.#served?.port ?? 0;
  }

  /** Nobody answers any more. */
  async stopServing(): Promise<void> {
    await this.#served?.close();
  }

  /** Puts another core in its place, as a restore does. */
  async restore(name: string): Promise<void> {
    this.core.close();
    const { deployment, keys, log } = this;
    this.core = await openCore({ dir: join(this.directory, name), deployment, keys, clock: this.#clock, log });
  }

  async close(): Promise<void> {
    await this.link.close();
    await this.stopServing();
    this.core.close();
  }
}

/** @param key either half. @returns SHA-256 of its SubjectPublicKeyInfo. */
export const pinOfKey = (key: KeyObject): Uint8Array =>
  createHash('sha256')
    .update((key.type === 'private' ? createPublicKey(key) : key).export({ type: 'spki', format: 'der' }))
    .digest();

/**
 * The policy document that this kiosk goes by: taken from the gateway, checked, kept in a file that a kill or a power cut leaves whole, and
 * handed on. What is refused changes nothing but what is shown.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { diskCodeOf } from '../disk/faults.ts';
import { writeWhole } from '../disk/files.ts';
import { publicKeyFromRaw } from '../protocol/ed25519.ts';
import { codeOf, type ErrorCode, PolicyError } from '../protocol/errors.ts';
import type { DeploymentId, KioskId } from '../protocol/ids.ts';
import type { Log } from '../protocol/log.ts';
import { openPolicy, type Policy } from '../protocol/policy.ts';
import type { Clock } from '../protocol/time.ts';

export interface PolicyStanding {
  /** Of the document in the file, so that it is gone by after a restart, too; 0 while there is none. */
  readonly version: number;
  /** Why the last document was not taken or not kept, or `policy.expired`; `undefined` when all is well. */
  readonly why: ErrorCode | undefined;
}

export interface PolicyKeeperOptions {
  /** The data directory. */
  readonly dir: string;
  readonly deployment: DeploymentId;
  readonly kiosk: KioskId;
  /** The gateway's, raw Ed25519, 32 bytes. */
  readonly receiptKey: Uint8Array;
  readonly clock: Clock;
  readonly log: Log;
  /** Whether the wall clock may say that something has expired. */
  readonly mayJudgeTime: () => boolean;
  /** Told of each document that is to be gone by from now on. */
  readonly onPolicy: (policy: Policy) => void;
  /** Told of each change of the standing. */
  readonly onStanding: (standing: PolicyStanding) => void;
}

const FILE = 'policy.cbor';
const LOOK_EVERY_MS = 10_000;

interface Held {
  readonly bytes: Uint8Array;
  readonly policy: Policy;
}

export class PolicyKeeper {
  readonly #options: PolicyKeeperOptions;
  readonly #signer: Parameters<typeof openPolicy>[1];
  #held: Held | undefined;
  #keptVersion = 0;
  /** Why the last one was refused. */
  #refused: ErrorCode | undefined;
  /** Why the one that is held could not be written down. */
  #unkept: ErrorCode | undefined;
  #said: PolicyStanding = { version: 0, why: undefined };

  constructor(options: PolicyKeeperOptions) {
    const { deployment, kiosk, receiptKey } = options;
    this.#options = options;
    this.#signer = { deployment, kiosk, publicKey: publicKeyFromRaw(receiptKey) };
  }

  /** Goes by the document in the file, where there is one that can be believed. Its end is not asked for: it is better than none. */
  open(): void {
    const { dir, log, onPolicy } = this.#options;
    try {
      const bytes = readIfThere(join(dir, FILE));
      if (bytes === undefined) return;
      const policy = openPolicy(bytes, this.#signer);
      this.#held = { bytes, policy };
      this.#keptVersion = policy.version;
      onPolicy(policy);
    } catch (error) {
      const code = codeOf(error) ?? diskCodeOf(error);
      if (code === undefined) throw error;
      this.#refused = code;
      log.error('policy.unreadable', { code });
    }
    this.look();
  }

  /** Takes a document as it came from the gateway, or refuses it by a code. Afterwards it is kept and gone by, or nothing has changed. */
  take(bytes: Uint8Array): void {
    const { log } = this.#options;
    try {
      const policy = openPolicy(bytes, this.#signer);
      const isHeld = this.#held !== undefined && Buffer.compare(this.#held.bytes, bytes) === 0;
      if (!isHeld) {
        this.#judge(policy);
        this.#held = { bytes: new Uint8Array(bytes), policy };
        this.#keep();
        this.#options.onPolicy(policy);
        log.info('policy.taken', { version: policy.version });
      }
      this.#refused = undefined;
    } catch (error) {
      const code = codeOf(error);
      if (code === undefined) throw error;
      this.#refused = code;
      log.warn('policy.refused', { code });
    }
    this.look();
  }

  /** Until abort: finds that the document has expired, and tries again to keep one that the disk refused. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#options.clock.sleep(LOOK_EVERY_MS, signal);
      if (!signal.aborted) this.look();
    }
  }

  look(): void {
    const { policy } = this.#held ?? {};
    if (this.#unkept !== undefined) this.#keep();
    const expired = policy !== undefined && this.#isOver(policy) ? 'policy.expired' : undefined;
    const standing = { version: this.#keptVersion, why: this.#refused ?? this.#unkept ?? expired };
    if (standing.version === this.#said.version && standing.why === this.#said.why) return;
    this.#said = standing;
    this.#options.onStanding(standing);
  }

  /** @throws PolicyError `policy.older`, `policy.expired`. */
  #judge(policy: Policy): void {
    const held = this.#held?.policy.version ?? 0;
    if (policy.version <= held) throw new PolicyError('policy.older', `policy: version ${policy.version}, and ${held} is held`);
    if (this.#isOver(policy)) throw new PolicyError('policy.expired', `policy: version ${policy.version} has expired`);
  }

  /** A kiosk boots without knowing the time: then it can not say. */
  #isOver = ({ expiresAtMs }: Policy): boolean => this.#options.mayJudgeTime() && this.#options.clock.wall() >= expiresAtMs;

  #keep(): void {
    const { dir, log } = this.#options;
    if (this.#held === undefined) return;
    try {
      writeWhole(join(dir, FILE), this.#held.bytes, 0o600);
      this.#keptVersion = this.#held.policy.version;
      this.#unkept = undefined;
    } catch (error) {
      const code = diskCodeOf(error);
      if (code === undefined) throw error;
      if (this.#unkept === undefined) log.error('policy.not_kept', { code });
      this.#unkept = code;
    }
  }
}

function readIfThere(path: string): Uint8Array | undefined {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

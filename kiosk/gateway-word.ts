/** All that the gateway tells this kiosk: what to go by, what to forget, for whom there are notices, what to send again, and which release to take. */
import type { DeploymentId, KioskId, VisitorUuid } from '../protocol/ids.ts';
import type { Log } from '../protocol/log.ts';
import type { Policy } from '../protocol/policy.ts';
import type { Clock } from '../protocol/time.ts';
import type { Health } from './health.ts';
import { CardForgetter } from './holder-forget.ts';
import { NoticeDoor } from './notice-door.ts';
import { PolicyKeeper } from './policy-keeper.ts';
import type { Moment, Recorder } from './recorder.ts';
import { Resender } from './send-again.ts';
import { WordKeeper } from './update/word-keeper.ts';

export interface GatewayWordOptions {
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
  readonly recorder: Recorder;
  readonly health: Health;
  /** Told of each document that is to be gone by from now on. */
  readonly onPolicy: (policy: Policy) => void;
  /** Forgets what is in RAM of cards that were taken back; as `CardForgetter` asks. */
  readonly onForget: (isGone: (card: VisitorUuid) => boolean) => void;
  /** As `CardForgetter` asks. */
  readonly emptyLog: () => Promise<boolean>;
  /** Rows are to be sent that were settled before. */
  readonly onUnsettled: () => void;
  readonly onNoticeShown: (card: VisitorUuid, at: Moment) => void;
  /** The state tells more than before. */
  readonly onState: () => void;
}

export class GatewayWord {
  readonly notices: NoticeDoor;
  readonly releases: WordKeeper;
  readonly #policies: PolicyKeeper;
  readonly #forgetter: CardForgetter;
  readonly #resender: Resender;

  constructor(options: GatewayWordOptions) {
    const { recorder, health, onPolicy, onUnsettled, onNoticeShown, onState } = options;
    const saying = <Standing>(learn: (standing: Standing) => void) => {
      return (standing: Standing): void => {
        learn(standing);
        onState();
      };
    };
    this.#forgetter = new CardForgetter({ ...options, onStanding: saying((standing) => health.policy(standing)) });
    this.#policies = new PolicyKeeper({
      ...options,
      onPolicy: (policy) => {
        onPolicy(policy);
        this.#forgetter.adopt(policy);
      },
      onStanding: (standing) => this.#forgetter.told(standing),
    });
    this.#resender = new Resender({
      ...options,
      outbox: () => recorder.outbox,
      onStoreFailed: (error) => recorder.failed(error),
      onUnsettled,
      onDone: saying((version: number) => health.sentAgain(version)),
    });
    this.releases = new WordKeeper(options);
    this.notices = new NoticeDoor({ ...options, onShown: onNoticeShown, onStanding: saying((standing) => health.notices(standing)) });
  }

  /** Goes by the policy that is kept here, so that no scan is judged by other rules. */
  open(): void {
    this.#policies.open();
  }

  /** Each until abort. */
  run(signal: AbortSignal): Promise<void>[] {
    return [this.#policies.run(signal), this.#forgetter.run(signal), this.#resender.run(signal)];
  }

  onPolicy = (bytes: Uint8Array): void => this.#policies.take(bytes);
  onNotices = (bytes: Uint8Array): void => this.notices.take(bytes);
  onCommand = (bytes: Uint8Array): void => this.#resender.take(bytes);
  onRelease = (bytes: Uint8Array): void => this.releases.take(bytes);
}

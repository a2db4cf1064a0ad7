/**
 * The notice document that this kiosk goes by, in RAM and nowhere else: who takes the kiosk away has nothing of it. A kiosk that starts without
 * its gateway has none.
 */
import { publicKeyFromRaw } from '../protocol/ed25519.ts';
import { codeOf, type ErrorCode, PolicyError } from '../protocol/errors.ts';
import type { DeploymentId, KioskId, VisitorUuid } from '../protocol/ids.ts';
import type { Log } from '../protocol/log.ts';
import { type NoticeDocument, NoticeFilter, openNotice } from '../protocol/notice.ts';
import { StickerFilter, type StickerStanding } from '../protocol/sticker-mark.ts';
import type { Clock } from '../protocol/time.ts';
import type { EpochMillis, MonotonicMillis } from '../protocol/units.ts';

export interface NoticeKeeperOptions {
  readonly deployment: DeploymentId;
  readonly kiosk: KioskId;
  /** The gateway's, raw Ed25519, 32 bytes. */
  readonly receiptKey: Uint8Array;
  readonly clock: Clock;
  readonly log: Log;
  /** Whether the wall clock may say that something has ended. */
  readonly mayJudgeTime: () => boolean;
  /** Told of each change of the version, or of why the last document was refused. */
  readonly onChange: () => void;
}

interface Held {
  readonly document: NoticeDocument;
  readonly filter: NoticeFilter;
  /** At a clinic's desk. */
  readonly stickers: StickerFilter | undefined;
  readonly takenAtMs: MonotonicMillis;
}

export class NoticeKeeper {
  readonly #options: NoticeKeeperOptions;
  readonly #signer: Parameters<typeof openNotice>[1];
  #held: Held | undefined;
  #refused: ErrorCode | undefined;

  constructor(options: NoticeKeeperOptions) {
    const { deployment, kiosk, receiptKey } = options;
    this.#options = options;
    this.#signer = { deployment, kiosk, publicKey: publicKeyFromRaw(receiptKey) };
  }

  /** Of the document that is gone by; 0 for none. */
  get version(): number {
    return this.#held?.document.version ?? 0;
  }

  /** Why the last one was refused. */
  get refused(): ErrorCode | undefined {
    return this.#refused;
  }

  /** Takes a document as it came from the gateway, or refuses it by a code. What is refused changes nothing. */
  take(bytes: Uint8Array): void {
    const { log, clock } = this.#options;
    // What is taken off the broker comes as an empty message.
    if (bytes.length === 0) return;
    try {
      const document = openNotice(bytes, this.#signer);
      // Retained, it comes again with each connection.
      if (document.version !== this.version) {
        this.#judge(document);
        const stickers = document.stickers && new StickerFilter(document.key, document.stickers);
        this.#held = { document, filter: new NoticeFilter(document), stickers, takenAtMs: clock.monotonic() };
        log.info('notices.taken', { version: document.version });
      }
      this.#refused = undefined;
    } catch (error) {
      const code = codeOf(error);
      if (code === undefined) throw error;
      this.#refused = code;
      log.warn('notices.refused', { code });
    }
    this.#options.onChange();
  }

  /** @returns when the notice for this card ends by the document that is held; `undefined` when there is none, or no longer. */
  endOf(card: VisitorUuid): EpochMillis | undefined {
    const nowMs = this.nowMs();
    if (this.#held === undefined || nowMs >= this.#held.document.expiresAtMs) return undefined;
    const endsAtMs = this.#held.filter.endOf(card);
    return endsAtMs !== undefined && nowMs < endsAtMs ? endsAtMs : undefined;
  }

  /** What all desks are told of a sticker, 16 bytes. One that is of no more use does not come back: it is so past the document's end, too. */
  stickerStanding(sticker: Uint8Array): StickerStanding {
    return this.#held?.stickers?.standing(sticker, this.nowMs()) ?? 'free';
  }

  /** The time; where the clock was not set from outside, the least that it can be by the document. */
  nowMs(): number {
    const { clock, mayJudgeTime } = this.#options;
    if (mayJudgeTime() || this.#held === undefined) return clock.wall();
    return this.#held.document.issuedAtMs + (clock.monotonic() - this.#held.takenAtMs);
  }

  /** @throws PolicyError `policy.older`, `policy.expired`. */
  #judge({ version, expiresAtMs }: NoticeDocument): void {
    const { clock, mayJudgeTime } = this.#options;
    if (version < this.version) throw new PolicyError('policy.older', `notices: version ${version}, and ${this.version} is held`);
    if (mayJudgeTime() && clock.wall() >= expiresAtMs) throw new PolicyError('policy.expired', `notices: version ${version} has expired`);
  }
}

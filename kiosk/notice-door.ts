/** Notices at one door: the document that it goes by, whom it has shown one, and how it stands with both. */
import type { VisitorUuid } from '../protocol/ids.ts';
import type { StickerStanding } from '../protocol/sticker-mark.ts';
import type { NoticeStanding } from './health.ts';
import { NoticeKeeper, type NoticeKeeperOptions } from './notice-keeper.ts';
import { NoticeTeller, type NoticeTellerOptions } from './notice-teller.ts';

export interface NoticeDoorOptions extends Omit<NoticeKeeperOptions, 'onChange'> {
  /** Appends `notice-shown`; nobody waits for it. */
  readonly onShown: NoticeTellerOptions['onShown'];
  readonly onStanding: (standing: NoticeStanding) => void;
}

export class NoticeDoor {
  readonly #keeper: NoticeKeeper;
  readonly #teller: NoticeTeller;

  constructor(options: NoticeDoorOptions) {
    const { clock, onShown, onStanding } = options;
    const onChange = () => onStanding({ version: this.#keeper.version, why: this.#teller.why ?? this.#keeper.refused });
    this.#keeper = new NoticeKeeper({ ...options, onChange });
    this.#teller = new NoticeTeller({ notices: this.#keeper, clock, onShown, onChange });
  }

  /** Takes a document as it came from the gateway, or refuses it by a code. */
  take(bytes: Uint8Array): void {
    this.#keeper.take(bytes);
  }

  /** As `NoticeTeller.show`. */
  show(card: VisitorUuid): boolean {
    return this.#teller.show(card);
  }

  /** As `NoticeKeeper.stickerStanding`. */
  stickerStanding(sticker: Uint8Array): StickerStanding {
    return this.#keeper.stickerStanding(sticker);
  }

  /** Ends its timers. */
  stop(): void {
    this.#teller.stop();
  }
}

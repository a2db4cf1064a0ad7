/** A gateway link whose acknowledgements, refusals and breaks are given by hand. */
import type { GatewayLink, OpenGatewayLink } from '../../kiosk/gateway-link.ts';
import { LinkError } from '../../protocol/errors.ts';

export interface Sent {
  readonly topic: string;
  /** The sequence numbers of a batch, as the test's `seal` wrote them. */
  readonly seqs: readonly number[];
  readonly isRetained: boolean;
  readonly acknowledge: () => void;
}

export class FakeGateway {
  /** Every message, in order, over all links. */
  readonly sent: Sent[] = [];
  readonly openedAtMs: number[] = [];
  isReachable = true;
  /** Acknowledges at once what it does not hold back. */
  isAcknowledging = false;
  readonly #now: () => number;
  #break: ((why: LinkError) => void) | undefined;

  constructor(now: () => number) {
    this.#now = now;
  }

  readonly open: OpenGatewayLink = async () => {
    this.openedAtMs.push(this.#now());
    if (!this.isReachable) throw new LinkError('link.refused', 'fake: not reached');
    let isUp = true;
    const closed = new Promise<LinkError>((resolve) => {
      this.#break = (why) => {
        isUp = false;
        resolve(why);
      };
    });
    const link: GatewayLink = {
      closed,
      close: async () => this.cut(),
      publish: (topic, payload, isRetained) =>
        new Promise((resolve, reject) => {
          if (!isUp) return reject(new LinkError('link.lost', 'fake: cut'));
          const seqs = isRetained ? [] : (JSON.parse(Buffer.from(payload).toString()) as number[]);
          this.sent.push({ topic, seqs, isRetained, acknowledge: resolve });
          if (this.isAcknowledging) resolve();
        }),
    };
    return link;
  };

  cut(): void {
    this.#break?.(new LinkError('link.lost', 'fake: cut'));
  }

  /** The sequence numbers of every batch, in order. */
  get batches(): (readonly number[])[] {
    return this.sent.filter(({ isRetained }) => !isRetained).map(({ seqs }) => seqs);
  }
}

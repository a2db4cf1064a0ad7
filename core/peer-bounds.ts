/**
 * What one gateway may have under way at once: one that asks a hundred things, or waits a hundred times, takes no connection and no memory from
 * the others.
 */
import { SinkError } from '../protocol/errors.ts';
import type { DeploymentId } from '../protocol/ids.ts';

/** A gateway asks one thing after the other and waits for three kinds of news beside it, each again before the end of the last is heard. More would lie in memory, each with a body. */
const MOST_UNDER_WAY = 16;
/** Of one gateway for one kind of news: another one ends the one that has waited longest. */
const MOST_WAITING = 2;

/** A request's end: `reply.raw` of Fastify. */
export interface Ending {
  once(event: 'close', heard: () => void): unknown;
}

export class PeerBounds {
  readonly #underWay = new Map<DeploymentId, number>();
  readonly #waiting = new Map<string, AbortController[]>();

  /** Counts a question until its end. @throws SinkError `sink.unavailable` when too many of this gateway are under way. */
  enter(deployment: DeploymentId, ending: Ending): void {
    const before = this.#underWay.get(deployment) ?? 0;
    if (before >= MOST_UNDER_WAY) throw new SinkError('sink.unavailable', `${before} questions of this gateway are under way`);
    this.#underWay.set(deployment, before + 1);
    ending.once('close', () => {
      const left = (this.#underWay.get(deployment) ?? 1) - 1;
      if (left > 0) this.#underWay.set(deployment, left);
      else this.#underWay.delete(deployment);
    });
  }

  /** @param kind of news. @returns aborts when the asker is gone, or has asked for the same often enough since. */
  waitFor(deployment: DeploymentId, kind: string, ending: Ending): AbortSignal {
    const name = `${deployment} ${kind}`;
    const one = new AbortController();
    const waiting = [...(this.#waiting.get(name) ?? []), one];
    if (waiting.length > MOST_WAITING) waiting.shift()?.abort();
    this.#waiting.set(name, waiting);
    ending.once('close', () => {
      one.abort();
      const left = (this.#waiting.get(name) ?? []).filter((other) => other !== one);
      if (left.length > 0) this.#waiting.set(name, left);
      else this.#waiting.delete(name);
    });
    return one.signal;
  }
}

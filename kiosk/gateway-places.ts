/**
 * Where the gateway may be reached: at the address that its papers or trust document tell, and where it was reached last, in `gateway.json` of
 * the data directory. A gateway that was started once with a wrong address would else take its kiosks with it: they would believe it, and
 * could not be told otherwise any more. Whoever answers there is known by its certificate all the same.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { writeWhole } from '../disk/files.ts';
import type { Log } from '../protocol/log.ts';
import type { TrustDocument } from '../protocol/trust.ts';

export interface Place {
  readonly host: string;
  readonly port: number;
}

/** @property gateway SHA-256 of its receipt key, hex: where another one was reached says nothing of this one. */
const reachedFile = z.object({
  host: z.string().min(1).max(253),
  port: z.int().min(1).max(65_535),
  gateway: z.string().regex(/^[0-9a-f]{64}$/),
});

type Reached = z.infer<typeof reachedFile>;

export class GatewayPlaces {
  readonly #dir: string;
  readonly #log: Log;
  #last: Reached | undefined;
  #tries = 0;

  constructor(dir: string, log: Log) {
    this.#dir = dir;
    this.#log = log;
    this.#last = readLast(dir);
  }

  /** Where it was reached last; where it is said to be, before that. */
  known(trust: TrustDocument): Place {
    return this.#lastOf(trust) ?? trust.gateway;
  }

  /** @returns where to try now: where it is said to be, and where it was reached last in turn. */
  next(trust: TrustDocument): Place {
    const { gateway } = trust;
    const last = this.#lastOf(trust);
    const isSame = last === undefined || (last.host === gateway.host && last.port === gateway.port);
    return isSame || this.#tries % 2 === 0 ? gateway : last;
  }

  /** Nobody answered, or somebody else. */
  missed(): void {
    this.#tries += 1;
  }

  /** It answered there, and proved who it is. */
  reached({ host, port }: Place, trust: TrustDocument): void {
    const reached = { host, port, gateway: nameOf(trust) };
    if (JSON.stringify(reached) === JSON.stringify(this.#last)) return;
    this.#last = reached;
    try {
      writeWhole(pathIn(this.#dir), Buffer.from(`${JSON.stringify(reached)}\n`), 0o644);
    } catch (error) {
      // It serves until the next start; the next connection tries again to keep it.
      if (!(error instanceof Error && 'syscall' in error)) throw error;
      this.#last = undefined;
      this.#log.warn('gateway.place_not_kept');
    }
  }

  #lastOf(trust: TrustDocument): Reached | undefined {
    return this.#last?.gateway === nameOf(trust) ? this.#last : undefined;
  }
}

const pathIn = (dir: string): string => join(dir, 'gateway.json');
/** Its certificate may change. */
const nameOf = ({ receiptKey }: TrustDocument): string => createHash('sha256').update(receiptKey).digest('hex');

/** A file that is not there or damaged is no loss: the papers tell an address, too. */
function readLast(dir: string): Reached | undefined {
  try {
    return reachedFile.safeParse(JSON.parse(readFileSync(pathIn(dir), 'utf8'))).data;
  } catch {
    return undefined;
  }
}

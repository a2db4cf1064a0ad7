/**
 * The thread that traces: reads core.db and the day files by connections of its own, which write nothing, and hands what it found over a part
 * at a time, as it is asked for. What was forgotten meanwhile is left out by whoever writes it down.
 */
import { constants, platform, setPriority } from 'node:os';
import { join } from 'node:path';
import { workerData } from 'node:worker_threads';
import { answerRequests } from '../../disk/thread.ts';
import { ExpectedError } from '../../protocol/errors.ts';
import { silentLog } from '../../protocol/log.ts';
import { systemClock } from '../../protocol/time.ts';
import { openCoreDb } from '../core-db.ts';
import { DayKeys } from '../day-keys.ts';
import { DayStore } from '../day-store.ts';
import { DayVisits, VisitMemory } from '../day-visits.ts';
import { Notes } from '../notes.ts';
import { venueNoticesOf } from '../notice/venue-notices.ts';
import { PSEUDONYM_BYTES } from '../pseudonym.ts';
import { Streams } from '../streams.ts';
import { CardTable } from './card-table.ts';
import { encodeRows } from './exposure-rows.ts';
import type { Exposure } from './trace.ts';
import { ROWS_AT_A_TIME, type TraceAnswer, type TraceAsked, type TraceRequest } from './trace-thread.ts';
import { backwardClusters, trace } from './tracer.ts';
import { Turns } from './turns.ts';

const { dir, storeKey } = workerData as { readonly dir: string; readonly storeKey: Uint8Array };

// Of this thread alone: elsewhere it would be the whole process's. Source: setpriority(2), "C library/kernel differences".
if (platform() === 'linux') setPriority(constants.priority.PRIORITY_BELOW_NORMAL);

/** What is open, and what looks remember for each other. */
class Reader {
  readonly #db = openCoreDb(join(dir, 'core.db'), storeKey, 'read');
  readonly #days = new DayStore({ dir: join(dir, 'days'), keys: new DayKeys(this.#db), log: silentLog, mode: 'read' });
  readonly #streams = new Streams(this.#db);
  readonly #notes = new Notes(this.#db);
  readonly #memory = new VisitMemory();

  /** For one question. */
  visits({ firstDay }: TraceAsked): DayVisits {
    // Rows are taken back and doubted by another connection.
    this.#notes.lookUpAnew();
    return new DayVisits({ days: this.#days, streams: this.#streams, notes: this.#notes }, { firstDay }, this.#memory);
  }

  close(): void {
    this.#memory.clear();
    this.#days.close();
    this.#db.close();
  }
}

let reader: Reader | undefined;
/** What was found last and is not handed over yet. */
let left: readonly Exposure[] = [];

function nextPart() {
  const rows = encodeRows(left.slice(0, ROWS_AT_A_TIME));
  left = left.slice(ROWS_AT_A_TIME);
  return { rows, left: left.length };
}

async function answerTo(request: TraceRequest, signal: AbortSignal): Promise<TraceAnswer | undefined> {
  if (request.kind === 'more') return { kind: 'found', venues: [], ...nextPart() };
  if (request.kind === 'forget') {
    // What was found and is not handed over stays: without it the case would seem to have exposed nobody more.
    reader?.close();
    reader = undefined;
    return undefined;
  }
  left = [];
  reader ??= new Reader();
  const turns = new Turns(systemClock, signal);
  if (request.kind === 'backward') {
    const known = new CardTable(request.cases.length / PSEUDONYM_BYTES);
    for (let at = 0; at < request.cases.length; at += PSEUDONYM_BYTES) known.number(request.cases, at);
    const isCase = (names: Uint8Array, at: number): boolean => known.find(names, at) >= 0;
    return { kind: 'clusters', clusters: await backwardClusters(reader.visits(request), { ...request, isCase }, turns) };
  }
  const visits = reader.visits(request);
  left = (await trace(visits, request, turns)).exposures;
  const venues = request.hasVenues ? await venueNoticesOf(visits, request, turns) : [];
  return { kind: 'found', venues, ...nextPart() };
}

answerRequests<TraceRequest>(
  async (request, give, signal) => {
    try {
      const answer = await answerTo(request, signal);
      if (answer?.kind === 'found') give(answer, [answer.rows.cards.buffer, answer.rows.numbers.buffer]);
      else if (answer !== undefined) give(answer);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof ExpectedError)) throw error;
      const { code, message } = error;
      give({ kind: 'failed', code, message } satisfies TraceAnswer);
    }
  },
  () => {
    reader?.close();
    storeKey.fill(0);
  },
);

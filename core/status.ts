/** How a core does, for an operator: counts, and what was set aside and why. Reads beside a gateway that goes on writing; names no card. */
import { join } from 'node:path';
import { RetentionClock } from '../disk/retention-clock.ts';
import type { ErrorCode } from '../protocol/errors.ts';
import type { KioskId } from '../protocol/ids.ts';
import { silentLog } from '../protocol/log.ts';
import type { ClockDoubt } from '../protocol/retention-clock.ts';
import type { Clock } from '../protocol/time.ts';
import type { CaseState } from './case/case.ts';
import { CaseBook } from './case/case-book.ts';
import { DEFAULT_RETENTION_DAYS } from './core.ts';
import { openCoreDb } from './core-db.ts';
import { firstKeptDay } from './day.ts';
import { DayKeys } from './day-keys.ts';
import { type NoteCounts, Notes } from './notes.ts';
import { NoticeBook } from './notice/notice-book.ts';
import { TraceBook } from './notice/trace-book.ts';

export interface CoreStatus extends NoteCounts {
  /** Day files within retention, by the time by which the core forgets. */
  readonly days: number;
  /** Why that is not the machine's; absent while its clock is believed. */
  readonly clock?: ClockDoubt;
  readonly cases: Readonly<Record<CaseState, number>>;
  readonly notices: {
    /** Cards that there are notices for, and those beyond, of whom gateways are not told. */
    readonly noticed: number;
    readonly leftOut: number;
    /** Cases and flags that are to be traced, and how long the oldest has waited, ms. */
    readonly toTrace: number;
    readonly oldestWaitingMs: number | undefined;
  };
  /** Of the latest 1,000 that were set aside: how many of which kiosk, for which reason. */
  readonly setAsideBy: readonly { readonly kiosk: KioskId; readonly reason: ErrorCode; readonly count: number }[];
}

const LATEST = 1_000;

/** @param core.dir of a core that has been opened before. @throws StoreError `store.wrong_key`, `store.corrupt`, `store.newer`, `store.busy`, `store.failed`. */
export function coreStatus(core: { readonly dir: string; readonly storeKey: Uint8Array; readonly clock: Clock }): CoreStatus {
  const nowMs = core.clock.wall();
  const retention = new RetentionClock(core.dir, core.clock, silentLog);
  const { doubt } = retention;
  const db = openCoreDb(join(core.dir, 'core.db'), core.storeKey, 'read');
  try {
    const notes = new Notes(db);
    const firstDay = firstKeptDay(retention.nowMs, DEFAULT_RETENTION_DAYS);
    const days = new DayKeys(db).days().filter((day) => day >= firstDay).length;
    const counts = new Map<string, { kiosk: KioskId; reason: ErrorCode; count: number }>();
    for (const { kiosk, reason } of notes.setAside(LATEST)) {
      const name = `${kiosk} ${reason}`;
      counts.set(name, { kiosk, reason, count: (counts.get(name)?.count ?? 0) + 1 });
    }
    const { cards, leftOut } = new NoticeBook(db).noticed(nowMs);
    const traces = new TraceBook(db);
    const dueMs = traces.oldestDueMs();
    const oldestWaitingMs = dueMs === undefined ? undefined : Math.max(0, nowMs - dueMs);
    const notices = { noticed: cards.length, leftOut, toTrace: traces.due().length, oldestWaitingMs };
    return {
      days,
      ...(doubt && { clock: doubt }),
      ...notes.counts(nowMs),
      cases: new CaseBook(db).counts(),
      notices,
      setAsideBy: [...counts.values()],
    };
  } finally {
    db.close();
  }
}

/**
 * Answers an operator's question "who overlapped with this card" from the files of a core, while the gateway goes on writing them. No answer
 * leaves here that is not in the audit log.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { RetentionClock } from '../disk/retention-clock.ts';
import { ConfigError } from '../protocol/errors.ts';
import type { VisitorUuid } from '../protocol/ids.ts';
import type { Log } from '../protocol/log.ts';
import type { ClockDoubt } from '../protocol/retention-clock.ts';
import type { Clock } from '../protocol/time.ts';
import { AuditLog } from './audit.ts';
import { DEFAULT_RETENTION_DAYS } from './core.ts';
import { openCoreDb } from './core-db.ts';
import { type Day, firstKeptDay } from './day.ts';
import { DayKeys } from './day-keys.ts';
import { DayStore } from './day-store.ts';
import { DayVisits } from './day-visits.ts';
import type { CoreKeys } from './keys.ts';
import { Notes } from './notes.ts';
import { type Contact, contactsOf, DEFAULT_MINIMUM_OVERLAP_MS } from './overlap.ts';
import { CardNames } from './pseudonym.ts';
import { Streams } from './streams.ts';
import { Turns } from './trace/turns.ts';

export interface OverlapQuery {
  readonly card: VisitorUuid;
  /** 1 or more; 15 minutes when not given. */
  readonly minimumOverlapMs?: number;
  /** The operating system's user: 1 to 64 characters. */
  readonly who: string;
  /** In the operator's words: 3 to 200 characters, and no word so long that it could be a code. */
  readonly purpose: string;
}

export interface OverlapAnswer {
  readonly contacts: readonly Contact[];
  /** Days within retention that could not be read: the answer knows nothing of them. */
  readonly unreadableDays: readonly Day[];
  /** Why the days that were looked at are not counted from the machine's clock; absent while that is believed. */
  readonly clock?: ClockDoubt;
  /** The number of this look in the audit log, and its hash: a copy of the hash elsewhere shows if the log is written anew. */
  readonly audit: { readonly entry: number; readonly hash: string };
}

/** A visitor's UUID has 32 hexadecimal digits; codes are longer. */
const LONGEST_WORD = 31;

/**
 * @param core.dir of a core that has been opened before; it may be open for writing in another process.
 * @throws ConfigError `config.invalid` when who or purpose is missing or unfit; StoreError `store.wrong_key`, `store.corrupt`,
 * `store.newer`, `store.busy`, `store.disk_full`, `store.read_only`, `store.failed`. No answer is given then.
 */
export async function answerOverlaps(
  core: { readonly dir: string; readonly keys: CoreKeys; readonly clock: Clock; readonly log: Log; readonly retentionDays?: number },
  query: OverlapQuery,
): Promise<OverlapAnswer> {
  const { dir, keys, clock, log, retentionDays = DEFAULT_RETENTION_DAYS } = core;
  const { card, minimumOverlapMs = DEFAULT_MINIMUM_OVERLAP_MS, who, purpose } = query;
  refuseUnfit(who, purpose, minimumOverlapMs);
  const unreadableDays: Day[] = [];
  const retention = new RetentionClock(dir, clock, log);
  const { doubt } = retention;
  const db = openCoreDb(join(dir, 'core.db'), keys.storeKey, 'read');
  const days = new DayStore({ dir: join(dir, 'days'), keys: new DayKeys(db), log, mode: 'read' });
  let contacts: Contact[];
  try {
    const firstDay = firstKeptDay(retention.nowMs, retentionDays);
    const onUnreadable = (day: Day) => unreadableDays.push(day);
    const visits = new DayVisits({ days, streams: new Streams(db), notes: new Notes(db) }, { firstDay, onUnreadable });
    const question = { minimumOverlapMs, nowMs: clock.wall(), answerKey: randomBytes(32) };
    const turns = new Turns(clock, new AbortController().signal);
    contacts = await contactsOf(visits, new CardNames(keys.pseudonymKey).of(card), question, turns);
  } finally {
    days.close();
    db.close();
  }
  const audit = new AuditLog(dir, keys.storeKey);
  try {
    const { entry, hash } = audit.append({
      atMs: clock.wall(),
      who,
      purpose,
      role: 'operator',
      action: 'look.overlaps',
      about: '',
      outcome: 'done',
      rows: contacts.length,
      detail: `minimumOverlapMs=${minimumOverlapMs} unreadableDays=${unreadableDays.length}`,
    });
    log.info('overlaps.asked', { auditEntry: entry, contacts: contacts.length, unreadableDays: unreadableDays.length });
    return { contacts, unreadableDays, ...(doubt && { clock: doubt }), audit: { entry, hash } };
  } finally {
    audit.close();
  }
}

function refuseUnfit(who: string, purpose: string, minimumOverlapMs: number): void {
  const faults = faultsOf(who, purpose);
  if (!Number.isSafeInteger(minimumOverlapMs) || minimumOverlapMs < 1) faults.push('minimum overlap: not 1 ms or more');
  if (faults.length > 0) throw new ConfigError('config.invalid', `overlap query: ${faults.join('; ')}`);
}

/** @returns what is wrong with what an operator said of themselves and why they act; nothing when it is fit for the audit log. */
export function faultsOf(who: string, purpose: string): string[] {
  const faults: string[] = [];
  if (who.length < 1 || who.length > 64) faults.push(`who: ${who.length} of 1 to 64 characters`);
  if (purpose.trim().length < 3 || purpose.length > 200) faults.push(`purpose: ${purpose.length} of 3 to 200 characters`);
  if (purpose.split(/[^0-9A-Za-z-]+/).some((word) => word.length > LONGEST_WORD)) faults.push('purpose: a word that could be a code');
  return faults;
}

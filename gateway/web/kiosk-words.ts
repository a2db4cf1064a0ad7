/** What is wrong with one kiosk, in words, the gravest first. Pure: page and terminal say the same. */
import type { DoubtReason } from '../../protocol/doubt.ts';
import type { Kiosk } from '../registry.ts';
import type { KioskProblems } from '../state-board.ts';
import type { KioskActivity } from '../watch.ts';
import type { WordsFor } from './error-words.ts';
import type { Tone, Trouble } from './schema.ts';

export interface KioskFacts {
  /** `undefined` for one that is not in the registry. */
  readonly admission: Kiosk | undefined;
  /** `undefined` for one that never came. */
  readonly problems: KioskProblems | undefined;
  readonly activity: KioskActivity;
  /** When a connection of it was refused last, since this gateway started. */
  readonly refusedAtMs?: number | undefined;
  /** When the gateway's newest key for records was made, of one from which nothing has come that was sealed for it. */
  readonly behindSinceMs?: number | undefined;
}

type Found = Trouble & { readonly short: string };

/** A link that is gone for less may come back by itself: a restart, a router that was switched off. */
const OFFLINE_PATIENCE_MS = 10 * 60_000;
const OLD_QUEUE_MS = 15 * 60_000;
/** Time to carry a kiosk that has just enrolled to its door. */
const FIRST_COMING_MS = 60 * 60_000;
/** One visitor with a card from elsewhere tries a few times. */
const MANY_REFUSED = 5;
/** A revoked kiosk that runs tries again within a minute. */
const STILL_TRYING_MS = 10 * 60_000;
/** A door that is closed over a weekend is no trouble. The alert and the Grafana panel go by it, too. */
export const SILENT_MS = 3 * 86_400_000;
/** Kiosks ask for papers once a day, and seal for another key from then on. */
const FOLLOWING_MS = 2 * 86_400_000;
const RANK: Readonly<Record<Tone, number>> = { act: 0, look: 1, off: 2, good: 3 };

/** @returns its tone, a few words, and all troubles. @param startedAtMs when this gateway began to look. */
export function kioskWords(
  facts: KioskFacts,
  words: WordsFor,
  nowMs: number,
  startedAtMs: number,
): { readonly tone: Tone; readonly summary: string; readonly troubles: readonly Trouble[] } {
  const { admission, problems } = facts;
  if (admission?.revokedAtMs !== undefined) return revokedWords(facts, nowMs);
  if (admission === undefined)
    return {
      tone: 'off',
      summary: 'Not admitted',
      troubles: [{ tone: 'off', text: 'Rows of this kiosk are here, but it is not in the registry (any more).', advice: '' }],
    };
  if (problems === undefined) return newcomerWords(admission.admittedAtMs, nowMs);
  const found = [
    ...linkTroubles(facts, nowMs, startedAtMs),
    ...ownTroubles(problems, words),
    ...reportTroubles(facts, words),
    ...silenceTroubles(facts, nowMs, startedAtMs),
    ...sealTroubles(facts, nowMs),
  ].sort((a, b) => RANK[a.tone] - RANK[b.tone]);
  const [gravest] = found;
  return {
    tone: gravest?.tone ?? 'good',
    summary: gravest?.short ?? 'Up',
    troubles: found.map(({ short: _short, ...trouble }) => trouble),
  };
}

function sealTroubles({ behindSinceMs }: KioskFacts, nowMs: number): Found[] {
  if (behindSinceMs === undefined || nowMs - behindSinceMs <= FOLLOWING_MS) return [];
  const text = 'Nothing has come that it sealed for the newest key of the gateway: it seals for an earlier one, or had nothing to tell.';
  const advice =
    'It follows within a day of being connected. One that was admitted by its key needs the present trust.json and a restart. Keep the earlier key until then.';
  return [{ tone: 'look', short: 'Earlier key', text, advice, sinceMs: behindSinceMs }];
}

/** It is cut off, and goes on welcoming people until somebody stops it. */
function revokedWords({ refusedAtMs }: KioskFacts, nowMs: number): ReturnType<typeof kioskWords> {
  if (refusedAtMs === undefined || nowMs - refusedAtMs > STILL_TRYING_MS) return { tone: 'off', summary: 'Revoked', troubles: [] };
  const text = 'It is revoked and still runs: it goes on welcoming people, and nothing of that comes here.';
  const advice =
    'Stop it at its door. If that was a mistake, “Admit it again” or “vestibule gateway admit” with its id brings it back, and it sends what it kept.';
  return { tone: 'look', summary: 'Revoked, runs', troubles: [{ tone: 'look', text, advice, code: 'admission.revoked' }] };
}

function newcomerWords(admittedAtMs: number, nowMs: number): ReturnType<typeof kioskWords> {
  const summary = 'Not connected yet';
  if (nowMs - admittedAtMs <= FIRST_COMING_MS) return { tone: 'off', summary, troubles: [] };
  const text = 'It was admitted, and nothing has come from it yet.';
  const advice = 'Look at its power and its network: “vestibule doctor” there says more. If it is not to come any more, revoke it.';
  return { tone: 'act', summary, troubles: [{ tone: 'act', text, advice, sinceMs: admittedAtMs }] };
}

/** What the gateway itself knows. */
function ownTroubles({ withheld, cutOff, isCloned, quarantine, missingRows, takeovers, doubts }: KioskProblems, words: WordsFor): Found[] {
  const found: Found[] = [];
  if (withheld !== undefined) {
    const { meaning, advice } = words(withheld.code);
    const text = `${plural(withheld.batches, 'batch waits', 'batches wait')} for the acknowledgement: ${meaning}`;
    found.push({ tone: 'act', short: 'Withheld', text, advice, code: withheld.code, sinceMs: withheld.sinceMs });
  }
  if (cutOff !== undefined) {
    const { meaning, advice } = words(cutOff);
    found.push({ tone: 'act', short: 'Cut off', text: `Cut off: ${meaning}`, advice, code: cutOff });
  }
  if (isCloned)
    found.push({
      tone: 'act',
      short: 'Copied',
      text: 'Its sequence numbers came twice: there is a copy of this kiosk, or it was restored from an older image.',
      advice: 'Nothing is lost. Find the copy; revoke it, and set it up anew.',
    });
  if (quarantine.items > 0) {
    const reasons = Object.keys(quarantine.reasons);
    const what = reasons.map((code) => words(code).meaning).join(' ');
    found.push({
      tone: 'act',
      short: 'Quarantine',
      text: `${plural(quarantine.items, 'message is', 'messages are')} in quarantine. ${what}`,
      advice: 'Look at them under Quarantine, or with “vestibule quarantine list”: each can be tried again once its reason is mended.',
      ...(reasons[0] === undefined ? {} : { code: reasons[0] }),
    });
  }
  if (missingRows > 0)
    found.push({
      tone: 'look',
      short: 'Gaps',
      text: `${plural(missingRows, 'record has', 'records have')} not come, or not yet.`,
      advice: 'A kiosk that was offline sends them later. If they stay away: a lost SD card, or a kiosk whose store was full.',
    });
  if (takeovers > 0)
    found.push({
      tone: 'look',
      short: 'Flapping',
      text: `A second connection took the place of a living one ${plural(takeovers, 'time', 'times')}.`,
      advice: 'A link that flaps, or a copy of this kiosk: if it goes on, look for a second one.',
    });
  for (const [reason, count = 0] of Object.entries(doubts) as [DoubtReason, number | undefined][])
    found.push({
      tone: 'look',
      short: 'Doubtful',
      text: `${plural(count, 'event is', 'events are')} doubtful: ${DOUBT_WORDS[reason].meaning}`,
      advice: `${DOUBT_WORDS[reason].advice} Tracing weighs such events less, and leaves none out.`,
    });
  return found;
}

const DOUBT_WORDS: Readonly<Record<DoubtReason, { readonly meaning: string; readonly advice: string }>> = {
  'two-places': { meaning: 'one card was at two venues at the same time.', advice: 'Somebody copied a card.' },
  'door-rate': { meaning: 'more came through this door than fit through it.', advice: 'Look who scans what at it.' },
  'night-burst': { meaning: 'many came in at night.', advice: 'An event, or somebody who plays with the kiosk.' },
  'clock-jump': { meaning: 'its clock jumped while it ran.', advice: 'Look at its time server.' },
};

/** What the kiosk said of itself. */
function reportTroubles({ problems, activity: { report, reportedAtMs } }: KioskFacts, words: WordsFor): Found[] {
  // What one said before its link was lost says nothing of how it does now.
  if (report === undefined || !report.isUp || problems?.isConnected !== true) return [];
  const found: Found[] = [];
  const { lastError, devices, clock, queued, oldestQueuedMs = 0, scans, settings } = report;
  if (lastError !== undefined && !devices.some(({ why }) => why === lastError)) {
    const { meaning, advice } = words(lastError);
    found.push({ tone: 'act', short: 'Trouble', text: `The kiosk says: ${meaning}`, advice, code: lastError });
  }
  for (const { name, isUp, why, path, downForMs } of devices) {
    if (isUp) continue;
    const { meaning, advice } = words(why ?? 'device.absent');
    const where = path === undefined ? capital(name) : `${capital(name)} ${path}`;
    const text = why === 'device.no_scanner' ? meaning : `${where}: ${meaning}`;
    const sinceMs = downSinceOf(downForMs, reportedAtMs);
    found.push({
      ...{ tone: 'act', short: `No ${name}`, text, advice, code: why ?? 'device.absent' },
      ...(sinceMs === undefined ? {} : { sinceMs }),
    });
  }
  if (settings?.isOutOfOrder === true)
    found.push({
      tone: 'look',
      short: 'Out of use',
      text: 'Its staff took it out of use: it takes no card.',
      advice: 'Staff bring it back there: a staff card opens the menu.',
    });
  if (scans !== undefined && scans.refusedInARow >= MANY_REFUSED)
    found.push({
      tone: scans.taken === 0 ? 'act' : 'look',
      short: 'Refuses cards',
      text: `It refused the last ${scans.refusedInARow} cards as not made for this place${scans.taken === 0 ? ', and took none since it started' : ''}.`,
      advice: 'If they are yours: print with the gateway’s own data directory, or name their issuer in “issuers”.',
    });
  if (clock === 'unsynced')
    found.push({
      tone: 'look',
      short: 'Clock not set',
      text: 'Its clock is not set. Times are corrected here, and are less exact.',
      advice: 'Let it reach a time server.',
    });
  if (queued !== undefined && oldestQueuedMs > OLD_QUEUE_MS)
    found.push({
      tone: 'look',
      short: 'Behind',
      text: `${plural(queued, 'record waits', 'records wait')} at the kiosk, the oldest for ${Math.round(oldestQueuedMs / 60_000)} minutes.`,
      advice: 'After a time without a link this ends by itself; otherwise look at the link.',
    });
  return found;
}

function linkTroubles({ problems, activity }: KioskFacts, nowMs: number, startedAtMs: number): Found[] {
  if (problems === undefined || problems.isConnected || problems.cutOff !== undefined) return [];
  const sinceMs = activity.disconnectedAtMs ?? startedAtMs;
  return [
    {
      tone: nowMs - sinceMs > OFFLINE_PATIENCE_MS ? 'act' : 'look',
      short: 'Offline',
      text: activity.disconnectedAtMs === undefined ? 'Not connected since this gateway started.' : 'Not connected.',
      advice: 'It goes on taking check-ins and sends them later. Look at its power and its network.',
      sinceMs,
    },
  ];
}

/** @param downForMs as the kiosk said it at `reportedAtMs`, by a clock of its own. @returns when that was by the gateway's. */
export const downSinceOf = (downForMs: number | undefined, reportedAtMs: number | undefined): number | undefined =>
  downForMs === undefined || reportedAtMs === undefined ? undefined : Math.max(0, reportedAtMs - downForMs);

/** One that is connected at a door where nobody passes; or one whose scanner reads nothing, which it can not tell by itself. */
function silenceTroubles({ problems, activity }: KioskFacts, nowMs: number, startedAtMs: number): Found[] {
  const sinceMs = activity.lastReceivedAtMs ?? startedAtMs;
  if (problems?.isConnected !== true || nowMs - sinceMs <= SILENT_MS) return [];
  const text = 'It is connected, and nothing was recorded at it.';
  return [
    { tone: 'look', short: 'Silent', text, advice: 'If its door was open: scan a card there, and see whether it welcomes you.', sinceMs },
  ];
}

/** @returns `40 s`, `4 min`, `3 h` or `12 days`, rounded down; one unit. @param ms negative: `0 s`. */
export function spanWords(ms: number): string {
  const seconds = Math.floor(Math.max(0, ms) / 1_000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3_600)} h`;
  return `${Math.floor(seconds / 86_400)} days`;
}

/** @returns `3 rows wait`. */
export const plural = (count: number, one: string, many: string): string => `${count.toLocaleString('en')} ${count === 1 ? one : many}`;

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** What is wrong with a sink, in words, and what to do about it. */
import type { WordsFor } from './error-words.ts';
import { plural } from './kiosk-words.ts';
import type { GatewayView, Trouble } from './schema.ts';

/** Sinks this far behind are told as a trouble; fewer are on their way. */
const SINK_BEHIND = 10_000;
const HOUR_MS = 3_600_000;

/** @param nowMs by the wall clock. */
export function sinkTroubles(sinks: GatewayView['sinks'], words: WordsFor, nowMs: number): Trouble[] {
  return sinks.flatMap(({ name, code, behindEntries, waitingSinceMs, setAsideEntries, droppedEntries }): Trouble[] => {
    const found: Trouble[] = [];
    const waiting = waitingSinceMs === undefined ? '' : waitedWords(nowMs - waitingSinceMs);
    if (code !== undefined) {
      const { meaning, advice } = words(code);
      const text = `${name} takes nothing now, ${plural(behindEntries, 'entry waits', 'entries wait')}${waiting}: ${meaning}`;
      found.push({ tone: 'act', text, advice, code });
    } else if (behindEntries > SINK_BEHIND)
      found.push({
        tone: 'look',
        text: `${name} is ${behindEntries.toLocaleString('en')} entries behind${waiting}.`,
        advice: 'It catches up by itself.',
      });
    if (setAsideEntries > 0)
      found.push({
        tone: 'look',
        text: `${name} refuses ${plural(setAsideEntries, 'entry', 'entries')}; the others went on.`,
        advice: `vestibule quarantine list --sink ${name} says why; replay them once it is mended.`,
      });
    if (droppedEntries > 0)
      found.push({
        tone: 'act',
        text: `${plural(droppedEntries, 'entry', 'entries')} reached their retention before ${name} had taken them.`,
        advice: 'They are gone. Find out why it was behind for so long.',
      });
    return found;
  });
}

function waitedWords(ms: number): string {
  if (ms < HOUR_MS) return '';
  const hours = Math.floor(ms / HOUR_MS);
  return hours < 48 ? `, the oldest for ${plural(hours, 'hour', 'hours')}` : `, the oldest for ${Math.floor(hours / 24)} days`;
}

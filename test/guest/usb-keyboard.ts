/** Types on QEMU's USB keyboard, no faster than it passes reports on. Source: QEMU 7.2, hw/input/hid.c (16 events are held, the rest is lost). */
import type { Qmp } from '../support/guest/qmp.ts';

const NAMES: Readonly<Record<string, string>> = {
  '\r': 'ret',
  ' ': 'spc',
  '-': 'minus',
  '=': 'equal',
  '.': 'dot',
  ',': 'comma',
  '/': 'slash',
  ';': 'semicolon',
  "'": 'apostrophe',
};
const SHIFTED: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Array.from(')!@#$%^&*(', (character, digit) => [character, String(digit)])),
  ':': 'semicolon',
  '+': 'equal',
  _: 'minus',
  '?': 'slash',
  '<': 'comma',
  '>': 'dot',
  '"': 'apostrophe',
};
/** Of the 16 that it holds: while this machine stands still a guest's pause may end with nothing taken, and so may the next two. */
const EVENTS_AT_ONCE = 4;
/** A report each 8 ms, of the guest's time. */
export const REPORT_MS = 16;

interface KeyEvent {
  readonly type: 'key';
  readonly data: { readonly down: boolean; readonly key: { readonly type: 'qcode'; readonly data: string } };
}

const event = (name: string, down: boolean): KeyEvent => ({ type: 'key', data: { down, key: { type: 'qcode', data: name } } });

function eventsOf(text: string): KeyEvent[] {
  let isShifted = false;
  const events: KeyEvent[] = [];
  for (const character of text) {
    const needsShift = /[A-Z]/.test(character) || character in SHIFTED;
    const name = /[A-Za-z0-9]/.test(character) ? character.toLowerCase() : (SHIFTED[character] ?? NAMES[character]);
    if (name === undefined) throw new Error('this keyboard has no such key');
    // Held from one capital to the next, as a hand would.
    if (needsShift !== isShifted) events.push(event('shift', needsShift));
    isShifted = needsShift;
    events.push(event(name, true), event(name, false));
  }
  return isShifted ? [...events, event('shift', false)] : events;
}

/** A key is let go in the batch in which it went down: a console repeats one that is held for a quarter of a second. */
function batches(events: readonly KeyEvent[]): KeyEvent[][] {
  const cut: KeyEvent[][] = [];
  let batch: KeyEvent[] = [];
  let isHeld = false;
  for (const [at, one] of events.entries()) {
    if (one.data.key.data !== 'shift') isHeld = one.data.down;
    batch.push(one);
    if (isHeld || (batch.length + 2 <= EVENTS_AT_ONCE && at + 1 < events.length)) continue;
    cut.push(batch);
    batch = [];
  }
  return cut;
}

/**
 * @param take resolves when so many more events have surely reached the guest, a press or a release each.
 * @returns when the last keys were handed over.
 */
export async function typeOn(qmp: Qmp, text: string, take: (events: number) => Promise<unknown>): Promise<number> {
  let sentAtMs = 0;
  for (const some of batches(eventsOf(text))) {
    sentAtMs = performance.now();
    await qmp.execute('input-send-event', { events: some });
    await take(some.length);
  }
  return sentAtMs;
}

/** Types what fits into the keyboard's memory at once, where the last Enter may still be on its way up: up to six keys and Enter. */
export async function typeAtOnce(qmp: Qmp, text: string): Promise<void> {
  await qmp.execute('input-send-event', { events: eventsOf(`${text}\r`) });
}

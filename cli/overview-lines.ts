/** What `vestibule status` prints: how all of it does, what needs somebody and what to do, then every kiosk a line. Pure. */
import { spanWords } from '../gateway/web/kiosk-words.ts';
import type { KioskView, Overview, Tone, Trouble } from '../gateway/web/schema.ts';
import { counted } from './numbers.ts';

/** Told apart without colour. */
const SIGN: Readonly<Record<Tone, string>> = { act: '!', look: '~', good: '·', off: '-' };

/** What is only worth a look is told of so many: after a power cut at a venue it would be the whole screen. */
const MOST_LOOKS = 12;
const MOST_REFUSED = 10;

/** @param width of the terminal, columns: lines of trouble are wrapped to it. */
export function overviewLines({ gateway, venues, kiosks }: Overview, width: number): string[] {
  const nameOf = (kiosk: KioskView): string => {
    const venue = venues.find(({ id }) => id === kiosk.venue);
    const called = kiosk.name ?? venue?.entrances.find(({ id }) => id === kiosk.entrance)?.name;
    return `${venue?.name ?? 'no venue'}${called ? `, ${called}` : ''} (${kiosk.kiosk})`;
  };
  const placeOf = (kiosk: KioskView): string => nameOf(kiosk).slice(0, -` (${kiosk.kiosk})`.length);
  const needs = [
    ...gateway.troubles.map((trouble) => ({ where: 'gateway', trouble })),
    ...kiosks.flatMap((kiosk) => kiosk.troubles.map((trouble) => ({ where: nameOf(kiosk), trouble }))),
  ];
  const acts = needs.filter(({ trouble }) => trouble.tone === 'act');
  const looks = needs.filter(({ trouble }) => trouble.tone === 'look');
  const left = looks.length - MOST_LOOKS;
  const lastMinute = gateway.rowsPerMinute.at(-2) ?? 0;
  return [
    `${SIGN[gateway.tone]} ${gateway.headline}`,
    `  ${gateway.connectedKiosks} of ${counted(gateway.admittedKiosks, 'kiosk')} connected, ${counted(lastMinute, 'record')} in the last minute, ${gateway.queued} waiting at kiosks${gateway.queueUnknownKiosks > 0 ? ` (not known of ${counted(gateway.queueUnknownKiosks, 'kiosk')})` : ''}`,
    `  ${diskWords(gateway.disk)}; ${gateway.sinks.map(sinkWords).join(', ') || 'nothing is forwarded'}`,
    `  flags: ${gateway.flags.confirmed} confirmed, ${gateway.flags.unconfirmed} unconfirmed, ${gateway.flags.pending} waiting; ${gateway.quarantined} in quarantine`,
    `  ${noticeWords(gateway)}`,
    ...[...acts, ...looks.slice(0, MOST_LOOKS)].flatMap(({ where, trouble }) => [
      '',
      `${SIGN[trouble.tone]} ${where}`,
      ...troubleLines(trouble, gateway.atMs, width),
    ]),
    ...(left > 0 ? ['', `  and ${left} more worth a look: the dashboard has them`] : []),
    '',
    ...kiosks.map(
      (kiosk) => `${SIGN[kiosk.tone]} ${kiosk.kiosk}  ${kiosk.summary.padEnd(18)} ${placeOf(kiosk)}${kioskFacts(kiosk, gateway.atMs)}`,
    ),
    ...gateway.refused.slice(0, MOST_REFUSED).map(({ kiosk, count, meaning, code }) => {
      const known = kiosks.find((other) => other.kiosk === kiosk);
      const who = known === undefined ? (kiosk ?? 'somebody') : nameOf(known);
      return `  refused ${count === 1 ? 'once' : `${count} times`}: ${who}: ${meaning} [${code}]`;
    }),
  ];
}

function noticeWords({ notices, takenBack, atMs }: Overview['gateway']): string {
  const back = `${counted(takenBack.cards, 'card')} taken back${takenBack.pending > 0 ? `, ${takenBack.pending} pending` : ''}`;
  if (notices === undefined) return back;
  const still = notices.unheard.map(({ sink, code, sinceMs }) => `, ${sink} not heard for ${spanWords(atMs - sinceMs)} [${code}]`).join('');
  return `notices: for ${counted(notices.cards, 'card')}, told to ${notices.told} of ${counted(notices.kiosks, 'kiosk')}${still}; ${back}`;
}

function troubleLines({ text, advice, code, sinceMs }: Trouble, nowMs: number, width: number): string[] {
  const since = sinceMs === undefined ? '' : ` For ${spanWords(nowMs - sinceMs)}.`;
  return [`${text}${since}${code === undefined ? '' : ` [${code}]`}`, advice]
    .filter((line) => line !== '')
    .flatMap((line) => wrapped(line, width - 4).map((part) => `    ${part}`));
}

/** Of one that is not connected only since when: the rest is what it said before. */
function kioskFacts({ isConnected, troubles, queued, reportedAtMs, clock, devices, settings }: KioskView, nowMs: number): string {
  const sinceMs = troubles.find((trouble) => trouble.sinceMs !== undefined)?.sinceMs;
  const facts = isConnected
    ? [
        queued === undefined ? (reportedAtMs === undefined ? '' : 'not known how many wait') : queued > 0 ? `${queued} waiting` : '',
        settings?.isOutOfOrder === true ? 'taken out of use by its staff' : '',
        clock === 'unsynced' ? 'clock not set' : '',
        ...devices.filter(({ isUp }) => !isUp).map((device) => deviceWords(device, nowMs)),
      ]
    : [sinceMs === undefined ? '' : `for ${spanWords(nowMs - sinceMs)}`];
  const told = facts.filter((fact) => fact !== '');
  return told.length === 0 ? '' : `: ${told.join(', ')}`;
}

const deviceWords = ({ name, path, downSinceMs }: KioskView['devices'][number], nowMs: number): string =>
  path === undefined && downSinceMs === undefined
    ? `no ${name}`
    : `${path === undefined ? name : `${name} ${path}`} absent${downSinceMs === undefined ? '' : ` for ${spanWords(nowMs - downSinceMs)}`}`;

/** The tracing core in this process goes by what it does. */
function sinkWords({ name, behindEntries, setAsideEntries, unerasedRows = 0, code }: Overview['gateway']['sinks'][number]): string {
  const waits = behindEntries === 0 ? 'nothing waits' : `${behindEntries} ${behindEntries === 1 ? 'waits' : 'wait'}`;
  return `${name === 'core' ? 'tracing' : name}: ${waits}${setAsideEntries > 0 ? `, ${setAsideEntries} refused` : ''}${unerasedRows > 0 ? `, ${unerasedRows} of taken-back cards not erased` : ''}${code === undefined ? '' : ` [${code}]`}`;
}

function diskWords({ freeBytes, growthBytesPerDay, daysLeft }: Overview['gateway']['disk']): string {
  const free = `${Math.floor(freeBytes / 1_048_576).toLocaleString('en')} MiB free`;
  if (daysLeft !== undefined) return `disk: ${free}, ${counted(Math.floor(daysLeft), 'day')} as things go`;
  return growthBytesPerDay === undefined ? `disk: ${free}, growth not measured yet` : `disk: ${free}, nothing grows`;
}

/** Cuts at spaces. @param width at least 20 are used. */
function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > Math.max(width, 20)) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

/** What `vestibule status` prints: how all of it does, what needs somebody and what to do, then every kiosk a line. Pure. */
import type { KioskView, Overview, Tone, Trouble } from '../gateway/web/schema.ts';

/** Told apart without colour. */
const SIGN: Readonly<Record<Tone, string>> = { act: '!', look: '~', good: '·', off: '-' };

/** @param width of the terminal, columns: lines of trouble are wrapped to it. */
export function overviewLines({ gateway, venues, kiosks }: Overview, width: number): string[] {
  const nameOf = (kiosk: KioskView): string => {
    const venue = venues.find(({ id }) => id === kiosk.venue);
    const door = venue?.entrances.find(({ id }) => id === kiosk.entrance)?.name;
    return `${venue?.name ?? 'no venue'}${door ? `, ${door}` : ''} (${kiosk.kiosk})`;
  };
  const needs = [
    ...gateway.troubles.map((trouble) => ({ where: 'gateway', trouble })),
    ...kiosks.flatMap((kiosk) => kiosk.troubles.filter(({ tone }) => tone === 'act').map((trouble) => ({ where: nameOf(kiosk), trouble }))),
  ];
  const lastMinute = gateway.rowsPerMinute.at(-2) ?? 0;
  return [
    `${SIGN[gateway.tone]} ${gateway.headline}`,
    `  ${gateway.connectedKiosks} of ${gateway.admittedKiosks} kiosks connected, ${lastMinute} rows in the last minute, ${gateway.queued} waiting at kiosks`,
    `  ${diskWords(gateway.disk)}; ${gateway.sinks.map(sinkWords).join(', ') || 'no sink'}`,
    `  flags: ${gateway.flags.confirmed} confirmed, ${gateway.flags.unconfirmed} unconfirmed, ${gateway.flags.pending} waiting; ${gateway.quarantined} in quarantine`,
    ...needs.flatMap(({ where, trouble }) => ['', `${SIGN[trouble.tone]} ${where}`, ...troubleLines(trouble, width)]),
    '',
    ...kiosks.map(
      (kiosk) =>
        `${SIGN[kiosk.tone]} ${kiosk.kiosk}  ${kiosk.summary.padEnd(18)} ${nameOf(kiosk).replace(/ \(.*$/, '')}${kioskFacts(kiosk)}`,
    ),
    ...gateway.refused
      .slice(0, 10)
      .map(({ kiosk, count, meaning, code }) => `  refused ${count} times: ${kiosk ?? 'somebody'}: ${meaning} [${code}]`),
  ];
}

const troubleLines = ({ text, advice, code }: Trouble, width: number): string[] =>
  [`${text}${code === undefined ? '' : ` [${code}]`}`, advice]
    .filter((line) => line !== '')
    .flatMap((line) => wrapped(line, width - 4).map((part) => `    ${part}`));

function kioskFacts({ queued = 0, clock, devices }: KioskView): string {
  const facts = [
    queued > 0 ? `${queued} waiting` : '',
    clock === undefined || clock === 'synced' ? '' : `clock ${clock}`,
    ...devices.filter(({ isUp }) => !isUp).map(({ name }) => `no ${name}`),
  ].filter((fact) => fact !== '');
  return facts.length === 0 ? '' : `: ${facts.join(', ')}`;
}

const sinkWords = ({ name, behindEntries, setAsideEntries, code }: Overview['gateway']['sinks'][number]): string =>
  `${name} ${behindEntries} behind${setAsideEntries > 0 ? `, ${setAsideEntries} refused` : ''}${code === undefined ? '' : ` [${code}]`}`;

function diskWords({ freeBytes, growthBytesPerDay, daysLeft }: Overview['gateway']['disk']): string {
  const free = `${Math.floor(freeBytes / 1_048_576).toLocaleString('en')} MiB free`;
  if (daysLeft !== undefined) return `disk: ${free}, ${Math.floor(daysLeft)} days as things go`;
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

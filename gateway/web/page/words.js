// Numbers and times as people say them.

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export const number = (value) => value.toLocaleString('en');
export const count = (value, one, many) => `${number(value)} ${value === 1 ? one : many}`;

export function span(ms) {
  if (ms < 0) return 'no time';
  if (ms < MINUTE) return `${Math.floor(ms / 1000)} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
  if (ms < 2 * DAY) return `${Math.floor(ms / HOUR)} h`;
  return `${Math.floor(ms / DAY)} days`;
}

/** A length that somebody chose: `1 h 30 min`, nothing rounded away. */
export function lasting(ms) {
  const minutes = Math.round(ms / MINUTE);
  const parts = [minutes >= 60 ? `${Math.floor(minutes / 60)} h` : '', minutes % 60 > 0 || minutes === 0 ? `${minutes % 60} min` : ''];
  return parts.filter(Boolean).join(' ');
}

export const ago = (atMs, nowMs) => (nowMs - atMs < 2_000 ? 'just now' : `${span(nowMs - atMs)} ago`);

export function when(atMs) {
  return new Date(atMs).toLocaleString('en-GB', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });
}

export const exactly = (atMs) => new Date(atMs).toISOString().replace('T', ' ').slice(0, 19);

export function bytes(value) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let size = value;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${size < 10 && unit > 0 ? size.toFixed(1) : Math.round(size)} ${units[unit]}`;
}

export const DIRECTION = { in: 'in', out: 'out', both: 'in and out' };

export const doorOf = (kiosk, venue) => venue?.entrances?.find(({ id }) => id === kiosk.entrance)?.name ?? '';

/** What a kiosk is called: its own name, else its door's, else the way it leads; and the end of its id, which is on its label. */
export function kioskName(kiosk, venue) {
  const way = kiosk.direction === undefined ? 'Kiosk' : `Door ${DIRECTION[kiosk.direction]}`;
  return `${kiosk.name || doorOf(kiosk, venue) || way} · ${kiosk.kiosk.slice(-4)}`;
}

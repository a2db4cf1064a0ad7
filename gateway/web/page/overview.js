// Every venue and kiosk at a glance: first how all of it does, then who needs somebody, then everything.
import { h, sign, spark } from './dom.js';
import { byVenue, store, venueOf } from './store.js';
import { ago, bytes, count, doorOf, kioskName, number, span } from './words.js';

export const title = 'Overview';

export function overview() {
  const { gateway, kiosks } = store;
  if (gateway === undefined) return [h('p', { class: 'waiting' }, 'Waiting for the gateway …')];
  const all = [...kiosks.values()];
  return [headline(gateway), tiles(gateway, all), needs(gateway, all), finder(all), ...venues(all.filter(isWanted))];
}

function headline(gateway) {
  const sub =
    gateway.admittedKiosks === 0
      ? 'Admit a kiosk, and it appears here.'
      : `${gateway.connectedKiosks} of ${count(gateway.admittedKiosks, 'kiosk', 'kiosks')} connected at ${count(store.venues.length, 'venue', 'venues')}.`;
  return h(
    'section',
    { class: 'headline', 'data-tone': gateway.tone, 'data-key': 'headline' },
    sign(gateway.tone),
    h('div', {}, h('h1', {}, gateway.headline), h('p', { class: 'quiet' }, sub)),
  );
}

function tiles(gateway, kiosks) {
  const minutes = gateway.rowsPerMinute;
  const lastMinute = minutes.at(-2) ?? 0;
  const oldestMs = Math.max(0, ...kiosks.map(({ oldestQueuedMs = 0 }) => oldestQueuedMs));
  const { daysLeft, freeBytes, growthBytesPerDay } = gateway.disk;
  const days =
    daysLeft === undefined
      ? growthBytesPerDay === undefined
        ? 'measuring'
        : 'plenty'
      : daysLeft >= 999
        ? '999+'
        : number(Math.floor(daysLeft));
  const behind = gateway.sinks.reduce((sum, { behindEntries }) => sum + behindEntries, 0);
  const isFailing = gateway.sinks.some(({ code }) => code !== undefined);
  const standing = gateway.flags.confirmed + gateway.flags.unconfirmed;
  return h(
    'dl',
    { class: 'tiles', 'data-key': 'tiles' },
    tile('Connected', `${number(gateway.connectedKiosks)}`, `of ${number(gateway.admittedKiosks)}`),
    tile('Records in the last minute', number(lastMinute), undefined, {
      more: spark(minutes, `Records a minute in the last hour: ${lastMinute} in the last full minute, ${Math.max(0, ...minutes)} at most`),
    }),
    tile(
      'Waiting at kiosks',
      number(gateway.queued),
      [
        oldestMs > 60_000 ? `the oldest for ${span(oldestMs)}` : '',
        gateway.queueUnknownKiosks > 0 ? `not known of ${count(gateway.queueUnknownKiosks, 'kiosk', 'kiosks')}` : '',
      ]
        .filter(Boolean)
        .join('; '),
    ),
    tile('Acknowledged within', gateway.acknowledgedInS === undefined ? '–' : seconds(gateway.acknowledgedInS), '99 of 100 batches'),
    tile('Not yet forwarded', number(behind), isFailing ? 'something takes nothing: see Gateway' : '', {
      tone: isFailing ? 'act' : undefined,
    }),
    tile(
      'Disk lasts',
      days,
      daysLeft === undefined ? `${bytes(freeBytes)} free` : `${Math.floor(daysLeft) === 1 ? 'day' : 'days'}, ${bytes(freeBytes)} free`,
      {
        tone: daysLeft !== undefined && daysLeft < 14 ? (daysLeft < 3 ? 'act' : 'look') : undefined,
      },
    ),
    tile('Flags to act on', number(standing), gateway.flags.pending > 0 ? `${gateway.flags.pending} waiting` : ''),
    tile('In quarantine', number(gateway.quarantined), '', { tone: gateway.quarantined > 0 ? 'look' : undefined }),
  );
}

const seconds = (value) => (value < 1 ? `${value * 1000} ms` : `${value} s`);

function tile(name, value, unit, { tone, more } = {}) {
  return h(
    'div',
    { class: 'tile', 'data-tone': tone },
    h('dt', {}, name),
    h('dd', {}, value, ' ', unit ? h('small', {}, unit) : undefined, more),
  );
}

/** Only what somebody has to act on; the rest is with its kiosk. */
function needs(gateway, kiosks) {
  const own = gateway.troubles.map((trouble, index) => troubleItem(trouble, 'Gateway', '#/gateway', `own ${index}`));
  const of = kiosks.flatMap((kiosk) =>
    kiosk.troubles
      .filter(({ tone }) => tone === 'act')
      .map((trouble, index) => {
        const venue = venueOf(kiosk);
        const where = `${venue?.name ?? 'No venue'}, ${kioskName(kiosk, venue)}`;
        return troubleItem(trouble, where, `#/kiosk/${kiosk.kiosk}`, `${kiosk.kiosk} ${index}`);
      }),
  );
  const some = [...own, ...of];
  if (some.length === 0) return undefined;
  const left = some.length - MOST_NEEDS;
  return h(
    'section',
    { 'aria-labelledby': 'needs', 'data-key': 'needs' },
    h('h2', { id: 'needs' }, 'What needs somebody'),
    h('ul', { class: 'troubles' }, some.slice(0, MOST_NEEDS)),
    left > 0 ? h('p', { class: 'quiet' }, `and ${count(left, 'more', 'more')}: choose “Needs you” below.`) : undefined,
  );
}

const MOST_NEEDS = 12;

export function troubleItem(trouble, where, href, key) {
  const since = trouble.sinceMs === undefined ? '' : ` For ${span(store.gateway.atMs - trouble.sinceMs)}.`;
  return h(
    'li',
    { class: 'trouble', 'data-tone': trouble.tone, 'data-key': key },
    sign(trouble.tone),
    h(
      'div',
      {},
      where === undefined ? undefined : h('p', { class: 'where' }, h('a', { href }, where)),
      h('p', {}, `${trouble.text}${since}`),
      trouble.advice === '' ? undefined : h('p', { class: 'advice' }, trouble.advice),
    ),
  );
}

const CHOICES = [
  ['all', 'All'],
  ['act', 'Needs you'],
  ['offline', 'Offline'],
];

function finder(kiosks) {
  if (kiosks.length === 0) return undefined;
  const { text, tone } = store.filter;
  return h(
    'form',
    { class: 'finder', role: 'search', 'data-key': 'finder', 'data-submit': 'nothing' },
    h(
      'div',
      {},
      h('label', { for: 'find' }, 'Find a venue or kiosk'),
      h('input', { id: 'find', type: 'search', 'data-input': 'find', value: text, autocomplete: 'off' }),
    ),
    h(
      'div',
      { class: 'choices', role: 'group', 'aria-label': 'Which kiosks' },
      CHOICES.map(([value, name]) =>
        h('button', { type: 'button', 'data-action': 'filter', 'data-value': value, 'aria-pressed': String(tone === value) }, name),
      ),
    ),
  );
}

function isWanted(kiosk) {
  const { text, tone } = store.filter;
  if (tone === 'act' && kiosk.tone !== 'act') return false;
  if (tone === 'offline' && (kiosk.isConnected || kiosk.standing !== 'admitted')) return false;
  const venue = venueOf(kiosk);
  const words = `${venue?.name ?? ''} ${kioskName(kiosk, venue)} ${doorOf(kiosk, venue)} ${kiosk.kiosk} ${kiosk.summary}`.toLowerCase();
  return text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => words.includes(word));
}

function venues(kiosks) {
  if (kiosks.length === 0)
    return [
      h(
        'p',
        { class: 'empty', 'data-key': 'none' },
        store.kiosks.size === 0 ? 'No kiosk yet. Under Venues a code makes one.' : 'No kiosk is like that.',
      ),
    ];
  let left = store.shown;
  const sections = [];
  for (const { venue, kiosks: group } of byVenue(kiosks)) {
    if (left <= 0) break;
    const some = group.slice(0, left);
    left -= some.length;
    const connected = group.filter(({ isConnected }) => isConnected).length;
    sections.push(
      h(
        'section',
        { 'data-key': `venue ${venue?.id ?? ''}`, 'aria-label': venue?.name ?? 'No venue' },
        h(
          'div',
          { class: 'venue-head' },
          h('h2', {}, venue?.name ?? 'No venue'),
          h('span', { class: 'quiet' }, `${connected} of ${group.length} connected`),
        ),
        h(
          'ul',
          { class: 'kiosks' },
          some.map((kiosk) => kioskCard(kiosk, venue)),
        ),
      ),
    );
  }
  const hidden = kiosks.length - store.shown;
  if (hidden > 0)
    sections.push(
      h(
        'p',
        { class: 'empty', 'data-key': 'more' },
        h('button', { 'data-action': 'more' }, `Show ${number(Math.min(hidden, 120))} more of ${number(hidden)}`),
      ),
    );
  return sections;
}

function kioskCard(kiosk, venue) {
  const { atMs } = store.gateway;
  const [gravest] = kiosk.troubles;
  const last = kiosk.lastReceivedAtMs;
  const hour = kiosk.rowsPerMinute.reduce((sum, rows) => sum + rows, 0);
  const facts = [
    kiosk.name && doorOf(kiosk, venue),
    kiosk.isConnected && kiosk.queued > 0 ? count(kiosk.queued, 'record waits', 'records wait') : undefined,
    last === undefined ? undefined : `last record ${ago(last, atMs)}`,
    kiosk.isConnected && kiosk.settings?.isOutOfOrder ? 'out of use' : undefined,
    kiosk.isConnected && kiosk.clock === 'unsynced' ? 'clock not set' : undefined,
    occupancyWords(kiosk.occupancy),
  ].filter(Boolean);
  return h(
    'li',
    { 'data-key': kiosk.kiosk },
    h(
      'a',
      { class: 'kiosk', href: `#/kiosk/${kiosk.kiosk}`, 'data-tone': kiosk.tone },
      h('div', { class: 'head' }, sign(kiosk.tone), h('h3', {}, kioskName(kiosk, venue)), h('span', { class: 'state' }, kiosk.summary)),
      gravest === undefined || kiosk.tone === 'good' || kiosk.tone === 'off' ? undefined : h('p', { class: 'why' }, gravest.text),
      hour > 0 ? spark(kiosk.rowsPerMinute, `${count(hour, 'record', 'records')} in the last hour`) : undefined,
      facts.length === 0
        ? undefined
        : h(
            'p',
            { class: 'facts' },
            facts.map((fact) => h('span', {}, fact)),
          ),
      kiosk.isConnected ? devices(kiosk, false) : undefined,
    ),
  );
}

/** Undefined where the venue does not count. */
export function occupancyWords(occupancy) {
  if (occupancy === undefined) return undefined;
  return occupancy.tokens === undefined ? 'few devices about' : `${count(occupancy.tokens, 'device', 'devices')} about`;
}

/** @param isPathShown a card says it in its text. */
export function devices(kiosk, isPathShown) {
  if (kiosk.devices.length === 0) return undefined;
  return h(
    'ul',
    { class: 'chips', 'aria-label': 'Devices' },
    kiosk.devices.map(({ name, isUp, why, path, downSinceMs }) =>
      h(
        'li',
        { class: 'chip', 'data-tone': isUp ? undefined : 'act', title: why },
        isUp ? `✓ ${name}` : ['✕ ', name, isPathShown && path !== undefined ? [' ', h('code', {}, path)] : undefined],
        isUp ? undefined : h('span', { class: 'unseen' }, ' does not work'),
        downSinceMs === undefined ? undefined : ` for ${span(store.gateway.atMs - downSinceMs)}`,
      ),
    ),
  );
}

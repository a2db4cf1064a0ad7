// One kiosk: what is wrong and what to do, then all that is known of it.
import { h, sign, spark } from './dom.js';
import { devices, occupancyWords, troubleItem } from './overview.js';
import { isManager, store, venueOf } from './store.js';
import { ago, count, DIRECTION, doorOf, exactly, kioskName, number, span } from './words.js';

export const title = 'Kiosk';

const CLOCK = { synced: 'set', assumed: 'plausible, and nobody vouches for it', unsynced: 'not set; times are corrected here' };
const STANDING = { admitted: 'admitted', revoked: 'revoked', unknown: 'not in the registry' };

export function kioskPage(id) {
  const kiosk = store.kiosks.get(id);
  if (kiosk === undefined)
    return [h('p', { class: 'empty' }, store.gateway === undefined ? 'Waiting for the gateway …' : 'There is no such kiosk.')];
  const venue = venueOf(kiosk);
  const { atMs } = store.gateway;
  const hour = kiosk.rowsPerMinute.reduce((sum, rows) => sum + rows, 0);
  const at = (ms) =>
    ms === undefined ? 'nothing since the gateway started' : [ago(ms, atMs), h('span', { class: 'quiet' }, ` (${exactly(ms)} UTC)`)];
  // What it said before its link was lost says nothing of how it does now.
  const stale = (value) => [value, h('span', { class: 'quiet' }, ` (as it said ${ago(kiosk.reportedAtMs ?? atMs, atMs)})`)];
  const told = (value) => (kiosk.isConnected ? value : stale(value));
  return [
    h('p', { 'data-key': 'back' }, h('a', { href: '#/' }, '← Overview')),
    h(
      'section',
      { class: 'headline', 'data-tone': kiosk.tone, 'data-key': 'headline' },
      sign(kiosk.tone),
      h('div', {}, h('h1', {}, `${venue?.name ?? 'No venue'}, ${kioskName(kiosk, venue)}`), h('p', { class: 'quiet' }, kiosk.summary)),
    ),
    kiosk.troubles.length === 0
      ? undefined
      : h(
          'section',
          { 'data-key': 'troubles' },
          h('h2', {}, 'What is wrong'),
          h(
            'ul',
            { class: 'troubles' },
            kiosk.troubles.map((trouble, index) => troubleItem(trouble, undefined, undefined, `${index}`)),
          ),
        ),
    h(
      'div',
      { class: 'columns', 'data-key': 'columns' },
      h(
        'section',
        { class: 'panel' },
        h('h2', {}, 'The last hour'),
        hour === 0
          ? h('p', { class: 'quiet' }, 'Nothing came.')
          : spark(kiosk.rowsPerMinute, `${count(hour, 'record', 'records')} in the last hour`, true),
        hour === 0
          ? undefined
          : h('p', { class: 'quiet' }, `${count(hour, 'record', 'records')}, ${Math.max(...kiosk.rowsPerMinute)} in the busiest minute`),
      ),
      h(
        'section',
        { class: 'panel' },
        h('h2', {}, 'State'),
        facts([
          ['Connected', kiosk.isConnected ? 'yes' : 'no'],
          ['Said last', at(kiosk.reportedAtMs)],
          ['Last record', at(kiosk.lastReceivedAtMs)],
          ['Waiting', kiosk.reportedAtMs === undefined ? 'not told yet' : told(waitingWords(kiosk))],
          ['Clock', kiosk.clock === undefined ? 'not told yet' : told(CLOCK[kiosk.clock])],
          [
            'Devices',
            !kiosk.isConnected ? 'not known while it is not connected' : kiosk.devices.length === 0 ? 'none told' : devices(kiosk, true),
          ],
          ['Scans', scansWords(kiosk.scans)],
          ['Set there', kiosk.settings === undefined ? 'not told yet' : told(settingsWords(kiosk.settings))],
          ['Occupancy', occupancyWords(kiosk.occupancy) ?? 'not counted'],
          ['Not acknowledged', kiosk.withheldBatches === 0 ? 'nothing' : count(kiosk.withheldBatches, 'batch', 'batches')],
          [
            'Quarantine',
            kiosk.quarantined === 0
              ? 'nothing'
              : h('a', { href: `#/quarantine/${kiosk.kiosk}` }, count(kiosk.quarantined, 'message', 'messages')),
          ],
          ['Gaps', kiosk.missingRows === 0 ? 'none' : count(kiosk.missingRows, 'record', 'records')],
        ]),
      ),
      h(
        'section',
        { class: 'panel' },
        h('h2', {}, 'Place'),
        facts([
          ['Name', kiosk.name ?? '–'],
          ['Venue', venue?.name ?? '–'],
          ['Door', doorOf(kiosk, venue) || '–'],
          ['Direction', kiosk.direction === undefined ? '–' : DIRECTION[kiosk.direction]],
          ['Standing', STANDING[kiosk.standing]],
          ['Kiosk', h('code', {}, kiosk.kiosk)],
          ['Entrance', h('code', {}, kiosk.entrance ?? '–')],
          ['Software', kiosk.version ?? 'not told yet'],
        ]),
        isManager() && kiosk.standing === 'admitted'
          ? h(
              'div',
              { class: 'row-actions' },
              h('button', { 'data-action': 'name', 'data-kiosk': kiosk.kiosk }, 'Name it …'),
              h('button', { 'data-action': 'enrol', 'data-kiosk': kiosk.kiosk }, 'Replace it …'),
              h('button', { class: 'grave', 'data-action': 'revoke', 'data-kiosk': kiosk.kiosk }, 'Revoke this kiosk …'),
            )
          : undefined,
        isManager() && kiosk.standing === 'revoked'
          ? h('div', { class: 'row-actions' }, h('button', { 'data-action': 'admit', 'data-kiosk': kiosk.kiosk }, 'Admit it again …'))
          : undefined,
      ),
    ),
  ];
}

const SOUND = { silent: 'silent', quiet: 'quiet', normal: 'normal sound', loud: 'loud' };

/** What its staff chose at the door, or its venue for them. */
function settingsWords({ direction, language, sound, isOutOfOrder }) {
  const names = new Intl.DisplayNames('en', { type: 'language' });
  const door = direction === undefined ? undefined : `door ${DIRECTION[direction]}`;
  return [isOutOfOrder ? 'out of use' : undefined, door, names.of(language), SOUND[sound]].filter(Boolean).join(', ');
}

const REFUSED = {
  'card-refused': 'not made for this place',
  'not-a-card': 'no card',
  'card-withdrawn': 'withdrawn',
  'keep-at-home': 'a key',
  'refused-full': 'the kiosk was full',
  'refused-store': 'the kiosk could not store',
};

/** Since it started; counts alone. */
function scansWords(scans) {
  if (scans === undefined) return 'not told yet';
  const refused = Object.entries(scans.refused).map(([reason, times]) => `${number(times)} ${REFUSED[reason] ?? reason}`);
  return `${number(scans.taken)} taken since it started${refused.length === 0 ? '' : `; refused: ${refused.join(', ')}`}`;
}

export const facts = (list) =>
  h(
    'dl',
    { class: 'facts-list' },
    list.map(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]),
  );

function waitingWords({ queued, oldestQueuedMs }) {
  if (queued === undefined) return 'not known';
  if (queued === 0) return 'nothing';
  return `${count(queued, 'record', 'records')}${oldestQueuedMs === undefined ? '' : `, the oldest for ${span(oldestQueuedMs)}`}`;
}

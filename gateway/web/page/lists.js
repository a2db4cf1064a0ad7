// Flags, quarantine, venues, the gateway itself, and the audit log.
import { h, sign } from './dom.js';
import { facts } from './kiosk.js';
import { troubleItem } from './overview.js';
import { isManager, store } from './store.js';
import { ago, bytes, count, DIRECTION, exactly, kioskName, lasting, number, span, when } from './words.js';

export const venueName = (id) => store.venues.find((venue) => venue.id === id)?.name ?? 'No venue';
export const nameOf = (id) => {
  const kiosk = store.kiosks.get(id);
  const venue = store.venues.find((other) => other.id === kiosk?.venue);
  return kiosk === undefined ? id : `${venue?.name ?? 'No venue'}, ${kioskName(kiosk, venue)}`;
};

export function head(title, ...more) {
  return h('div', { class: 'page-head', 'data-key': 'head' }, h('h1', {}, title), ...more);
}

export function table(key, names, rows) {
  return h(
    'div',
    { class: 'wide', 'data-key': key },
    h(
      'table',
      { class: 'stack' },
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          names.map((name) => h('th', { scope: 'col' }, name === '' ? h('span', { class: 'unseen' }, 'Actions') : name)),
        ),
      ),
      h(
        'tbody',
        {},
        rows.map(({ key: row, cells }) =>
          h(
            'tr',
            { 'data-key': row },
            cells.map((cell, index) => h('td', { 'data-head': names[index] }, h('div', {}, cell))),
          ),
        ),
      ),
    ),
  );
}

export const empty = (tone, text) => h('div', { class: 'empty', 'data-tone': tone, 'data-key': 'empty' }, sign(tone), h('p', {}, text));
export const loading = () => h('p', { class: 'waiting', 'data-key': 'loading' }, 'Loading …');

const FLAG = {
  confirmed: ['act', 'Twice high'],
  unconfirmed: ['look', 'Once high'],
  pending: ['look', 'Waiting for a second reading'],
  cleared: ['good', 'Cleared'],
};

export function flagsPage() {
  const answer = store.answers.get('/api/1/flags');
  const intro = h(
    'p',
    { class: 'quiet', 'data-key': 'intro' },
    'High readings at a door, to act on without knowing who: a card has another name at each venue on each day. A reading is no diagnosis, and nobody is to be turned away for one alone.',
  );
  if (answer === undefined) return [head('Flags'), intro, loading()];
  if (answer.flags.length === 0) return [head('Flags'), intro, empty('good', 'No flag stands.')];
  const { atMs } = store.gateway ?? { atMs: answer.askedAtMs };
  const rows = answer.flags.map((flag) => {
    const [tone, word] = FLAG[flag.state];
    const isHandled = flag.handled !== undefined || flag.state === 'cleared';
    return {
      key: flag.flag,
      cells: [
        h('span', { class: 'state-word', 'data-tone': isHandled ? 'off' : tone }, sign(isHandled ? 'off' : tone), word),
        [venueName(flag.venue), h('br'), h('span', { class: 'quiet' }, nameOf(flag.kiosk).split(', ').at(-1))],
        h('code', {}, flag.subject),
        h('span', { title: `${exactly(flag.raisedAtMs)} UTC` }, ago(flag.raisedAtMs, atMs)),
        `in ${span(flag.expiresAtMs - atMs)}`,
        flag.handled !== undefined
          ? h('span', { class: 'quiet' }, `${flag.handled.by}, ${when(flag.handled.atMs)}`)
          : isManager() && (flag.state === 'confirmed' || flag.state === 'unconfirmed')
            ? h('button', { 'data-action': 'handled', 'data-flag': flag.flag }, 'Dealt with')
            : '',
      ],
    };
  });
  return [head('Flags'), intro, table('flags', ['Flag', 'Where', 'Card, here and today', 'Raised', 'Ends', 'Dealt with'], rows)];
}

export function quarantinePage(kiosk) {
  const path = kiosk === undefined ? '/api/1/quarantine' : `/api/1/quarantine?kiosk=${kiosk}`;
  const answer = store.answers.get(path);
  const intro = h(
    'p',
    { class: 'quiet', 'data-key': 'intro' },
    'What came from an admitted kiosk and was wrong in itself. It is kept until its retention ends. Once its reason is mended, try it again.',
  );
  const of =
    kiosk === undefined
      ? undefined
      : h('p', { 'data-key': 'of' }, `Only of ${nameOf(kiosk)}. `, h('a', { href: '#/quarantine' }, 'Show all'));
  if (answer === undefined) return [head('Quarantine'), intro, of, loading()];
  if (answer.items.length === 0) return [head('Quarantine'), intro, of, empty('good', 'Nothing is in quarantine.')];
  const rows = answer.items.map((item) => ({
    key: String(item.no),
    cells: [
      h('a', { href: `#/kiosk/${item.kiosk}` }, nameOf(item.kiosk)),
      [item.meaning, h('br'), h('span', { class: 'quiet' }, item.advice)],
      [item.seq === undefined ? 'Whole batch' : `Row ${number(item.seq)}`, h('br'), h('span', { class: 'quiet' }, bytes(item.sizeBytes))],
      when(item.receivedAtMs),
      isManager()
        ? h(
            'div',
            { class: 'row-actions' },
            item.mayReplay ? h('button', { 'data-action': 'replay', 'data-no': item.no }, 'Try again', itemWord(item)) : undefined,
            h('button', { class: 'plain', 'data-action': 'drop', 'data-no': item.no }, 'Throw away …', itemWord(item)),
          )
        : '',
    ],
  }));
  return [head('Quarantine'), intro, of, table('quarantine', ['Kiosk', 'Why', 'What', 'Came', ''], rows)];
}

/** To tell one row's buttons from another's by ear. */
const itemWord = ({ no }) => h('span', { class: 'unseen' }, ` item ${no}`);

export function venuesPage() {
  const rows = store.venues.map((venue) => {
    const kiosks = [...store.kiosks.values()].filter((kiosk) => kiosk.venue === venue.id && kiosk.standing === 'admitted');
    const entrances = venue.entrances ?? [];
    return {
      key: venue.id,
      cells: [
        [
          h('strong', {}, venue.name),
          h('br'),
          h('span', { class: 'quiet' }, [venue.organisation, venue.site, venue.region].filter(Boolean).join(' · ') || venue.kind),
        ],
        entrances.length === 0
          ? '–'
          : h('span', {}, entrances.map(({ name, direction }) => `${name || 'Door'} (${DIRECTION[direction]})`).join(', ')),
        `${kiosks.filter(({ isConnected }) => isConnected).length} of ${kiosks.length} connected`,
        [
          `Stay ${lasting(venue.dwellMs)}`,
          venue.lingeringMs > 0 ? `, air lingers ${lasting(venue.lingeringMs)}` : '',
          venue.thresholdCelsius === undefined ? '' : `, high from ${venue.thresholdCelsius.toFixed(1)} °C`,
          h('br'),
          h('span', { class: 'quiet' }, `${venue.timezone}, ${unsignedWords(venue)}`),
        ],
        isManager()
          ? h(
              'div',
              { class: 'row-actions' },
              h(
                'button',
                { 'data-action': 'enrol', 'data-venue': venue.id },
                'New kiosk …',
                h('span', { class: 'unseen' }, ` at ${venue.name}`),
              ),
              h(
                'button',
                { class: 'plain', 'data-action': 'edit-venue', 'data-venue': venue.id },
                'Edit …',
                h('span', { class: 'unseen' }, ` ${venue.name}`),
              ),
              h(
                'button',
                { class: 'plain', 'data-action': 'entrances', 'data-venue': venue.id },
                'Doors …',
                h('span', { class: 'unseen' }, ` of ${venue.name}`),
              ),
            )
          : '',
      ],
    };
  });
  const add = isManager()
    ? h(
        'div',
        { class: 'row-actions' },
        h('a', { href: '#/codes' }, 'Codes that were given out'),
        h('button', { 'data-action': 'edit-venue' }, 'Add a venue …'),
      )
    : undefined;
  if (rows.length === 0) return [head('Venues', add), empty('off', 'No venue yet.')];
  return [head('Venues', add), table('venues', ['Venue', 'Doors', 'Kiosks', 'Rules', ''], rows)];
}

const UNSIGNED = {
  'as-gateway': 'unsigned cards: as the gateway says',
  taken: 'unsigned cards are taken',
  refused: 'unsigned cards are refused',
};
const unsignedWords = (venue) => UNSIGNED[venue.unsignedCards] ?? '';

export function gatewayPage() {
  const { gateway } = store;
  if (gateway === undefined) return [head('Gateway'), loading()];
  const { disk } = gateway;
  const left =
    disk.daysLeft === undefined
      ? disk.growthBytesPerDay === undefined
        ? 'not known until an hour has been measured'
        : 'nothing grows'
      : count(Math.floor(disk.daysLeft), 'day', 'days');
  return [
    head('Gateway'),
    gateway.troubles.length === 0
      ? undefined
      : h(
          'ul',
          { class: 'troubles', 'data-key': 'troubles' },
          gateway.troubles.map((trouble, index) => troubleItem(trouble, undefined, undefined, `${index}`)),
        ),
    h(
      'div',
      { class: 'columns', 'data-key': 'columns' },
      h(
        'section',
        { class: 'panel' },
        h('h2', {}, 'This gateway'),
        facts([
          ['Deployment', h('code', {}, gateway.deployment)],
          ['Software', gateway.version],
          ['Running for', span(gateway.atMs - gateway.startedAtMs)],
          ['Audit log', h('a', { href: '#/audit' }, count(gateway.auditEntries, 'entry', 'entries'))],
          ['Events on MQTT that no reader took in time', number(gateway.droppedEvents)],
          ['Second place of revocations', placeWords(gateway)],
          ['TLS key', keyWords(gateway.key)],
          ['Key for records', recipientWords(gateway.recipient)],
          ['Notices', noticeWords(gateway)],
          ['Cards taken back', takenBackWords(gateway.takenBack)],
          ['Release to kiosks', [rolloutWords(gateway.rollout), ' ', h('a', { href: '#/releases' }, 'Each kiosk’s release')]],
          ...(gateway.restored === undefined ? [] : [['Brought back', restoredWords(gateway.restored)]]),
        ]),
        h('label', { for: 'level' }, 'Log lines from this level on'),
        h(
          'select',
          { id: 'level', 'data-change': 'level', disabled: !isManager() },
          ['debug', 'info', 'warn', 'error', 'silent'].map((level) =>
            h('option', { value: level, selected: level === gateway.logLevel }, level),
          ),
        ),
      ),
      h(
        'section',
        { class: 'panel' },
        h('h2', {}, 'Disk'),
        facts([
          ['Free', bytes(disk.freeBytes)],
          ['Kept here', bytes(disk.usedBytes)],
          ['Grows by', disk.growthBytesPerDay === undefined ? 'being measured' : `${bytes(Math.max(0, disk.growthBytesPerDay))} a day`],
          ['Lasts', left],
        ]),
        h('h2', {}, 'Forwarding'),
        gateway.sinks.length === 0
          ? h('p', { class: 'quiet' }, 'Nothing is forwarded.')
          : facts(
              gateway.sinks.map(({ name, behindEntries, waitingSinceMs, setAsideEntries, why, droppedEntries, unerasedRows = 0 }) => [
                name,
                [
                  why ?? (behindEntries === 0 ? 'has everything' : `${number(behindEntries)} behind`),
                  why !== undefined && behindEntries > 0 ? ` ${number(behindEntries)} behind` : '',
                  waitingSinceMs !== undefined && gateway.atMs - waitingSinceMs > 60_000
                    ? `, the oldest for ${span(gateway.atMs - waitingSinceMs)}`
                    : '',
                  setAsideEntries > 0 ? `, ${number(setAsideEntries)} refused and set aside` : '',
                  unerasedRows > 0 ? `, ${count(unerasedRows, 'record', 'records')} of taken-back cards not erased yet` : '',
                  droppedEntries > 0 ? `, ${number(droppedEntries)} lost to retention` : '',
                ],
              ]),
            ),
      ),
      h(
        'section',
        { class: 'panel' },
        h('h2', {}, 'Refused'),
        gateway.refused.length === 0
          ? h('p', { class: 'quiet' }, 'Nobody was refused since the gateway started.')
          : h(
              'ul',
              { class: 'troubles' },
              gateway.refused
                .slice(0, 12)
                .map(({ kiosk, code, meaning, count: times, lastAtMs }) =>
                  h(
                    'li',
                    { 'data-key': `${kiosk} ${code}` },
                    h('strong', {}, kiosk === undefined ? 'Somebody' : nameOf(kiosk)),
                    ` ${count(times, 'time', 'times')}, last ${ago(lastAtMs, gateway.atMs)}`,
                    h('br'),
                    h('span', { class: 'quiet' }, meaning),
                  ),
                ),
            ),
      ),
    ),
  ];
}

function placeWords({ secondPlace, atMs }) {
  if (secondPlace === undefined) return 'none named';
  const { staleSinceMs, why } = secondPlace;
  return staleSinceMs === undefined ? 'up to date' : `behind for ${span(atMs - staleSinceMs)}${why === undefined ? '' : `: ${why}`}`;
}

function noticeWords({ notices, atMs }) {
  if (notices === undefined) return 'not looked yet';
  const { cards, leftOut, kiosks, told, unheard } = notices;
  const still = unheard.map(({ sink, why, sinceMs }) => `; ${sink} not heard for ${span(atMs - sinceMs)}: ${why}`).join('');
  const more = leftOut > 0 ? `, ${number(leftOut)} more without room` : '';
  return `for ${count(cards, 'card', 'cards')}${more}, told to ${number(told)} of ${count(kiosks, 'kiosk', 'kiosks')}${still}`;
}

const takenBackWords = ({ cards, pending }) =>
  cards === 0 ? 'none' : `${number(cards)}${pending > 0 ? `, ${number(pending)} not at every kiosk yet` : ', all done'}`;

/** By what kiosks know this gateway. */
function keyWords({ madeAtMs, kiosks, followed, mayNotFollow }) {
  const unable = mayNotFollow > 0 ? `; ${count(mayNotFollow, 'kiosk has', 'kiosks have')} not said that they could follow to another` : '';
  if (madeAtMs === undefined) return `the first${unable}`;
  return `of ${when(madeAtMs)}, followed by ${number(followed)} of ${count(kiosks, 'kiosk', 'kiosks')}${unable}`;
}

/** For whom kiosks seal. */
function recipientWords({ madeAtMs, kiosks, followed, earlier, earlierMayGoAtMs }) {
  if (madeAtMs === undefined) return 'the first';
  const may = earlierMayGoAtMs === undefined ? 'are needed until all do' : `may go from ${when(earlierMayGoAtMs)}`;
  const before = earlier === 0 ? '' : `; ${count(earlier, 'key', 'keys')} before it: ${may}`;
  return `of ${when(madeAtMs)}, sealed for by ${number(followed)} of ${count(kiosks, 'kiosk', 'kiosks')}${before}`;
}

function rolloutWords(rollout) {
  if (rollout === undefined) return 'none was sent from here.';
  const { version, state, percent, meant, kept, underWay, failed } = rollout;
  return `${version}, ${state}, to ${percent} %: kept by ${number(kept)} of ${count(meant, 'kiosk', 'kiosks')}, ${number(underWay)} under way, ${number(failed)} without it.`;
}

const restoredWords = ({ backupAtMs, restoredAtMs, kiosks, sentAgain }) =>
  `${when(restoredAtMs)}, from a backup of ${when(backupAtMs)}; ${number(sentAgain)} of ${count(kiosks, 'kiosk', 'kiosks')} sent again`;

const FINDING = {
  whole: ['good', 'The log is whole: nothing was changed, taken out or cut off.'],
  broken: ['act', 'The log was changed: an entry does not follow from those before it.'],
  cut: ['act', 'The log was cut off: it once went further.'],
  unchecked: ['off', 'The log is too long to be checked here: “vestibule audit verify” does.'],
};

export function auditPage() {
  const answer = store.answers.get('/api/1/audit');
  if (!isManager()) return [head('Audit'), empty('off', 'Only a manager may read the audit log.')];
  if (answer === undefined) return [head('Audit'), loading()];
  const [tone, words] = FINDING[answer.finding];
  const rows = answer.entries.map(({ entry, atMs, who, via, action, about, detail }) => ({
    key: String(entry),
    cells: [
      number(entry),
      exactly(atMs),
      [who, ' ', h('span', { class: 'quiet' }, via)],
      h('code', {}, action),
      [about, detail === '' ? '' : ` ${detail}`],
    ],
  }));
  return [
    head('Audit', h('button', { 'data-action': 'reload' }, 'Read again')),
    h(
      'p',
      { class: 'notice', 'data-tone': tone, 'data-key': 'finding' },
      words,
      h('br'),
      h('span', { class: 'quiet' }, 'Note this elsewhere now and then: '),
      h('code', {}, answer.head),
    ),
    table('audit', ['No', 'When, UTC', 'Who', 'What', 'About'], rows),
  ];
}

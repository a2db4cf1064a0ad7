// A release on its way to kiosks: how far each is, what it runs, and for managers to hold it, go on with it, or end it.
import { h, sign } from './dom.js';
import { facts } from './kiosk.js';
import { empty, head, loading, table } from './lists.js';
import { isManager, store, venueOf } from './store.js';
import { ago, count, kioskName, number, when } from './words.js';

const STATE = { running: 'under way', paused: 'paused', stopped: 'ended' };
/** With its tone, those that somebody should look at first. */
const PHASE = {
  failed: ['act', 'Went back'],
  refused: ['act', 'Refused'],
  trying: ['look', 'On trial'],
  ready: ['look', 'Ready'],
  taking: ['look', 'Taking'],
  waiting: ['look', 'Waiting'],
  offered: ['look', 'Told'],
  kept: ['good', 'Kept'],
};
const ORDER = Object.keys(PHASE);
const rank = ({ release }) => (release === undefined ? ORDER.length : ORDER.indexOf(release.phase));

export function releasesPage() {
  const back = h('p', { 'data-key': 'back' }, h('a', { href: '#/gateway' }, '← Gateway'));
  const { gateway } = store;
  if (gateway === undefined) return [back, head('Releases'), loading()];
  const kiosks = [...store.kiosks.values()].filter(({ standing }) => standing === 'admitted');
  return [
    back,
    head('Releases'),
    gateway.rollout === undefined ? notYet() : rolloutPanel(gateway.rollout, gateway.atMs),
    h('h2', { 'data-key': 'each' }, 'Each kiosk'),
    kiosks.length === 0
      ? empty('off', 'No kiosk is admitted yet.')
      : table(
          'releases',
          ['Kiosk', 'Runs', 'With the release', 'Since'],
          kiosks.toSorted(byNeed).map((kiosk) => row(kiosk, gateway)),
        ),
  ];
}

const notYet = () =>
  h(
    'p',
    { class: 'quiet', 'data-key': 'intro' },
    'No release was sent to kiosks from here yet. On the gateway, where the bundle is: ',
    h('code', {}, 'vestibule rollout start BUNDLE --key release.pub --to 5'),
  );

function rolloutPanel({ number: no, version, state, percent, startedAtMs, meant, mostFailed, kept, underWay, failed }, atMs) {
  const action = (name, words, grave) =>
    h(
      'button',
      { 'data-action': name, 'data-number': no, ...(grave && { class: 'grave' }) },
      words,
      h('span', { class: 'unseen' }, ` of release ${version}`),
    );
  return h(
    'section',
    { class: 'panel', 'data-key': 'rollout' },
    h('h2', {}, `Release ${version}, ${STATE[state]}`),
    facts([
      ['Goes to', `${percent} % of the kiosks that it is meant for: ${count(meant, 'kiosk', 'kiosks')}`],
      ['Kept by', number(kept)],
      ['Under way', number(underWay)],
      ['Without it', `${number(failed)}; it pauses by itself with more than ${number(mostFailed)}`],
      ['Started', `${when(startedAtMs)}, ${ago(startedAtMs, atMs)}`],
    ]),
    isManager() && state !== 'stopped'
      ? h(
          'div',
          { class: 'row-actions' },
          state === 'running' ? action('rollout-pause', 'Pause …') : action('rollout-go-on', 'Go on …'),
          percent < 100 ? action('rollout-more', 'To more kiosks …') : undefined,
          action('rollout-stop', 'End it …', true),
        )
      : undefined,
  );
}

function row(kiosk, { atMs }) {
  const venue = venueOf(kiosk);
  const { release, version } = kiosk;
  return {
    key: kiosk.kiosk,
    cells: [
      [
        h('a', { href: `#/kiosk/${kiosk.kiosk}` }, kioskName(kiosk, venue)),
        h('br'),
        h('span', { class: 'quiet' }, venue?.name ?? 'No venue'),
      ],
      version ?? 'not told yet',
      release === undefined ? h('span', { class: 'quiet' }, 'not told of it') : phaseOf(release),
      release === undefined ? '' : h('span', { class: 'quiet' }, ago(release.atMs, atMs)),
    ],
  };
}

function phaseOf({ phase, percent, why }) {
  const [tone, words] = PHASE[phase];
  return [
    h('span', { class: 'state-word', 'data-tone': tone }, sign(tone), percent === undefined ? words : `${words}, ${percent} %`),
    why === undefined ? undefined : [h('br'), h('span', { class: 'quiet' }, why)],
  ];
}

const byNeed = (a, b) => rank(a) - rank(b) || kioskName(a, venueOf(a)).localeCompare(kioskName(b, venueOf(b)));

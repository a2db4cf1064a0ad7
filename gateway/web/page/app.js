// The frame: session, pages by address, live changes, and what a click does.
import { ask, listen } from './api.js';
import { codesPage } from './codes.js';
import { h, opened, show } from './dom.js';
import { kioskPage } from './kiosk.js';
import { auditPage, flagsPage, gatewayPage, quarantinePage, venuesPage } from './lists.js';
import { editEntrances, editVenue, enrol, nameKiosk, widenRollout } from './manage.js';
import { overview } from './overview.js';
import { releasesPage } from './releases.js';
import { isManager, store, takeAll, takeChange } from './store.js';
import { kioskName, number } from './words.js';

const of = (id) => document.getElementById(id);
let source;
let page = [];

const isId = (text) => /^[0-9a-hjkmnp-tv-z]{16}$/.test(text ?? '');

const PAGES = {
  '': { name: 'Overview', draw: overview },
  kiosk: { name: 'Kiosk', draw: kioskPage, asks: (kiosk) => (isId(kiosk) ? `/api/1/kiosks/${kiosk}` : undefined) },
  flags: { name: 'Flags', draw: flagsPage, asks: () => '/api/1/flags' },
  quarantine: {
    name: 'Quarantine',
    draw: quarantinePage,
    asks: (kiosk) => (kiosk === undefined ? '/api/1/quarantine' : `/api/1/quarantine?kiosk=${kiosk}`),
  },
  venues: { name: 'Venues', draw: venuesPage },
  codes: { name: 'Codes', draw: codesPage, asks: () => (isManager() ? '/api/1/codes' : undefined) },
  gateway: { name: 'Gateway', draw: gatewayPage },
  releases: { name: 'Releases', draw: releasesPage },
  audit: { name: 'Audit', draw: auditPage, asks: () => (isManager() ? '/api/1/audit' : undefined) },
};
const IN_BAR = ['', 'flags', 'quarantine', 'venues', 'gateway', 'audit'];

const known = () => PAGES[page[0] ?? ''] ?? PAGES[''];

function draw() {
  if (store.session === undefined) {
    show(of('top'));
    show(of('main'), loginPage());
    return;
  }
  show(of('top'), bar());
  show(
    of('main'),
    store.trouble === '' ? undefined : h('p', { class: 'notice', 'data-tone': 'act', 'data-key': 'trouble', role: 'alert' }, store.trouble),
    ...known().draw(page[1]),
  );
  show(of('foot'), store.gateway === undefined ? '' : `Vestibule ${store.gateway.version} · no visitor is ever named here`);
}

function bar() {
  const { gateway, session, live } = store;
  const badges = {
    flags: gateway === undefined ? 0 : gateway.flags.confirmed + gateway.flags.unconfirmed,
    quarantine: gateway?.quarantined ?? 0,
  };
  const words = { on: 'Live', lost: 'Not live', none: 'Connecting' };
  return h(
    'div',
    { class: 'bar' },
    h('a', { class: 'brand', href: '#/' }, h('img', { src: '/icon.svg', alt: '', width: 27, height: 27 }), 'Vestibule'),
    h(
      'nav',
      { class: 'pages', 'aria-label': 'Pages' },
      IN_BAR.map((name) =>
        h(
          'a',
          { href: `#/${name}`, 'aria-current': known() === PAGES[name] ? 'page' : undefined, 'data-key': `to ${name}` },
          PAGES[name].name,
          badges[name] > 0 ? h('span', { class: 'badge' }, number(badges[name])) : undefined,
        ),
      ),
    ),
    h(
      'div',
      { class: 'tools' },
      h('span', { class: 'pulse', 'data-live': live }, words[live]),
      h('button', { class: 'plain', 'data-action': 'theme', 'aria-label': `Colours: ${themeWord()}. Change` }, `◐ ${themeWord()}`),
      h('button', { class: 'plain', 'data-action': 'leave' }, h('span', { class: 'wide-only' }, `${session.account} · `), 'Log out'),
    ),
  );
}

function loginPage() {
  return h(
    'div',
    { class: 'login', 'data-key': 'login' },
    h(
      'form',
      { class: 'panel', 'data-submit': 'login' },
      h('p', { class: 'brand' }, h('img', { src: '/icon.svg', alt: '', width: 27, height: 27 }), 'Vestibule'),
      h('h1', {}, 'Log in'),
      store.trouble === ''
        ? undefined
        : h('p', { class: 'notice', 'data-tone': 'act', role: 'alert', 'data-key': 'trouble' }, store.trouble),
      h('label', { for: 'account' }, 'Account'),
      h('input', {
        id: 'account',
        name: 'account',
        autocomplete: 'username',
        autocapitalize: 'off',
        spellcheck: 'false',
        required: true,
        maxlength: 64,
      }),
      h('label', { for: 'password' }, 'Password'),
      h('input', { id: 'password', name: 'password', type: 'password', autocomplete: 'current-password', required: true, maxlength: 256 }),
      h('button', { class: 'first', type: 'submit' }, 'Log in'),
      h(
        'p',
        { class: 'quiet', 'data-key': 'hint' },
        'No account yet? On the gateway: ',
        h('code', {}, 'npx vestibule operator add NAME --role manager'),
      ),
    ),
  );
}

/** Auto, dark, light: kept in this browser alone. */
const THEMES = { auto: 'Auto', dark: 'Dark', light: 'Light' };
const theme = () => localStorage.getItem('theme') ?? 'auto';
const themeWord = () => THEMES[theme()] ?? 'Auto';
function setTheme(name) {
  localStorage.setItem('theme', name);
  if (name === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
}

/** Says it to those who do not see the page change. */
function say(words) {
  of('announce').textContent = words;
}

function goTo() {
  page = location.hash.replace(/^#\/?/, '').split('/').filter(Boolean);
  store.trouble = '';
  document.title = `${known().name} · Vestibule`;
  draw();
  void load();
}

/** What a page asks for itself, besides what is told live. */
async function load() {
  const path = store.session === undefined ? undefined : known().asks?.(page[1]);
  if (path === undefined) return;
  await tried(async () => {
    const answer = await ask('GET', path);
    store.answers.set(path, { ...answer, askedAtMs: Date.now() });
  });
}

/** Runs it; what is refused is said. */
async function tried(run) {
  try {
    await run();
    store.trouble = '';
  } catch (error) {
    if (error.status === 401 && store.session !== undefined) return leave('Your session has ended. Please log in again.');
    store.trouble = error.retryAfterS > 1 ? `${error.message}.` : capital(error.message);
    say(store.trouble);
  }
  draw();
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

function begin(session) {
  store.session = session;
  store.trouble = '';
  let headline = '';
  const heard = () => {
    store.live = 'on';
    if (headline !== '' && headline !== store.gateway.headline) say(store.gateway.headline);
    headline = store.gateway.headline;
    draw();
  };
  source?.close();
  source = listen({
    all: (told) => {
      takeAll(told);
      heard();
    },
    change: (told) => {
      const before = JSON.stringify([store.gateway.flags, store.gateway.quarantined]);
      takeChange(told);
      heard();
      if (before !== JSON.stringify([store.gateway.flags, store.gateway.quarantined])) void load();
    },
    still: ({ atMs }) => {
      store.gateway = { ...store.gateway, atMs };
      heard();
    },
    lost: (isForGood) => {
      store.live = 'lost';
      say('The page is not live: the gateway does not answer');
      draw();
      if (isForGood) setTimeout(resume, 3_000);
    },
    ended: () => leave('Your session has ended. Please log in again.'),
  });
  goTo();
}

function leave(words = '') {
  source?.close();
  store.session = undefined;
  store.gateway = undefined;
  store.kiosks = new Map();
  store.answers = new Map();
  store.trouble = words;
  draw();
  of('account')?.focus();
}

/** After a refused stream: a session that ended, or a gateway that is starting. */
async function resume() {
  try {
    begin(await ask('GET', '/api/1/session'));
  } catch (error) {
    if (error.status === 401) leave(store.session === undefined ? '' : 'Your session has ended. Please log in again.');
    else if (store.session !== undefined) setTimeout(resume, 3_000);
    else {
      store.trouble = capital(error.message);
      draw();
    }
  }
}

/** @returns whether the person went on. `word`, where given, must be typed first. */
function sure({ title, text, button, word, no = 'Keep as it is' }) {
  const dialog = of('ask');
  dialog.replaceChildren();
  show(
    dialog,
    h(
      'form',
      { method: 'dialog', 'data-key': title },
      h('h2', { id: 'ask-title' }, title),
      text.map((line) => h('p', {}, line)),
      word === undefined
        ? undefined
        : [
            h('label', { for: 'word' }, `To go on, type ${word}`),
            h('input', { id: 'word', autocomplete: 'off', 'data-word': word, 'data-input': 'word' }),
          ],
      h(
        'div',
        { class: 'row-actions' },
        h('button', { value: 'no' }, no),
        h('button', { value: 'yes', id: 'sure', class: 'grave sure', disabled: word !== undefined }, button),
      ),
    ),
  );
  if (of('word')) of('word').value = '';
  return opened(dialog);
}

/** What a manager confirmed is done to the rollout that was shown then. */
async function rollout(deed, no, question) {
  if (await sure(question)) await tried(() => ask('POST', `/api/1/rollout/${deed}`, { confirm: Number(no) }).then(() => say('Done')));
}

const ACTIONS = {
  theme: () => {
    const names = Object.keys(THEMES);
    setTheme(names[(names.indexOf(theme()) + 1) % names.length]);
    draw();
  },
  leave: async () => {
    await ask('DELETE', '/api/1/session').catch(() => {});
    leave();
  },
  filter: ({ value }) => {
    store.filter.tone = value;
    store.shown = 120;
    draw();
  },
  more: () => {
    store.shown += 120;
    draw();
  },
  reload: load,
  'close-dialog': () => of('ask').close('no'),
  enrol: ({ venue, kiosk }) => tried(() => enrol(venue, kiosk).then(load)),
  name: ({ kiosk }) => tried(() => nameKiosk(kiosk)),
  'edit-venue': ({ venue }) => tried(() => editVenue(venue)),
  revoke: async ({ kiosk: id }) => {
    const kiosk = store.kiosks.get(id);
    const venue = store.venues.find((other) => other.id === kiosk.venue);
    const isSure = await sure({
      title: `Revoke ${kioskName(kiosk, venue)} at ${venue?.name ?? 'no venue'}?`,
      text: [
        'It is cut off at once and may not connect again. It goes on welcoming people until somebody stops it at the door, and what it has not sent stays with it.',
        'Do this when a kiosk was stolen, copied or taken down.',
      ],
      button: 'Revoke',
      word: id.slice(-4),
    });
    if (isSure) await tried(() => ask('POST', `/api/1/kiosks/${id}/revoke`, { confirm: id }).then(() => say('Revoked')));
  },
  admit: async ({ kiosk: id }) => {
    const kiosk = store.kiosks.get(id);
    const venue = store.venues.find((other) => other.id === kiosk.venue);
    const isSure = await sure({
      title: `Admit ${kioskName(kiosk, venue)} at ${venue?.name ?? 'no venue'} again?`,
      text: [
        'It comes back within a minute, at the door where it hung, and sends what it kept.',
        'Not one that was stolen or copied: that one gets an empty data directory and a new code.',
      ],
      button: 'Admit',
      no: 'Keep it out',
    });
    if (isSure) await tried(() => ask('POST', `/api/1/kiosks/${id}/admit`, { confirm: id }).then(() => say('Admitted')));
  },
  'rollout-pause': ({ number: no }) =>
    rollout('pause', no, {
      title: `Pause release ${store.gateway.rollout.version}?`,
      text: [
        'No further kiosk takes it, and those that are taking it leave off. Kiosks that keep it go on with it; whichever is on trial ends that.',
      ],
      button: 'Pause',
      no: 'Let it go on',
    }),
  'rollout-go-on': ({ number: no }) =>
    rollout('go-on', no, {
      title: `Go on with release ${store.gateway.rollout.version}?`,
      text: [
        'Find out first why kiosks do without it: as many again may go back before it pauses. Those that went back are not asked again.',
      ],
      button: 'Go on',
      no: 'Leave it paused',
    }),
  'rollout-stop': ({ number: no }) =>
    rollout('stop', no, {
      title: `End the rollout of release ${store.gateway.rollout.version}?`,
      text: ['For good: another may be started then. Kiosks that keep it go on with it; the way back is a release with a higher version.'],
      button: 'End it',
    }),
  'rollout-more': () => tried(() => widenRollout(store.gateway.rollout)),
  withdraw: ({ number: code }) => tried(() => ask('DELETE', `/api/1/codes/${code}`).then(load)),
  entrances: ({ venue }) => tried(() => editEntrances(venue)),
  handled: ({ flag }) => tried(() => ask('POST', '/api/1/flags/handled', { flag }).then(load)),
  replay: ({ no }) =>
    tried(async () => {
      const answer = await ask('POST', `/api/1/quarantine/${no}/replay`);
      await load();
      const words =
        answer.outcome === 'taken'
          ? `Taken: ${answer.acceptedRows === 1 ? '1 record' : `${answer.acceptedRows} records`}.`
          : `Still not right: ${answer.meaning}`;
      say(words);
      if (answer.outcome !== 'taken') throw new Error(words);
    }),
  drop: async ({ no }) => {
    const isSure = await sure({
      title: `Throw item ${no} away?`,
      text: ['It is gone for good: no check-in in it will ever count.'],
      button: 'Throw away',
    });
    if (isSure) await tried(() => ask('DELETE', `/api/1/quarantine/${no}`).then(load));
  },
};

document.addEventListener('click', (event) => {
  const button = event.target.closest?.('[data-action]');
  if (button !== null && button !== undefined) ACTIONS[button.dataset.action]?.(button.dataset);
});
document.addEventListener('input', ({ target }) => {
  if (target.dataset.input === 'find') {
    store.filter.text = target.value;
    draw();
  }
  if (target.dataset.input === 'word') of('sure').disabled = target.value.trim().toLowerCase() !== target.dataset.word;
});
document.addEventListener('change', ({ target }) => {
  if (target.dataset.change === 'level') void tried(() => ask('PUT', '/api/1/log-level', { level: target.value }));
});
document.addEventListener('submit', (event) => {
  const form = event.target;
  if (form.dataset.submit === undefined) return;
  event.preventDefault();
  if (form.dataset.submit !== 'login') return;
  const { account, password } = Object.fromEntries(new FormData(form));
  void tried(async () => {
    const session = await ask('POST', '/api/1/session', { account: account.trim(), password });
    form.reset();
    begin(session);
    of('main').focus();
  });
});
window.addEventListener('hashchange', () => {
  goTo();
  of('main').focus();
  scrollTo(0, 0);
});
setTheme(theme());
await resume();
if (store.session === undefined) draw();

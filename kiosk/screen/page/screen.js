// The screen at the door: one answer at a time, back to rest by itself, nothing of anybody's kept. What it says comes from /words.js.
import { listen, send } from './feed.js';
import { openMenu } from './menu.js';
import { isBlocked, play, wake } from './sounds.js';
import { typing } from './typed.js';
import { IS_DESK, LANGUAGES, LOOKS, PASSAGES, RESTS } from './words.js';

const of = (id) => document.getElementById(id);
const stage = of('stage');

/** How long an answer stands, ms. Who waits for something finds it there until the kiosk says otherwise. */
const STANDS_MS = { good: 5000, note: 5000, wait: 15000, stop: 6000 };
const HELD_MS = 330000;
const SIGNS_THAT_TURN = new Set(['leave', 'enter', 'undo']);

let state = {
  rest: 'starting',
  language: document.documentElement.lang,
  sound: 'silent',
  missing: [],
  faults: [],
  isOnline: false,
  queued: undefined,
  status: '',
};
/** Why the kiosk is not heard; `undefined` while it is. */
let lost;
let back;
/** Kept to be said again in another language; never whose it is. */
let shown;

export const words = () => LANGUAGES[state.language] ?? LANGUAGES.en;

/** Letters that are wider, or narrower, than others in most faces, by how much. */
const widthOf = (letter) =>
  /[mwMWœŒ@%—…]/.test(letter) ? 1.55 : /[A-ZÄÖÜÉÈÀÇÑ]/.test(letter) ? 1.12 : /[iljtfrI.,:;’'!|¡ ]/.test(letter) ? 0.66 : 1;
const lengthOf = (text) => [...text].reduce((sum, letter) => sum + widthOf(letter), 0);

const LINES = [1, 2, 3, 4, 5, 6];

/** @returns how long a line must be, in letters, for the words to fit on so many of them. */
function lineFor(words, lines) {
  const isEnough = (room) => {
    let [count, used] = [1, 0];
    for (const word of words) {
      const longer = used === 0 ? word : used + widthOf(' ') + word;
      if (longer > room) count += 1;
      used = longer > room ? word : longer;
    }
    return count <= lines;
  };
  let room = Math.max(4, ...words);
  while (!isEnough(room)) room += 0.5;
  return room;
}

/** Puts a text in its place, and tells the style how long its lines are on one line, on two, …: what it fits it by. */
function put(id, text) {
  const place = of(id);
  if (place.textContent === text) return;
  place.textContent = text;
  const words = text.split(/\s+/).map(lengthOf);
  for (const lines of LINES) place.style.setProperty(`--line-${lines}`, lineFor(words, lines));
}

export function show({ tone, sign, text, more, aside = '', isCode = false, isKeptHere = false, needsSomebody = false }) {
  stage.dataset.tone = tone;
  stage.dataset.kept = isKeptHere ? 'here' : '';
  stage.dataset.needs = needsSomebody ? 'somebody' : '';
  of('sign').setAttribute('href', `#s-${sign}`);
  of('sign').classList.toggle('turns', SIGNS_THAT_TURN.has(sign));
  put('text', text);
  put('more', more);
  put('aside', aside);
  if (isCode) of('aside').dir = 'ltr';
  else of('aside').removeAttribute('dir');
}

function rest() {
  clearTimeout(back);
  back = undefined;
  shown = undefined;
  stage.style.removeProperty('--for');
  const name = lost ?? state.rest;
  const [text, more] = words().rests[name];
  const isTrouble = RESTS[name].tone !== 'ready' && lost === undefined && name !== 'out-of-order';
  // In the type of what else there is to do: who mends it looks at the foot.
  const faults = lost === undefined && !isTrouble ? state.faults.map((fault) => words().faults[fault]) : [];
  show({
    ...RESTS[name],
    text,
    more: [more, ...faults].filter(Boolean).join(' '),
    aside: isTrouble ? state.status : '',
    isCode: isTrouble,
    needsSomebody: faults.length > 0,
  });
}

/** The same for an answer with a notice as for one without. */
function standsMs({ kind }) {
  const { tone } = LOOKS[kind];
  if (kind.startsWith('holder-')) return kind === 'holder-left' ? 1500 : HELD_MS;
  return IS_DESK && tone === 'wait' ? HELD_MS : STANDS_MS[tone];
}

function say(answer) {
  const { kind, isStoredOffline, hasNotice } = answer;
  const { answers, storedOffline, stub, notice } = words();
  const [text, more] = answers[kind];
  const forMs = standsMs(answer);
  clearTimeout(back);
  shown = answer;
  stage.dataset.turn = stage.dataset.turn === 'a' ? 'b' : 'a';
  stage.style.setProperty('--for', `${forMs}ms`);
  const below = PASSAGES.includes(kind) ? [hasNotice ? notice : stub] : [];
  const aside = [...(isStoredOffline ? [storedOffline] : []), ...below].join(' ');
  show({ ...LOOKS[kind], text, more, aside, isKeptHere: isStoredOffline });
  back = setTimeout(rest, forMs);
  holderButtons(kind);
}

/** What the kiosk did not take, or could not be told. */
export function tell(isTaken) {
  if (isTaken === true) return;
  const [text, more] = isTaken === false ? words().notTaken : words().rests.lost;
  clearTimeout(back);
  stage.dataset.turn = stage.dataset.turn === 'a' ? 'b' : 'a';
  stage.style.setProperty('--for', `${STANDS_MS.stop}ms`);
  show({ tone: 'stop', sign: 'cross', text, more });
  play('stop', state.sound);
  back = setTimeout(rest, STANDS_MS.stop);
}

const chip = (sign, text, isBad = false) => {
  const made = document.createElement('span');
  made.className = isBad ? 'chip bad' : 'chip';
  made.append(icon(sign), text);
  return made;
};

export function icon(sign) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  use.setAttribute('href', `#s-${sign}`);
  svg.append(use);
  return svg;
}

function strip() {
  const { strip: say } = words();
  const { direction, isOnline, queued, missing, sound } = state;
  const door = { in: ['enter', say.in], out: ['leave', say.out], both: ['both', say.both] }[direction];
  const chips = [
    ...(door === undefined ? [] : [chip(...door)]),
    chip(
      isOnline ? 'online' : 'cut',
      isOnline ? say.online : [say.offline, queued > 0 ? say.waiting.replace('{count}', queued) : ''].filter(Boolean).join(' · '),
    ),
    ...(sound === 'silent' ? [chip('silent', say.silent)] : isBlocked() ? [chip('silent', say.soundBlocked)] : []),
    ...missing.map((name) => chip('unplugged', `${say.missing} ${name}`, true)),
  ];
  of('chips').replaceChildren(...(lost === undefined ? chips : []));
  // Nobody is there to obey them.
  of('buttons').hidden = lost !== undefined;
}

const BUTTONS = IS_DESK ? ['positive', 'negative', 'void', 'cancel', 'holder', 'holder-revoke'] : ['holder', 'holder-revoke'];

function buttons() {
  const { strip: say } = words();
  const texts = {
    positive: say.positive,
    negative: say.negative,
    void: say.void,
    cancel: say.clear,
    holder: say.myCard,
    'holder-revoke': say.takeBack,
  };
  of('buttons').replaceChildren(
    ...BUTTONS.map((command) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.dataset.command = command;
      button.textContent = texts[command];
      button.hidden = command === 'holder-revoke';
      button.addEventListener('click', () => send('/staff', { command }).then(tell));
      return button;
    }),
  );
}

/** To take a card back is offered only to who has begun to ask for it. */
function holderButtons(kind) {
  const revoke = document.querySelector('[data-command="holder-revoke"]');
  if (revoke !== null) revoke.hidden = !kind.startsWith('holder-') || kind === 'holder-left';
}

const menu = openMenu(of('menu'), { words, icon, state: () => state });

function speak(language) {
  const { direction } = LANGUAGES[language];
  document.documentElement.lang = language;
  document.documentElement.dir = direction;
  buttons();
}

function all() {
  if (state.language !== document.documentElement.lang || of('buttons').childElementCount === 0) speak(state.language);
  strip();
  if (shown === undefined) rest();
  else {
    const [text, more] = words().answers[shown.kind];
    put('text', text);
    put('more', more);
  }
}

listen({
  state(said) {
    const wasLost = lost !== undefined;
    const isWorse = said.rest !== state.rest && RESTS[said.rest].tone !== 'ready';
    state = said;
    lost = undefined;
    // A kiosk that comes to trouble says so at once, over the answer before.
    if (wasLost || isWorse) rest();
    all();
  },
  feedback(answer) {
    play(LOOKS[answer.kind].sound, state.sound, answer.isStoredOffline);
    say(answer);
    menu.heard(answer);
  },
  menu(said) {
    menu.show(said);
  },
  lost(why) {
    if (lost === why) return;
    lost = why;
    menu.show({ isOpen: false });
    rest();
    strip();
  },
});

const scan = (text) => send('/scan', { text }).then(tell);
window.addEventListener('keydown', typing(scan), { capture: true });
window.addEventListener('keydown', ({ key }) => {
  if (IS_DESK && key === 'Escape' && !of('menu').open) void send('/staff', { command: 'cancel' }).then(tell);
});
// A code that was copied, for a try without a scanner.
window.addEventListener('paste', (event) => {
  const text = event.clipboardData?.getData('text').trim();
  if (text) void scan(text);
});
// The browser may wait for a touch before anything sounds.
wake().then(strip, () => {});
for (const name of ['pointerdown', 'keydown']) window.addEventListener(name, () => wake().then(strip, () => {}), { passive: true });
speak(state.language);
all();

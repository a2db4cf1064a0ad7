// Set-up, as its machine in the kiosk says: asks it twice a second what there is to do, and tells it what a person says.
import { typing } from './typed.js';

const EVERY_MS = 500;
const of = (id) => document.getElementById(id);
const post = (path, body = {}) =>
  fetch(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
const command = (body) => post('/setup/command', body).then(look);

function element(name, props = {}, ...children) {
  const made = Object.assign(document.createElement(name), props);
  made.append(...children);
  return made;
}
const button = (text, onclick, className = '') => element('button', { type: 'button', textContent: text, onclick, className });

let drawn = '';

let isResetting = false;

/** While devices are tried there is no field to type into, and a scanner that types is one of them. */
let isTrying = false;
const scan = (text) => post('/setup/scan', { text }).then(look);
const typed = typing(scan);
addEventListener('keydown', (event) => isTrying && typed(event), true);

function draw({ state, words, outcome, language, mayChange, portUses, unsent }) {
  const key = JSON.stringify([state, outcome, language, mayChange, isResetting && unsent, isResetting]);
  if (key === drawn) return;
  const isOther = JSON.parse(drawn || '[{}]')[0].step !== state.step;
  drawn = key;
  document.documentElement.lang = language;
  document.documentElement.dir = language === 'ar' ? 'rtl' : 'ltr';
  of('title').textContent = words.title;
  document.title = words.title;
  const names = Object.keys(words.steps);
  const at = state.step === 'done' ? names.length : names.indexOf(state.step);
  of('steps').replaceChildren(
    ...names.map((name, index) => {
      const item = element('li', { textContent: `${index < at ? '✓' : index + 1} ${words.steps[name]}` });
      if (index === at) item.setAttribute('aria-current', 'step');
      return item;
    }),
  );
  isTrying = state.step === 'devices';
  of('ask').textContent = words.asks[state.step];
  of('outcome').textContent = outcome;
  // What somebody is typing in stays under their hands.
  if (isOther || state.step === 'devices') of('work').replaceChildren(...(WORK[state.step]?.(state, words, portUses) ?? []));
  of('buttons').replaceChildren(
    ...buttonsOf(state, words, mayChange),
    ...(mayChange && unsent !== undefined ? resetButtons(words, unsent) : []),
  );
  // Not a box: what a scanner types is not to change it.
  if (isOther) of('work').querySelector('form input')?.focus();
}

const field = (label, isSecret, onText) => {
  const input = element('input', {
    className: isSecret ? 'secret' : '',
    maxLength: isSecret ? 4096 : 64,
    autocomplete: 'off',
    ariaLabel: label,
    placeholder: label,
  });
  const form = element('form', {}, input);
  form.onsubmit = (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (isSecret) input.value = '';
    if (text !== '') onText(text, input);
  };
  return form;
};

/** What is refused may be a code that a scanner typed: it does not stay for all to read. */
async function useName(name, input, words) {
  const { ok } = await post('/setup/command', { kind: 'name', name });
  await look();
  if (ok) return;
  input.value = '';
  of('outcome').textContent = words.notName;
}

/** Goes on, with the name that stands in the field: who typed one means it, whichever button is pressed. */
function goOn() {
  const form = of('work').querySelector('form');
  if (form === null || form.querySelector('input').value.trim() === '') return command({ kind: 'next' });
  return form.requestSubmit();
}

const WORK = {
  enrol: (_state, words) => [field(words.typeCode, true, scan)],
  name: (_state, words) => {
    const form = field(words.steps.name, false, (name, input) => useName(name, input, words));
    form.append(element('button', { textContent: words.saveName }));
    return [form];
  },
  devices: ({ devices }, words, portUses) => [
    devices.length === 0
      ? element('p', { textContent: words.noDevices })
      : element('ul', {}, ...devices.map((one) => deviceItem(one, words, portUses))),
    element('label', {}, snifferBox(devices), ` ${words.sniffer}`),
  ],
};

function deviceItem({ name, kind, isUp, why, isTried }, words, portUses) {
  const said = !isUp ? `✗ ${words.down.replace('{code}', why ?? '')}` : isTried ? `✓ ${words.tried}` : words.tryIt[kind];
  const item = element(
    'li',
    {},
    element('strong', { textContent: `${words.kinds[kind]} ` }),
    element('bdi', { textContent: name }),
    `: ${said} `,
  );
  if (kind === 'board' && isUp && !isTried) item.append(button(words.seen, () => command({ kind: 'seen', device: name })));
  if (name.startsWith('serial-') || name === 'thermometer' || name === 'board') {
    const choice = element(
      'select',
      { ariaLabel: words.kinds[kind] },
      new Option('…', ''),
      ...portUses.map((use) => new Option(words.uses[use], use)),
    );
    choice.onchange = () => choice.value !== '' && command({ kind: 'use', device: name, as: choice.value });
    item.append(choice);
  }
  return item;
}

function snifferBox(devices) {
  const box = element('input', { type: 'checkbox', checked: devices.some(({ kind }) => kind === 'sniffer') });
  box.onchange = () => command({ kind: 'sniffer', isOn: box.checked });
  return box;
}

function buttonsOf({ step, isBusy }, words, mayChange) {
  const door = button(step === 'done' ? words.back : words.later, () => post('/setup/later').then(() => location.replace('/')));
  if (step === 'enrol') return [];
  if (step === 'name' || step === 'devices') return [button(words.next, goOn), door];
  if (step === 'delivery') return [...(isBusy ? [] : [button(words.again, () => command({ kind: 'again' }))]), door];
  return mayChange
    ? [door, ...['name', 'devices', 'delivery'].map((one) => button(words.steps[one], () => command({ kind: 'step', step: one })))]
    : [door];
}

/** Asked twice, the second time with what would be lost. */
function resetButtons(words, unsent) {
  const turn = (isIt) => () => {
    isResetting = isIt;
    return look();
  };
  if (!isResetting) return [button(words.reset, turn(true), 'danger')];
  const erase = () => post('/setup/reset', { unsent }).then(turn(false));
  return [
    element('p', { textContent: unsent === 'unknown' ? words.resetBlind : words.resetAsk.replace('{count}', unsent) }),
    button(words.resetDo, erase, 'danger'),
    button(words.later, turn(false)),
  ];
}

async function look() {
  try {
    const reply = await post('/setup/state');
    if (reply.ok) draw(await reply.json());
  } catch {
    // The kiosk starts anew with other devices: it answers in a moment.
  }
}

await look();
setInterval(look, EVERY_MS);

/**
 * The holder's page: a key code in, notices, a receipt, or a card taken back. The key lives in this script's memory for as long as it is
 * asked for, five minutes at most; no cookie, no storage, and of the key code nothing is ever sent.
 */
import { canDerive, deriveVisitor, KEY_CODE_SYMBOLS, prove, readKeyCode } from './key-code.js';
import { LANGUAGE, WORDS } from './words.js';

const FORGET_AFTER_MS = 300_000;
const main = document.getElementById('main');
const status = document.getElementById('status');
let visitor;
let forgetting;
let stopCamera = () => {};

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
    else if (typeof value === 'boolean') made.toggleAttribute(name, value);
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

const paragraph = (text, className) => element('p', className ? { class: className } : {}, text);
const button = (text, onclick, className = '') => element('button', { type: 'button', class: className, onclick }, text);
const say = (text) => {
  status.textContent = text;
};

/** Puts another view in place and takes a reader to its heading. */
function show(heading, ...children) {
  const title = element('h1', { tabindex: '-1' }, heading);
  main.replaceChildren(title, ...children);
  title.focus();
  window.scrollTo(0, 0);
}

function forget() {
  visitor = undefined;
  clearTimeout(forgetting);
  stopCamera();
}

class Refusal extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }
}

async function post(path, body) {
  let answer;
  try {
    answer = await fetch(path, {
      method: 'POST',
      ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
      credentials: 'omit',
      cache: 'no-store',
      referrerPolicy: 'no-referrer',
    });
  } catch {
    throw new Refusal('network');
  }
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refusal(said.code ?? 'other');
  return said;
}

async function ask(action) {
  const challenge = await post('/core/1/holder/challenge');
  return await post('/core/1/holder/ask', await prove(action, challenge, visitor));
}

/** Runs what a button asks for; a refusal is said beside it. */
function doing(work) {
  return async ({ currentTarget }) => {
    const fault = main.querySelector('.error');
    fault?.remove();
    currentTarget.disabled = true;
    say(WORDS.working);
    try {
      await work();
      say('');
    } catch (error) {
      const text = WORDS.faults[error instanceof Refusal ? error.code : 'other'] ?? WORDS.faults.other;
      main.append(element('p', { class: 'error', role: 'alert' }, text));
      say('');
    } finally {
      currentTarget.disabled = false;
    }
  };
}

function enter() {
  const words = WORDS.enter;
  const told = element('p', { class: 'told', id: 'told', 'aria-live': 'polite' });
  const camera = element('div');
  const field = element('textarea', {
    id: 'code',
    rows: '2',
    autocomplete: 'off',
    autocapitalize: 'characters',
    autocorrect: 'off',
    spellcheck: 'false',
    'aria-describedby': 'hint told',
    maxlength: '150',
    oninput: () => tell(),
  });
  const open = button(
    words.show,
    doing(async () => {
      const read = readKeyCode(field.value);
      if (read.keyCode === undefined) return;
      visitor = await deriveVisitor(read.keyCode);
      field.value = '';
      forgetting = setTimeout(() => {
        forget();
        enter();
      }, FORGET_AFTER_MS);
      notices(await ask('read'));
    }),
    'first',
  );
  const tell = () => {
    const { keyCode, fault, symbols } = readKeyCode(field.value);
    keyCode?.fill(0);
    const isRight = keyCode !== undefined;
    open.disabled = !isRight;
    told.dataset.is = isRight ? 'right' : fault === 'part' ? 'part' : 'wrong';
    const text = isRight ? words.right : typeof words[fault] === 'function' ? words[fault](symbols, KEY_CODE_SYMBOLS) : words[fault];
    if (told.textContent !== text) told.textContent = text;
    field.setAttribute('aria-invalid', String(told.dataset.is === 'wrong'));
  };
  const buttons = element('div', { class: 'buttons' }, open);
  if (hasScanner()) {
    const take = (text) => {
      field.value = text;
      tell();
      field.focus();
    };
    buttons.append(button(words.scan, () => scan(camera, take)));
  }
  open.disabled = true;
  show(
    words.heading,
    paragraph(words.lead),
    element('label', { for: 'code' }, words.label),
    element('p', { class: 'quiet', id: 'hint' }, words.hint),
    field,
    told,
    buttons,
    camera,
  );
}

const hasScanner = () => 'BarcodeDetector' in window && navigator.mediaDevices?.getUserMedia !== undefined;

/** Reads QR codes until one is a key code, or somebody stops it. */
async function scan(place, take) {
  const words = WORDS.enter;
  stopCamera();
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } });
  } catch {
    place.replaceChildren(element('p', { class: 'error', role: 'alert' }, words.noCamera));
    return;
  }
  const video = element('video', { playsinline: true, muted: true, 'aria-label': words.scanning });
  video.srcObject = stream;
  let isOn = true;
  stopCamera = () => {
    isOn = false;
    for (const track of stream.getTracks()) track.stop();
    place.replaceChildren();
  };
  const told = element('p', { 'aria-live': 'polite' }, words.scanning);
  place.replaceChildren(
    video,
    told,
    button(words.stopScan, () => stopCamera()),
  );
  await video.play();
  const detector = new BarcodeDetector({ formats: ['qr_code'] });
  const look = async () => {
    if (!isOn) return;
    for (const { rawValue } of await detector.detect(video).catch(() => [])) {
      if (readKeyCode(rawValue).keyCode === undefined) told.textContent = words.notKey;
      else {
        stopCamera();
        take(rawValue);
        return;
      }
    }
    requestAnimationFrame(look);
  };
  await look();
}

const dateOf = (atMs) => new Intl.DateTimeFormat(LANGUAGE, { dateStyle: 'long', timeStyle: 'short' }).format(atMs);
const dayOf = (day) => new Intl.DateTimeFormat(LANGUAGE, { dateStyle: 'full', timeZone: 'UTC' }).format(new Date(`${day}T12:00:00Z`));

function facts(...pairs) {
  return element('dl', {}, ...pairs.flatMap(([name, value]) => [element('dt', {}, name), element('dd', {}, value)]));
}

function notices({ notices: list, revokedAtMs }) {
  const words = WORDS.some;
  if (revokedAtMs !== null) {
    show(WORDS.revoked.heading, element('div', { class: 'card good' }, paragraph(WORDS.revoked.text)), afterwards(true));
    return;
  }
  if (list.length === 0) {
    show(WORDS.none.heading, element('div', { class: 'card good' }, paragraph(WORDS.none.text)), afterwards(false));
    return;
  }
  const told = list.map(({ level, order, day, overlapMinutes, isClockCertain, raisedAtMs }) =>
    element(
      'section',
      { class: 'card look' },
      element('h2', {}, words.what),
      paragraph(`${words.level[level]} ${words.order[order]}`),
      facts(
        [words.day, dayOf(day)],
        [words.length, words.minutes(overlapMinutes)],
        [words.clock, isClockCertain ? words.certain : words.uncertain],
        [words.raised, dateOf(raisedAtMs)],
      ),
    ),
  );
  const steps = element('ul', {}, ...words.steps.map((step) => element('li', {}, step)));
  const todo = element('section', { class: 'card' }, element('h2', {}, words.todo), steps, paragraph(words.who, 'quiet'));
  show(words.heading(list.length), ...told, todo, afterwards(false));
}

function afterwards(isRevoked) {
  const lookAtReceipt = doing(async () => receipt(await ask('receipt')));
  return element(
    'div',
    { class: 'buttons' },
    ...(isRevoked ? [button(WORDS.receipt.button, lookAtReceipt, 'first')] : [button(WORDS.take.button, confirmTaking, 'act')]),
    button(WORDS.close, close),
  );
}

function close() {
  forget();
  enter();
  say(WORDS.closed);
}

function confirmTaking() {
  const words = WORDS.take;
  const dialog = element(
    'dialog',
    { 'aria-labelledby': 'question', onclose: () => dialog.remove() },
    element('h2', { id: 'question' }, words.heading),
    ...words.text.map((text) => paragraph(text)),
    element(
      'div',
      { class: 'buttons' },
      button(words.no, () => dialog.close(), 'first'),
      button(
        words.yes,
        async (event) => {
          const run = doing(async () => receipt(await ask('revoke')));
          dialog.close();
          await run(event);
        },
        'act',
      ),
    ),
  );
  main.append(dialog);
  dialog.showModal();
}

function receipt({ receipt: jws }) {
  const words = WORDS.receipt;
  if (jws === null) {
    show(words.heading, paragraph(words.none), afterwards(false));
    return;
  }
  const said = JSON.parse(new TextDecoder().decode(bytesOf(jws.split('.')[1])));
  const tiers = said.tiers.map(({ tier, state, atMs, done, of, untilMs }) => {
    const isDone = state === 'done';
    const counts = of > 1 ? ` (${words.count(done, of)})` : '';
    const when = isDone ? ` ${words.on(dateOf(atMs))}` : untilMs === undefined ? '' : `: ${words.backups(dateOf(untilMs))}`;
    return element(
      'li',
      {},
      `${words.tiers[tier] ?? tier}: `,
      element('span', { class: `state ${state}` }, (isDone ? words.done : words.pending) + counts),
      when,
    );
  });
  show(
    words.heading,
    element(
      'section',
      { class: 'card good' },
      facts([words.number, said.receipt], [words.since, dateOf(said.revokedAtMs)], [words.asOf, dateOf(said.asOfMs)]),
      element('ul', { class: 'tiers' }, ...tiers),
      paragraph(words.signed, 'quiet'),
    ),
    element(
      'div',
      { class: 'buttons' },
      button(words.save, () => save(jws, words.file), 'first'),
      button(
        words.again,
        doing(async () => receipt(await ask('receipt'))),
      ),
      button(WORDS.close, close),
    ),
  );
}

function save(text, name) {
  const url = URL.createObjectURL(new Blob([text], { type: 'application/jose' }));
  const link = element('a', { href: url, download: name });
  link.click();
  URL.revokeObjectURL(url);
}

const bytesOf = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0));

document.documentElement.lang = LANGUAGE;
document.title = WORDS.title;
document.getElementById('brand').textContent = WORDS.brand;
document.getElementById('promise').textContent = WORDS.promise;
window.addEventListener('pagehide', forget);
if (await canDerive()) enter();
else show(WORDS.title, element('p', { class: 'error', role: 'alert' }, WORDS.lacking));

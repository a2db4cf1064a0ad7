// The staff's menu. The kiosk opens it for a staff card and closes it; what is chosen here is asked of the kiosk, and shown once it says so.
import { ask, send } from './feed.js';
import { LANGUAGES, LOOKS } from './words.js';

const DAY_MS = 86400000;
const DAYS = 21;
const STAY_EVERY_MS = 5000;
const SOUNDS = ['silent', 'quiet', 'normal', 'loud'];
const DOORS = [
  ['in', 'enter', 'doorIn'],
  ['out', 'leave', 'doorOut'],
  ['both', 'both', 'doorBoth'],
];

function make(tag, about = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(about)) {
    if (name === 'onclick') made.addEventListener('click', value);
    else if (value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== undefined));
  return made;
}

export function openMenu(dialog, { words, icon, state }) {
  let view;
  let place = 'top';
  let said;
  let tested;
  let stayedMs = 0;

  const act = async (path, body) => {
    const isTaken = await send(path, body);
    if (isTaken !== true) {
      said = ['stop', 'cross', words().notTaken[0]];
      draw();
    }
    return isTaken;
  };
  const go = (next) => () => {
    place = next;
    said = undefined;
    draw();
    (dialog.querySelector('.body button, .body select') ?? dialog.querySelector('header button')).focus();
  };

  const tile = (sign, [text, more], onclick, about = {}) =>
    make('li', {}, make('button', { type: 'button', onclick, ...about }, icon(sign), make('b', {}, text), make('small', {}, more)));
  const choice = (sign, text, isChosen, onclick) => tile(sign, text, onclick, { 'aria-pressed': String(isChosen) });
  const tiles = (...all) => make('ul', { class: 'tiles' }, ...all);

  const places = {
    top() {
      const { menu: say, strip, name } = words();
      const { settings, direction } = view;
      const door = { in: strip.in, out: strip.out, both: strip.both }[direction];
      return [
        tiles(
          ...(direction === undefined
            ? []
            : [tile('undo', [say.undo, ''], () => act('/staff', { command: 'undo' })), tile('both', [say.door, door], go('door'))]),
          ...(direction === undefined ? [] : [tile('paper', say.paper, go('paper'))]),
          tile('globe', [say.language, name], go('language')),
          tile('sound', [say.sound, say.sounds[settings.sound]], go('sound')),
          tile('list', say.last, go('last')),
          tile('measure-again', say.test, go('test')),
          tile('wrench', [say.outOfOrder[0], settings.isOutOfOrder ? say.outOfOrderOff : say.outOfOrderOn], go('order')),
        ),
      ];
    },
    door: () => [
      tiles(
        ...DOORS.map(([way, sign, key]) =>
          choice(sign, words().menu[key], view.direction === way, () => act('/staff', { command: `door-${way}` })),
        ),
      ),
    ],
    language: () => [
      tiles(
        ...Object.entries(LANGUAGES).map(([language, { name }]) =>
          tile('globe', [name, ''], () => act('/staff/settings', { language }), {
            lang: language,
            'aria-pressed': String(view.settings.language === language),
          }),
        ),
      ),
    ],
    sound: () => [
      tiles(
        ...SOUNDS.map((sound) =>
          choice(sound === 'silent' ? 'silent' : 'sound', [words().menu.sounds[sound], ''], view.settings.sound === sound, () =>
            act('/staff/settings', { sound }),
          ),
        ),
      ),
    ],
    order: () => {
      const { menu: say } = words();
      const { isOutOfOrder } = view.settings;
      const turn = () => act('/staff/settings', { isOutOfOrder: !isOutOfOrder }).then(() => go('top')());
      return [
        make('p', {}, say.outOfOrder[1]),
        tiles(tile(isOutOfOrder ? 'check' : 'wrench', [isOutOfOrder ? say.outOfOrderOff : say.outOfOrderOn, ''], turn)),
      ];
    },
    last: () => {
      const { menu: say, answers } = words();
      if (view.last.length === 0) return [make('p', {}, say.lastNone)];
      const time = new Intl.DateTimeFormat(document.documentElement.lang, { hour: '2-digit', minute: '2-digit' });
      return [
        make('p', {}, say.last[1]),
        make(
          'ol',
          {},
          ...view.last.map(({ kind, atMs }) =>
            make('li', {}, make('time', {}, time.format(atMs)), icon(LOOKS[kind].sign), make('span', {}, answers[kind][0])),
          ),
        ),
      ];
    },
    test: () => {
      const { menu: say } = words();
      const run = async () => {
        tested = 'running';
        draw();
        tested = await ask('/staff/test');
        draw();
      };
      const row = ({ part, isWell, why, path, downFor }) => {
        const name = typeof part === 'string' ? say.testParts[part] : part.device;
        const text = `${name}: ${isWell ? say.testWell : say.testFault}`;
        return make(
          'li',
          { class: isWell ? undefined : 'fault' },
          icon(isWell ? 'check' : 'cross'),
          make('span', {}, text),
          why === undefined ? undefined : make('code', { dir: 'ltr' }, [path, downFor, why].filter(Boolean).join(' · ')),
        );
      };
      return [
        make('p', {}, say.test[1]),
        tiles(
          tile(
            'measure-again',
            [tested === 'running' ? say.testRunning : say.testRun, ''],
            run,
            tested === 'running' ? { disabled: '' } : {},
          ),
        ),
        ...(Array.isArray(tested) ? [make('ul', { class: 'parts' }, ...tested.map(row))] : []),
      ];
    },
    paper() {
      const { menu: say } = words();
      if (view.paper !== undefined) {
        const { atMs, way, count } = view.paper;
        const time = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: 'medium', timeStyle: 'short' }).format(atMs);
        return [
          make('p', {}, `${way === 'in' ? say.paperIn : say.paperOut} · ${say.paperNow.replace('{time}', time)} · ${count}`),
          tiles(
            tile('check', [say.paperEnd, ''], () => act('/staff/paper-end', {}).then(go('top'))),
            tile('undo', [say.undo, ''], () => act('/staff', { command: 'undo' })),
          ),
        ];
      }
      return [make('p', {}, say.paper[1]), ...paperForm(say)];
    },
  };

  function paperForm(say) {
    const now = new Date();
    const day = new Intl.DateTimeFormat(document.documentElement.lang, { weekday: 'short', day: 'numeric', month: 'short' });
    const select = (label, id, options, chosen) =>
      make(
        'label',
        {},
        label,
        make(
          'select',
          { id },
          ...options.map(([value, text]) => make('option', { value, ...(value === chosen && { selected: '' }) }, text)),
        ),
      );
    const two = (number) => String(number).padStart(2, '0');
    const upTo = (count) => Array.from({ length: count }, (_, at) => [String(at), two(at)]);
    const begin = (way) => async () => {
      const at = new Date(Date.now() - Number(dialog.querySelector('#paper-day').value) * DAY_MS);
      at.setHours(Number(dialog.querySelector('#paper-hour').value), Number(dialog.querySelector('#paper-minute').value), 0, 0);
      const isTaken = await send('/staff/paper', { atMs: at.getTime(), way });
      if (isTaken === true) return;
      said = ['stop', 'clock', isTaken === false ? say.paperTimeWrong : words().rests.lost[0]];
      draw();
    };
    const days = Array.from({ length: DAYS }, (_, ago) => [String(ago), day.format(now.getTime() - ago * DAY_MS)]);
    return [
      make(
        'div',
        { class: 'fields' },
        select(say.paperDay, 'paper-day', days, '0'),
        make(
          'div',
          { class: 'fields', dir: 'ltr' },
          select(say.paperTime, 'paper-hour', upTo(24), String(now.getHours())),
          select(':', 'paper-minute', upTo(60), String(now.getMinutes())),
        ),
      ),
      tiles(tile('enter', [say.paperIn, say.paperBegin], begin('in')), tile('leave', [say.paperOut, say.paperBegin], begin('out'))),
    ];
  }

  function draw() {
    if (view === undefined || !view.isOpen) return;
    const { menu: say } = words();
    const titles = {
      top: say.title,
      door: say.door,
      language: say.language,
      sound: say.sound,
      order: say.outOfOrder[0],
      last: say.last[0],
      test: say.test[0],
      paper: say.paper[0],
    };
    const focus = document.activeElement?.closest('#menu .body button');
    const at = focus === null || focus === undefined ? -1 : [...dialog.querySelectorAll('.body button')].indexOf(focus);
    const chosen = ['paper-day', 'paper-hour', 'paper-minute'].map((id) => [id, dialog.querySelector(`#${id}`)?.value]);
    const banner = make('p', { class: 'said', role: 'status' });
    if (said !== undefined) {
      banner.dataset.tone = said[0];
      banner.append(said[2]);
    }
    dialog.replaceChildren(
      make(
        'header',
        {},
        make('h2', { id: 'menu-title' }, titles[place]),
        make(
          'nav',
          {},
          place === 'top' ? undefined : make('button', { type: 'button', onclick: go('top') }, say.back),
          make('button', { type: 'button', onclick: leave }, say.close),
        ),
      ),
      banner,
      make('div', { class: 'body', tabindex: '-1' }, ...places[place]()),
      make('footer', { dir: 'ltr' }, state().status),
    );
    for (const [id, value] of chosen) {
      const field = dialog.querySelector(`#${id}`);
      if (field !== null && value !== undefined) field.value = value;
    }
    if (at >= 0) dialog.querySelectorAll('.body button')[at]?.focus();
  }

  const leave = () => void send('/staff', { command: 'menu-leave' });
  const stay = () => {
    if (!dialog.open || Date.now() - stayedMs < STAY_EVERY_MS) return;
    stayedMs = Date.now();
    void send('/staff', { command: 'menu-stay' });
  };
  // Not by the dialog's own `cancel`: a browser lets it be refused once only, and then closes what the kiosk holds open.
  const leaveOrBack = (event) => {
    event.preventDefault();
    if (place === 'top') leave();
    else go('top')();
  };
  // Arrows go from tile to tile, as a remote control or a small keypad has them.
  dialog.addEventListener('keydown', (event) => {
    const { key, target } = event;
    stay();
    if (key === 'Escape') leaveOrBack(event);
    if (target.matches('select')) return;
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[key];
    if (step === undefined) return;
    const all = [...dialog.querySelectorAll('button, select')];
    all[(all.indexOf(document.activeElement) + step + all.length) % all.length]?.focus();
  });
  // A browser that closes it all the same leaves it, too.
  dialog.addEventListener('close', () => {
    if (view?.isOpen) leave();
  });
  dialog.addEventListener('pointerdown', stay);

  return {
    show(next) {
      view = next;
      if (!view.isOpen) {
        place = 'top';
        said = undefined;
        tested = undefined;
        dialog.close();
        dialog.replaceChildren();
        return;
      }
      if (view.paper !== undefined) place = 'paper';
      draw();
      if (!dialog.open) {
        dialog.showModal();
        dialog.querySelector('.body button')?.focus();
      }
    },
    /** An answer that is given while the menu is open is said in it. */
    heard({ kind }) {
      if (!dialog.open || kind === 'staff-menu') return;
      said = [LOOKS[kind].tone, LOOKS[kind].sign, words().answers[kind][0]];
      draw();
    },
  };
}

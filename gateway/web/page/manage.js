// Dialogs of who sets venues and kiosks up: a code for a new kiosk, and a venue's rules.
import { ask } from './api.js';
import { h, opened, show } from './dom.js';
import { store } from './store.js';
import { DIRECTION, kioskName, when } from './words.js';

const HOUR = 3_600_000;
const LONGEST_KIOSK_NAME = 60;
const KINDS = ['shop', 'restaurant', 'office', 'school', 'health', 'care', 'worship', 'culture', 'sport', 'transport', 'event', 'other'];
const FLAGS = {
  told: 'is told to people they met',
  untold: 'is told to nobody',
  'told suspected': 'is told, and makes a suspected case',
  'untold suspected': 'makes a suspected case alone',
};
const flagsOf = ({ areFlagsTold, areFlaggedSuspected }) => `${areFlagsTold ? 'told' : 'untold'}${areFlaggedSuspected ? ' suspected' : ''}`;
const UNSIGNED = { 'as-gateway': 'as the gateway says', taken: 'taken', refused: 'refused' };

/** Shows a form in the dialog. @returns what was filled in; `undefined` when it was closed. */
async function fillIn(title, fields, button, more) {
  const dialog = document.getElementById('ask');
  dialog.replaceChildren();
  show(
    dialog,
    h(
      'form',
      { method: 'dialog', 'data-key': title },
      h('h2', { id: 'ask-title' }, title),
      more,
      fields === undefined ? undefined : h('div', { class: 'fields' }, fields),
      h(
        'div',
        { class: 'row-actions' },
        h('button', { type: 'button', 'data-action': 'close-dialog' }, button === undefined ? 'Close' : 'Cancel'),
        button === undefined ? undefined : h('button', { value: 'yes', class: 'first' }, button),
      ),
    ),
  );
  const form = dialog.querySelector('form');
  form.reset();
  return (await opened(dialog)) ? Object.fromEntries(new FormData(form)) : undefined;
}

const field = (name, label, value, more = {}) =>
  h('div', {}, h('label', { for: `f-${name}` }, label), h('input', { id: `f-${name}`, name, value, autocomplete: 'off', ...more }));
const choice = (name, label, options, value) =>
  h(
    'div',
    {},
    h('label', { for: `f-${name}` }, label),
    h(
      'select',
      { id: `f-${name}`, name },
      Object.entries(options).map(([key, words]) => h('option', { value: key, selected: key === value }, words)),
    ),
  );

/** @param replaces a kiosk whose place the new one takes. */
export async function enrol(venueId, replaces) {
  const venue = store.venues.find(({ id }) => id === venueId);
  let order = { replaces };
  if (replaces === undefined) {
    const doors = Object.fromEntries([
      ['', 'a new door'],
      ...venue.entrances.map(({ id, name, direction }) => [id, `${name || 'Door'} (${DIRECTION[direction]})`]),
    ]);
    const filled = await fillIn(
      `A new kiosk at ${venue.name}`,
      [
        choice('entrance', 'Which door', doors, ''),
        choice('direction', 'What the door is for', DIRECTION, 'both'),
        field('name', 'What to call the kiosk (may be empty)', '', { maxlength: LONGEST_KIOSK_NAME }),
      ],
      'Make a code',
    );
    if (filled === undefined) return;
    const { entrance, name, direction } = filled;
    order = { venue: venueId, direction, ...(entrance === '' ? {} : { entrance }), ...(name.trim() === '' ? {} : { name }) };
  }
  const code = await ask('POST', '/api/1/codes', order);
  const side = code.symbol.length;
  const dark = code.symbol.flatMap((row, y) => [...row].map((module, x) => (module === '1' ? `M${x} ${y}h1v1h-1z` : ''))).join('');
  await fillIn(`Code ${code.number} for ${code.venueName}`, undefined, undefined, [
    h('p', {}, 'Show it to the new kiosk’s scanner, or type it there: ', h('code', {}, 'vestibule kiosk enrol'), ' …'),
    h(
      'svg',
      {
        class: 'symbol',
        viewBox: `-4 -4 ${side + 8} ${side + 8}`,
        role: 'img',
        'aria-label': 'The code as a QR symbol',
        'shape-rendering': 'crispEdges',
      },
      h('rect', { x: -4, y: -4, width: side + 8, height: side + 8, fill: '#fff' }),
      h('path', { d: dark, fill: '#000' }),
    ),
    h('p', {}, h('code', { class: 'code-text' }, code.text)),
    h('p', { class: 'quiet' }, `Good for one kiosk, until ${when(code.expiresAtMs)}. It is a secret until then, and is not shown again.`),
  ]);
}

/** What a kiosk is called from now on. */
export async function nameKiosk(id) {
  const kiosk = store.kiosks.get(id);
  const venue = store.venues.find((other) => other.id === kiosk.venue);
  const filled = await fillIn(
    `Name ${kioskName(kiosk, venue)}`,
    [field('name', 'Name (empty: as its door is called)', kiosk.name ?? '', { maxlength: LONGEST_KIOSK_NAME })],
    'Save',
    h('p', { class: 'quiet' }, 'For operators alone. Who takes its place is called the same.'),
  );
  if (filled !== undefined && filled.name.trim() !== (kiosk.name ?? ''))
    await ask('PUT', `/api/1/kiosks/${id}/name`, { name: filled.name });
}

/** To more of the kiosks that a release is meant for; also goes on after a pause. */
export async function widenRollout({ number, version, percent }) {
  const filled = await fillIn(
    `Release ${version} to more kiosks`,
    [field('percent', 'Percent of the kiosks that it is meant for', percent, { type: 'number', min: percent, max: 100, required: true })],
    'Go on',
    h('p', { class: 'quiet' }, 'The same kiosks as before, and others. They take it within the hour, a few at a time.'),
  );
  if (filled !== undefined) await ask('POST', '/api/1/rollout/go-on', { confirm: number, percent: Number(filled.percent) });
}

/** Changes a venue's rules, or adds one. Only what was changed is sent. */
export async function editVenue(venueId) {
  const venue = store.venues.find(({ id }) => id === venueId);
  const before = venue ?? {
    timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    kind: 'other',
    dwellMs: 2 * HOUR,
    lingeringMs: 0,
    unsignedCards: 'as-gateway',
    areFlagsTold: true,
    flagOverlapMs: 900_000,
    areFlaggedSuspected: false,
  };
  const filled = await fillIn(
    venue === undefined ? 'A new venue' : venue.name,
    [
      field('name', 'Name', before.name ?? '', { required: true, maxlength: 100 }),
      field('organisation', 'Organisation', before.organisation ?? '', { maxlength: 100 }),
      field('site', 'Site', before.site ?? '', { maxlength: 100 }),
      field('region', 'Region', before.region ?? '', { maxlength: 100 }),
      choice('kind', 'Kind', Object.fromEntries(KINDS.map((kind) => [kind, kind])), before.kind),
      field('timezone', 'Time zone', before.timezone, { required: true, maxlength: 64 }),
      field('dwell', 'Usual stay, hours', before.dwellMs / HOUR, { type: 'number', min: 0.1, max: 48, step: 'any', required: true }),
      field('lingering', 'Air lingers, minutes', before.lingeringMs / 60_000, {
        type: 'number',
        min: 0,
        max: 1_440,
        step: 'any',
        required: true,
      }),
      field('threshold', 'High from, °C (empty: as kiosks are set)', before.thresholdCelsius ?? '', {
        type: 'number',
        min: 35,
        max: 42,
        step: '0.01',
      }),
      choice('unsignedCards', 'Cards that nobody signed', UNSIGNED, before.unsignedCards),
      choice('flags', 'A confirmed high-temperature flag', FLAGS, flagsOf(before)),
      field('flagOverlap', 'Told to whoever met, minutes', before.flagOverlapMs / 60_000, {
        type: 'number',
        min: 1,
        max: 720,
        step: 'any',
        required: true,
      }),
    ],
    venue === undefined ? 'Add' : 'Save',
  );
  if (filled === undefined) return;
  const { dwell, lingering, threshold, flags, flagOverlap, ...texts } = filled;
  const wanted = {
    ...texts,
    dwellMs: Math.round(Number(dwell) * HOUR),
    lingeringMs: Math.round(Number(lingering) * 60_000),
    thresholdCelsius: threshold === '' ? null : Number(threshold),
    areFlagsTold: flags.startsWith('told'),
    flagOverlapMs: Math.round(Number(flagOverlap) * 60_000),
    areFlaggedSuspected: flags.endsWith('suspected'),
  };
  const changed = Object.fromEntries(
    Object.entries(wanted).filter(([name, value]) => value !== (before[name] ?? (name === 'thresholdCelsius' ? null : ''))),
  );
  if (venue === undefined) await ask('POST', '/api/1/venues', wanted);
  else if (Object.keys(changed).length > 0) await ask('PUT', `/api/1/venues/${venueId}`, changed);
}

/** A venue's doors, in one form: names, what each is for, which go; and one more. Only what was changed is sent. */
export async function editEntrances(venueId) {
  const { name: venue, entrances } = store.venues.find(({ id }) => id === venueId);
  const filled = await fillIn(
    `Doors of ${venue}`,
    [
      entrances.map(({ id, name, direction }, at) => [
        field(`name-${id}`, `Door ${at + 1}`, name, { maxlength: 100, placeholder: 'without a name' }),
        choice(`direction-${id}`, `Door ${at + 1} is for`, { ...DIRECTION, gone: 'nothing: remove it' }, direction),
      ]),
      field('name-new', 'One more door', '', { maxlength: 100 }),
      choice('direction-new', 'It is for', DIRECTION, 'both'),
    ],
    'Save',
    h('p', { class: 'quiet' }, 'Its kiosks go by it at once. A door where a kiosk was ever admitted can not be removed.'),
  );
  if (filled === undefined) return;
  const path = `/api/1/venues/${venueId}/entrances`;
  for (const { id, name, direction } of entrances) {
    const wanted = { name: filled[`name-${id}`].trim(), direction: filled[`direction-${id}`] };
    if (wanted.direction === 'gone') await ask('DELETE', `${path}/${id}`);
    else {
      const changed = {
        ...(wanted.direction === direction ? {} : { direction: wanted.direction }),
        ...(wanted.name === name || wanted.name === '' ? {} : { rename: wanted.name }),
      };
      if (Object.keys(changed).length > 0) await ask('PUT', path, { name: id, ...changed });
    }
  }
  const more = filled['name-new'].trim();
  if (more !== '') await ask('PUT', path, { name: more, direction: filled['direction-new'] });
}

// Codes that were given out: which kiosk each became, and those that nobody has used yet.
import { h } from './dom.js';
import { empty, head, loading, nameOf, table, venueName } from './lists.js';
import { isManager, store } from './store.js';
import { when } from './words.js';

export function codesPage() {
  const back = h('p', { 'data-key': 'back' }, h('a', { href: '#/venues' }, '← Venues'));
  if (!isManager()) return [back, head('Codes'), empty('off', 'Only a manager may see which codes were given out.')];
  const answer = store.answers.get('/api/1/codes');
  const intro = h(
    'p',
    { class: 'quiet', 'data-key': 'intro' },
    'A code makes one kiosk, of whoever shows it first. Take one back that was lost before it was used. The codes themselves are kept nowhere.',
  );
  if (answer === undefined) return [back, head('Codes'), intro, loading()];
  if (answer.codes.length === 0) return [back, head('Codes'), intro, empty('off', 'No code was given out yet.')];
  const rows = answer.codes.map((code) => ({
    key: String(code.number),
    cells: [
      String(code.number),
      [venueName(code.venue), h('br'), h('span', { class: 'quiet' }, doorOf(code))],
      stateOf(code),
      when(code.madeAtMs),
      code.state === 'open'
        ? h(
            'button',
            { 'data-action': 'withdraw', 'data-number': code.number },
            'Take back',
            h('span', { class: 'unseen' }, ` code ${code.number}`),
          )
        : '',
    ],
  }));
  return [back, head('Codes'), intro, table('codes', ['No', 'For', 'State', 'Given out', ''], rows)];
}

function doorOf({ venue: id, entrance, replaces, name }) {
  const called = name === undefined || name === '' ? '' : `${name}, `;
  if (replaces !== undefined) return `${called}in place of ${nameOf(replaces)}`;
  const venue = store.venues.find((one) => one.id === id);
  return `${called}${venue?.entrances.find((one) => one.id === entrance)?.name || 'a new door'}`;
}

function stateOf({ state, kiosk, expiresAtMs }) {
  if (state === 'open') return `Open until ${when(expiresAtMs)}`;
  if (state === 'used') return ['Became ', h('a', { href: `#/kiosk/${kiosk}` }, nameOf(kiosk))];
  return state === 'withdrawn' ? 'Taken back' : 'Expired unused';
}

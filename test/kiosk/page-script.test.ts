/** The page's own script, run as a browser would, with a screen of four texts: what staff see when the kiosk is not heard. */
import { readFileSync } from 'node:fs';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { FEEDBACK_WORDS, STORED_OFFLINE } from '../../kiosk/feedback-words.ts';

const html = readFileSync(new URL('../../kiosk/page.html', import.meta.url), 'utf8');
const script = /<script>([\s\S]*?)<\/script>/.exec(html)?.[1] ?? '';

type Listener = (event: { readonly data: string }) => void;

class Stream {
  static readonly CLOSED = 2;
  readyState = 0;
  readonly #listeners = new Map<string, Listener>();

  addEventListener(name: string, listener: Listener): void {
    this.#listeners.set(name, listener);
  }

  fire(name: string, data: unknown = {}): void {
    this.#listeners.get(name)?.({ data: JSON.stringify(data) });
  }
}

function open(isAlive: () => boolean, isDesk = false) {
  const element = () => ({
    hidden: false,
    textContent: '',
    className: '',
    dataset: {},
    value: '',
    addEventListener() {},
    focus() {},
    setAttribute() {},
  });
  const elements = new Map<string, ReturnType<typeof element>>();
  const get = (id: string) => {
    const found = elements.get(id) ?? element();
    elements.set(id, found);
    return found;
  };
  get('words').textContent = JSON.stringify({ words: FEEDBACK_WORDS, offline: STORED_OFFLINE, isDesk });
  const streams: Stream[] = [];
  const timers: { readonly afterMs: number; readonly fire: () => void }[] = [];
  const context = {
    document: { getElementById: get, querySelectorAll: () => [] },
    window: { addEventListener() {} },
    EventSource: class extends Stream {
      constructor() {
        super();
        streams.push(this);
      }
    },
    fetch: () => (isAlive() ? Promise.resolve({ ok: true }) : Promise.reject(new TypeError('no network'))),
    setTimeout: (fire: () => void, afterMs: number) => timers.push({ afterMs, fire }),
    clearTimeout: (timer: number) => timer > 0 && timers.splice(timer - 1, 1, { afterMs: -1, fire: () => {} }),
  };
  runInNewContext(script, context);
  return {
    streams,
    timers,
    big: () => get('text').textContent,
    last: () => get('status').textContent,
    isHidden: (id: string) => get(id).hidden,
  };
}

const WELL = { text: 'online', isStoring: true, direction: 'in' };
const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
};

t.test('page: a kiosk that is gone is told in the big line, not only in the last one, until it is back', async (t) => {
  const { streams, big } = open(() => false);
  streams[0]?.fire('status', WELL);
  streams[0]?.fire('error');
  t.equal(big(), 'The kiosk does not answer');
  streams[0]?.fire('status', WELL);
  t.equal(big(), 'Please scan a card');
});

t.test('page: a stream that was refused is opened again after 3 s, and what is wrong is told as it is', async (t) => {
  for (const [isAlive, words] of [
    [true, 'This page is not connected'],
    [false, 'The kiosk does not answer'],
  ] as const) {
    const { streams, timers, big, last } = open(() => isAlive);
    const [first] = streams;
    if (first !== undefined) first.readyState = Stream.CLOSED;
    first?.fire('error');
    await turns();
    t.equal(big(), words);
    t.equal(last(), words);
    const again = timers.find(({ afterMs }) => afterMs === 3_000);
    again?.fire();
    t.equal(streams.length, 2);
    streams[1]?.fire('status', WELL);
    t.equal(big(), 'Please scan a card');
  }
});

t.test('page: an answer gives way to what is so by then, and a store that refuses is told in the big line', async (t) => {
  const { streams, timers, big } = open(() => true);
  const [stream] = streams;
  stream?.fire('status', WELL);
  stream?.fire('feedback', { kind: 'welcome', isStoredOffline: false });
  t.equal(big(), 'Welcome');
  stream?.fire('status', { ...WELL, isStoring: false });
  t.equal(big(), 'Scans are not kept');
  stream?.fire('feedback', { kind: 'refused-full', isStoredOffline: false });
  stream?.fire('status', WELL);
  t.match(big(), /Not kept/, 'an answer stays to be read');
  timers.findLast(({ afterMs }) => afterMs === 5_000)?.fire();
  t.equal(big(), 'Please scan a card');
});

t.test('page: a clinic’s desk shows its own buttons, and keeps on the screen what is waited for', async (t) => {
  const { streams, timers, big, isHidden } = open(() => true, true);
  t.strictSame(['desk', 'door'].map(isHidden), [false, true]);
  t.equal(big(), 'Please scan');
  const [stream] = streams;
  stream?.fire('feedback', { kind: 'scan-card-now', isStoredOffline: false });
  t.equal(big(), 'Sticker read');
  for (const { fire } of timers.filter(({ afterMs }) => afterMs === 5_000)) fire();
  t.equal(big(), 'Sticker read');
  stream?.fire('feedback', { kind: 'sticker-linked', isStoredOffline: false });
  t.equal(big(), 'Linked');
  for (const { fire } of timers.filter(({ afterMs }) => afterMs === 5_000)) fire();
  t.equal(big(), 'Please scan');
  t.strictSame(['desk', 'door'].map(open(() => true).isHidden), [true, false]);
});

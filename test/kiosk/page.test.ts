import { request } from 'node:http';
import { connect } from 'node:net';
import t from 'tap';
import type { Feedback, FeedbackKind } from '../../kiosk/feedback.ts';
import type { FrontCommand } from '../../kiosk/front.ts';
import type { HealthSnapshot } from '../../kiosk/health.ts';
import { Page } from '../../kiosk/page.ts';
import { WORDS } from '../../kiosk/screen/languages.ts';
import type { KeyId, Seq } from '../../protocol/ids.ts';
import { PAGE_HEADERS } from '../../protocol/page-headers.ts';
import { until } from '../support/until.ts';
import { mono, wall } from './fixtures.ts';

const WELL: HealthSnapshot = {
  state: 'up',
  isOnline: true,
  linkWhy: undefined,
  storeWhy: undefined,
  clock: 'synced',
  devices: [],
  queued: 0,
  oldestQueuedMs: undefined,
  droppedUnsent: 0,
  conflicts: 0,
  quarantined: 0,
  policy: { version: 0, why: undefined },
  sentAgain: 0,
  setAside: 0,
  salvagedRows: 0,
};

interface Asked {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string;
}

async function opened(isDesk = false) {
  const bugs: unknown[] = [];
  const scans: string[] = [];
  const commands: FrontCommand[] = [];
  const present = { health: WELL };
  const page = new Page({
    port: 0,
    onScan: (text) => scans.push(text),
    onStaff: (command) => commands.push(command),
    health: () => present.health,
    direction: () => (isDesk ? undefined : 'in'),
    isDesk,
    onBug: (error) => bugs.push(error),
  });
  const url = new URL(await page.open());
  /** By hand, because fetch does not let a test lie about Host. */
  const ask = (method: string, path: string, headers: Record<string, string> = {}, body = ''): Promise<Asked> =>
    new Promise((resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port: url.port, method, path, headers: { host: url.host, ...headers } }, (reply) => {
        let text = '';
        reply.setEncoding('utf8');
        reply.on('data', (part: string) => {
          text += part;
        });
        reply.on('end', () => resolve({ status: reply.statusCode ?? 0, headers: reply.headers, body: text }));
      });
      sent.once('error', reject);
      sent.end(body);
    });
  const post = (path: string, json: unknown, headers: Record<string, string> = {}) =>
    ask('POST', path, { 'content-type': 'application/json', ...headers }, JSON.stringify(json));
  return { page, url, ask, post, bugs, scans, commands, present };
}

const feedback = (kind: FeedbackKind): Feedback => ({
  kind,
  isStoredOffline: true,
  at: { wallMs: wall(0), monotonicMs: mono(0) },
  seq: 7 as Seq,
  keyId: new Uint8Array(8) as KeyId,
});

/** Listens to the answers as a screen does. */
async function listening(url: URL) {
  const response = await fetch(new URL('/feedback', url));
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  return {
    status: response.status,
    /** Reads on until `part` has come. */
    until: async (part: string): Promise<string> => {
      while (!text.includes(part)) {
        const next = await reader?.read();
        if (next === undefined || next.done) break;
        text += next.value;
      }
      return text;
    },
    cancel: () => reader?.cancel(),
  };
}

t.test('Page: is its own files and nothing from elsewhere, kept by nobody, in every language', async (t) => {
  const { page, ask } = await opened();
  for (const path of [
    '/',
    '/look.css',
    '/screen.css',
    '/menu.css',
    '/screen.js',
    '/menu.js',
    '/feed.js',
    '/sounds.js',
    '/typed.js',
    '/words.js',
  ]) {
    const { status, headers, body } = await ask('GET', path);
    t.equal(status, 200, path);
    t.match(headers, PAGE_HEADERS);
    t.notMatch(body.replaceAll('http://www.w3.org/2000/svg', ''), /https?:\/\//);
    if (path === '/words.js')
      for (const { answers } of Object.values(WORDS)) for (const [text] of Object.values(answers)) t.ok(body.includes(text), text);
  }
  t.match(await ask('GET', '/../page.ts'), { status: 404, headers: PAGE_HEADERS });
  await page.close();
});

t.test('Page: a scan and a staff command that come from the page itself are taken', async (t) => {
  const { page, post, url, scans, commands } = await opened();
  t.equal((await post('/scan', { text: 'VC-something' })).status, 204);
  t.equal((await post('/scan', { text: 'again' }, { origin: url.origin, 'sec-fetch-site': 'same-origin' })).status, 204);
  t.equal((await post('/staff', { command: 'holder' }, { host: `localhost:${url.port}` })).status, 204);
  t.equal(
    (await post('/staff', { command: 'undo' })).status,
    403,
    'what is for the staff alone is refused while no staff card opened the menu',
  );
  t.equal((await post('/staff/settings', { sound: 'silent' })).status, 404);
  t.strictSame(scans, ['VC-something', 'again']);
  t.strictSame(commands, ['holder']);
  await page.close();
});

t.test('Page: a clinic’s desk has the buttons of results, and none of a door', async (t) => {
  const { page, ask, post, commands } = await opened(true);
  for (const command of ['positive', 'negative', 'void', 'cancel']) t.equal((await post('/staff', { command })).status, 204);
  t.equal((await post('/staff', { command: 'undo' })).status, 400);
  t.strictSame(commands, ['positive', 'negative', 'void', 'cancel']);
  t.match((await ask('GET', '/words.js')).body, 'IS_DESK = true');
  await page.close();
});

t.test('Page: a name that was rebound to this machine, and another site’s page, are refused', async (t) => {
  const { page, ask, post, url, scans, commands } = await opened();
  for (const host of ['evil.example', `evil.example:${url.port}`, '127.0.0.1']) {
    t.equal((await ask('GET', '/', { host })).status, 403, `host ${host}`);
    t.equal((await post('/scan', { text: 'x' }, { host })).status, 403);
  }
  for (const origin of ['http://evil.example', 'null', `https://127.0.0.1:${url.port}`]) {
    t.equal((await post('/staff', { command: 'undo' }, { origin })).status, 403, `origin ${origin}`);
    t.equal((await ask('GET', '/feedback', { origin })).status, 403);
  }
  t.equal((await post('/scan', { text: 'x' }, { 'sec-fetch-site': 'cross-site' })).status, 403);
  // As <img src>, which names no origin: eight of them would be all the listeners there may be, and the screen at the door would stay dumb.
  const asImage = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' };
  for (const path of ['/', '/feedback', '/healthz']) t.equal((await ask('GET', path, asImage)).status, 403, path);
  const asLink = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' };
  t.equal((await ask('GET', '/feedback', asLink)).status, 403);
  t.equal((await ask('GET', '/', asLink)).status, 200, 'a link to the page itself is followed');
  t.equal((await ask('POST', '/scan', { 'content-type': 'text/plain' }, '{"text":"x"}')).status, 415, 'a form can not send JSON');
  t.strictSame([scans, commands], [[], []]);
  await page.close();
});

t.test('Page: what is too long, empty or unknown is refused', async (t) => {
  const { page, post, scans, commands } = await opened();
  t.equal((await post('/scan', { text: 'x'.repeat(4_297) })).status, 400);
  t.equal((await post('/scan', { text: 'x'.repeat(9_000) })).status, 413);
  for (const body of [{ text: '' }, {}, { text: 5 }, { text: 'x', more: 1 }]) {
    t.equal((await post('/scan', body)).status, 400, JSON.stringify(body));
  }
  t.equal((await post('/staff', { command: 'open-sesame' })).status, 400);
  t.strictSame([scans, commands], [[], []]);
  await page.close();
});

t.test('Page: a request that ends in its middle is no bug of the kiosk, which would end it', async (t) => {
  const { page, url, bugs, scans, post } = await opened();
  const head = `POST /scan HTTP/1.1\r\nhost: ${url.host}\r\ncontent-type: application/json\r\n`;
  for (const rest of ['content-length: 100\r\n\r\n{"te', 'transfer-encoding: chunked\r\n\r\n3\r\n{"t\r\nno length\r\n']) {
    const socket = connect(Number(url.port), '127.0.0.1');
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.end(head + rest).resume();
    await closed;
  }
  t.equal((await post('/scan', { text: 'VC-something' })).status, 204);
  t.strictSame(bugs, []);
  t.strictSame(scans, ['VC-something']);
  await page.close();
});

t.test('Page: screens hear the kind of each answer, and nothing that could be a visitor’s', async (t) => {
  const { page, url } = await opened();
  const screen = await listening(url);
  await screen.until('event: menu');
  page.show(feedback('welcome'));
  const text = await screen.until('event: feedback');
  t.match(text, /event: feedback\ndata: \{"kind":"welcome","isStoredOffline":true\}\n\n/);
  await screen.cancel();
  await page.close();
});

t.test('Page: screens hear that the kiosk does not store, as soon as it is so', async (t) => {
  const { page, url, present, ask } = await opened();
  const screen = await listening(url);
  present.health = { ...WELL, state: 'down', storeWhy: 'store.full', queued: 200_000, isOnline: false, linkWhy: 'link.refused' };
  page.refresh();
  page.refresh();
  const text = await screen.until('NOT STORING');
  t.match(text, /"rest":"not-storing"/);
  t.match(text, /"status":"NOT STORING \(store\.full\) · offline \(link\.refused\) · 200000 waiting"/);
  t.equal((await ask('GET', '/healthz')).status, 503);
  await screen.cancel();
  await page.close();
});

t.test('Page: listens to no more than eight screens, and a screen that left makes room', async (t) => {
  const { page, url } = await opened();
  const screens = [];
  for (let count = 0; count < 8; count++) screens.push(await listening(url));
  t.equal((await listening(url)).status, 503);
  await screens[0]?.cancel();
  let again = await listening(url);
  while (again.status === 503) again = await listening(url);
  t.equal(again.status, 200);
  for (const screen of [...screens.slice(1), again]) await screen.cancel();
  await page.close();
});

t.test(
  'Page: whoever opens connections and says nothing takes no more of them than the page has, and the kiosk keeps its descriptors',
  async (t) => {
    const { page, ask, url } = await opened();
    const open = () => connect(Number(url.port), '127.0.0.1').on('error', () => {});
    const sockets = Array.from({ length: 100 }, open);
    const closed = () => sockets.filter(({ closed: isClosed }) => isClosed).length;
    await until(() => closed() === 100 - 64);
    await t.rejects(ask('GET', '/healthz'), 'no more are taken');
    for (const socket of sockets) socket.destroy();
    await until(() => closed() === 100);
    let status = 0;
    while (status !== 200)
      status = await ask('GET', '/healthz').then(
        (reply) => reply.status,
        () => 0,
      );
    t.equal(status, 200, 'served again as soon as there is room');
    await page.close();
  },
);

t.test('Page: a port that is taken is the operator’s to change', async (t) => {
  const { page, url } = await opened();
  const second = new Page({ port: Number(url.port), onScan: () => {}, onStaff: () => {}, health: () => WELL, direction: () => 'in' });
  await t.rejects(second.open(), { code: 'config.invalid' });
  await second.close();
  await page.close();
});

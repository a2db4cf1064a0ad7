import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { duplexPair } from 'node:stream';
import t, { type Test } from 'tap';
import { openKioskApi } from '../../gateway/enrol/api.ts';
import { OneRequest } from '../../gateway/enrol/one-request.ts';
import { formatTimeRequest, TIME_PATH } from '../../protocol/enrol.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/until.ts';

/** As many as the API takes at once. */
const MOST_AT_ONCE = 256;
const LONGEST_EXCHANGE_MS = 15_000;

const body = formatTimeRequest(new Uint8Array(16));
const REQUEST = `POST ${TIME_PATH} HTTP/1.1\r\nHost: gateway\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

/** The API behind a listener without TLS. */
async function startApi(t: Test) {
  const clock = new ManualClock();
  const [refused, signed]: [string[], Uint8Array[]] = [[], []];
  const api = openKioskApi({
    enroller: { enrol: () => Promise.reject(new Error('not asked')), renew: () => Promise.reject(new Error('not asked')) },
    desk: {
      place: () => ({ venue: '', entrance: '' }),
      leave: () => {},
    },
    signTime: (nonce) => {
      signed.push(nonce);
      return nonce;
    },
    piece: async () => undefined,
    holder: { challenge: () => Promise.reject(new Error('not asked')), ask: () => Promise.reject(new Error('not asked')) },
    after: clock.after,
    onRefused: (code) => refused.push(code),
    onBug: (error) => t.fail(String(error)),
  });
  const server = createServer((socket) => {
    socket.on('error', () => {});
    api.accept(socket, { transport: 'tls', publicKey: undefined });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(async () => {
    await api.close();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { clock, refused, signed, port };
}

function open(port: number): Promise<{ readonly socket: Socket; readonly got: () => string }> {
  const socket = connect(port, '127.0.0.1').on('error', () => {});
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
  });
  return new Promise((resolve) => socket.once('connect', () => resolve({ socket, got: () => text })));
}

t.test('kiosk API: a request that comes byte by byte is cut off after 15 s, however steadily it comes', async (t) => {
  const { clock, port } = await startApi(t);
  const { socket } = await open(port);
  socket.write(`POST ${TIME_PATH} HTTP/1.1\r\nHost: gateway\r\nContent-Length: 1000\r\n\r\n`);
  await until(() => clock.pending === 1);
  await clock.advance(LONGEST_EXCHANGE_MS - 1);
  socket.write(' ');
  t.notOk(socket.destroyed);
  await clock.advance(1);
  await until(() => socket.destroyed);
});

t.test('kiosk API: whoever holds every connection that there may be shuts no kiosk out', async (t) => {
  const { port, refused } = await startApi(t);
  const held: Socket[] = [];
  for (let i = 0; i < MOST_AT_ONCE; i++) held.push((await open(port)).socket);
  const { socket, got } = await open(port);
  socket.write(REQUEST);
  await until(() => socket.destroyed);
  t.match(got(), /^HTTP\/1\.1 200 /);
  await until(() => held[0]?.destroyed === true);
  t.strictSame(refused, ['admission.too_many_connections'], 'the one that was there longest was cut off, and counted');
  t.equal(held.filter(({ destroyed }) => destroyed).length, 1);
  for (const one of held) one.destroy();
});

t.test('kiosk API: of requests sent one behind the other the first is answered, and nothing is done for the rest', async (t) => {
  const { clock, port, signed } = await startApi(t);
  const { socket, got } = await open(port);
  socket.write(REQUEST.repeat(100));
  await until(() => socket.destroyed);
  t.equal(signed.length, 1);
  t.equal(got().split('HTTP/1.1').length, 2);
  t.equal(clock.pending, 0, 'and nothing waits for it any more');
});

t.test('kiosk API: of what is sent behind a first request hardly anything is parsed', async (t) => {
  const [ours, theirs] = duplexPair();
  // What Node's server does with a socket: it reads all that there is.
  const exchange = new OneRequest(ours as Socket, 1_024);
  let got = 0;
  exchange.on('data', (chunk: Buffer) => {
    if (got === 0) exchange.takeBody(100);
    got += chunk.length;
  });
  theirs.write(Buffer.alloc(60_000, 'x'));
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  t.ok(got <= 2 * 256 + 100, `${got} bytes: the piece that was on its way, and the body`);
});

t.test('kiosk API: a header without end is refused before it is long', async (t) => {
  const { port } = await startApi(t);
  const { socket } = await open(port);
  socket.write(`POST ${TIME_PATH} HTTP/1.1\r\nX: ${'x'.repeat(60_000)}`);
  await until(() => socket.destroyed);
});

t.test('kiosk API: a request that comes in pieces, its body behind its header, is answered', async (t) => {
  const { port } = await startApi(t);
  const { socket, got } = await open(port);
  for (const piece of REQUEST.match(/.{1,20}/gs) ?? []) {
    socket.write(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await until(() => socket.destroyed);
  t.match(got(), /^HTTP\/1\.1 200 /);
});

t.test('kiosk API: whoever leaves with its last byte, or before it, ends nothing but its request', async (t) => {
  const { port } = await startApi(t);
  const leave: ((socket: Socket) => void)[] = [
    (socket) => socket.resetAndDestroy(),
    (socket) => socket.destroy(),
    (socket) => socket.end(),
  ];
  for (const said of [REQUEST, `${REQUEST}{}`, REQUEST.slice(0, -1), REQUEST.replace(TIME_PATH, '/nowhere')])
    for (let i = 0; i < 30; i++) {
      const { socket } = await open(port);
      socket.write(said);
      if (i > 14) await new Promise<void>((resolve) => setImmediate(resolve));
      leave[i % 3]?.(socket);
      await until(() => socket.destroyed);
    }
  const { socket, got } = await open(port);
  socket.write(REQUEST);
  await until(() => socket.destroyed);
  t.match(got(), /^HTTP\/1\.1 200 /);
});

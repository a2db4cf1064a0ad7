/** The live stream to browsers that do not read: over real sockets, with more to say than those take by themselves. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { Live } from '../../gateway/web/live.ts';
import type { Overview } from '../../gateway/web/schema.ts';

/** More than both ends' kernels hold of a connection (tcp(7), tcp_wmem and tcp_rmem: 4 and 6 MiB at the most). */
const MUCH = 'x'.repeat(32 * 1_048_576);

/** A stream of which each overview is another, and browsers that watch it. */
async function open(t: Test) {
  const state = { isWelcome: true, text: MUCH, asked: 0 };
  const live = new Live(() => {
    state.asked += 1;
    return { gateway: { atMs: 0, text: state.text, asked: state.asked }, venues: [], kiosks: [] } as unknown as Overview;
  });
  const server: Server = createServer((_request, response) => live.add({ response, name: 'ann', isWelcome: () => state.isWelcome }));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.closeAllConnections());
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  /** @returns the server's end of a connection whose browser reads nothing. */
  const watchBlindly = async (): Promise<Socket> => {
    const [[ours]] = await Promise.all([
      once(server, 'connection') as Promise<[Socket]>,
      once(server, 'request'),
      new Promise<void>((resolve) => {
        const socket = connect(port, '127.0.0.1', () => {
          socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
          resolve();
        }).on('error', () => {});
        t.teardown(() => socket.destroy());
      }),
    ]);
    return ours;
  };
  return { live, state, watchBlindly, url: `http://127.0.0.1:${port}` };
}

t.test('live: a browser that does not read is let go of when its session has ended, and holds no connection', async (t) => {
  const { live, state, watchBlindly } = await open(t);
  const socket = await watchBlindly();
  t.equal(live.watchers, 1);
  state.isWelcome = false;
  const closed = once(socket, 'close');
  live.tick();
  await closed;
  t.equal(live.watchers, 0);
  t.equal(live.tick(), undefined, 'nothing is looked at for it any more');
});

t.test(
  'live: a browser that does not read is let go of at the next change, and one that reads is told that its session has ended',
  async (t) => {
    const { live, state, watchBlindly, url } = await open(t);
    const closed = once(await watchBlindly(), 'close');
    state.text = '';
    live.tick();
    await closed;
    const reader = await fetch(url);
    t.equal(live.watchers, 1);
    state.isWelcome = false;
    live.tick();
    t.equal(live.watchers, 0, 'at once');
    t.match(await reader.text(), /\nevent: ended\n/);
  },
);

/** A rollout over the API: what is seen of it, and what a manager may do to it. */
import t from 'tap';
import { readControl } from '../../gateway/control-file.ts';
import { gatewayPaths } from '../../gateway/paths.ts';
import { report, say, WEB } from '../support/busy-gateway.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';

async function ask(gateway: TestGateway, method: string, path: string, body?: unknown) {
  const control = readControl(gatewayPaths(gateway.directory).control);
  const headers = { authorization: `Bearer ${control?.token}`, 'content-type': 'application/json' };
  const reply = await fetch(`${control?.url}${path}`, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  return { status: reply.status, answer: (await reply.json()) as Record<string, unknown> };
}

const ORDER = {
  ...{ digest: 'cd'.repeat(32), version: '1.4.0', board: 'test-board', lengthBytes: 1_000 },
  ...{ percent: 100, kiosks: [], venues: [], mostFailed: 0, atOnce: 5 },
};

t.test('web: how far each kiosk is with a release is told with what it runs, and a manager holds it and goes on', async (t) => {
  const gateway = await startTestGateway(t, { config: WEB });
  const { registry, clock } = gateway;
  const kiosk = gateway.admit();
  const client = await kiosk.connect(gateway.running.tlsPort);
  t.teardown(() => client.endAsync(true));
  await say(client, kiosk, report({ board: ORDER.board }));
  t.notMatch((await ask(gateway, 'GET', '/api/1/overview')).answer, { gateway: { rollout: {} } });
  t.equal((await ask(gateway, 'POST', '/api/1/rollout/pause', { confirm: 1 })).status, 404, 'there is none');
  registry.rolloutBook.start(ORDER, clock.wall());
  await clock.advance(2_000);
  const release = { release: ORDER.digest.slice(0, 16), version: '1.4.0' };
  await say(client, kiosk, report({ board: ORDER.board, update: { ...release, phase: 'taking', percent: 30 } }));
  await clock.advance(2_000);
  t.match((await ask(gateway, 'GET', '/api/1/overview')).answer, {
    gateway: { rollout: { number: 1, version: '1.4.0', state: 'running', meant: 1, underWay: 1 } },
    kiosks: [{ kiosk: kiosk.kiosk, version: '0.1.0', release: { phase: 'taking', percent: 30 } }],
  });
  t.equal((await ask(gateway, 'POST', '/api/1/rollout/pause', { confirm: 2 })).status, 404, 'another one was confirmed');
  t.equal((await ask(gateway, 'POST', '/api/1/rollout/pause', {})).status, 400);
  t.equal((await ask(gateway, 'POST', '/api/1/rollout/pause', { confirm: 1 })).status, 200);
  t.equal(registry.rolloutBook.newest()?.state, 'paused');
  await clock.advance(2_000);
  t.match((await ask(gateway, 'GET', '/api/1/overview')).answer, { gateway: { rollout: { state: 'paused' } } }, 'the gateway goes by it');
  t.equal((await ask(gateway, 'POST', '/api/1/rollout/go-on', { confirm: 1, percent: 101 })).status, 400);
  t.equal((await ask(gateway, 'POST', '/api/1/rollout/go-on', { confirm: 1 })).status, 200);
  t.equal(registry.rolloutBook.newest()?.state, 'running');
  await say(client, kiosk, report({ board: ORDER.board, update: { ...release, phase: 'failed', why: 'release.not_healthy' } }));
  await clock.advance(2_000);
  t.match((await ask(gateway, 'GET', `/api/1/kiosks/${kiosk.kiosk}`)).answer, {
    release: { phase: 'failed', code: 'release.not_healthy', why: /./ },
  });
  t.match((await ask(gateway, 'GET', '/api/1/overview')).answer, { gateway: { rollout: { state: 'paused', failed: 1 } } });
  t.equal((await ask(gateway, 'POST', '/api/1/rollout/stop', { confirm: 1 })).status, 200);
  t.equal((await ask(gateway, 'POST', '/api/1/rollout/go-on', { confirm: 1 })).status, 404, 'it has ended');
  const { entries } = (await ask(gateway, 'GET', '/api/1/audit')).answer as { entries: { action: string; about: string }[] };
  for (const action of ['rollout.pause', 'rollout.go-on', 'rollout.stop'])
    t.ok(
      entries.some((entry) => entry.action === action && entry.about === '1'),
      action,
    );
});

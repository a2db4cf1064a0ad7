/** Which kiosks seal for an earlier key of the gateway, and when that key may go: as page, terminal and Prometheus are told. */
import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { askGateway, runningGateway } from '../../cli/ask-gateway.ts';
import { dataPaths } from '../../cli/data-paths.ts';
import { overviewLines } from '../../cli/overview-lines.ts';
import { openIdentity } from '../../gateway/identity.ts';
import { succeed } from '../../gateway/rotate/secrets.ts';
import type { Overview } from '../../gateway/web/schema.ts';
import { WEB } from '../support/busy-gateway.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';
import { checkIn, publishOrClose, type TestKiosk } from '../support/test-kiosk.ts';

const DAY_MS = 86_400_000;

/** A check-in, under a content key of its own. @param recipients for whom it is sealed. */
async function send(gateway: TestGateway, kiosk: TestKiosk, recipients = gateway.running.trust.recipients): Promise<void> {
  const client = await kiosk.connect(gateway.running.tlsPort);
  const start = await kiosk.start(recipients);
  await publishOrClose(client, kiosk.batchTopic, start.batch([start.seal(checkIn())]));
  client.end(true);
}

async function look(gateway: TestGateway) {
  const paths = dataPaths(dirname(gateway.directory));
  const overview = (await askGateway(paths, 'GET', '/api/1/overview')) as Overview;
  const { url, token } = runningGateway(paths)!;
  const metrics = await (await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${token}` } })).text();
  return {
    ...overview.gateway.recipient,
    standings: Object.fromEntries(
      [...metrics.matchAll(/^vestibule_recipient_kiosks\{standing="(\w+)"\} (\d+)$/gm)].map(([, name, n]) => [name, n]),
    ),
    behind: overview.kiosks.filter(({ troubles }) => troubles.some(({ text }) => /newest key/.test(text))).map(({ kiosk }) => kiosk),
    terminal: overviewLines(overview, 200).join('\n'),
  };
}

t.test('seals: which kiosks seal for an earlier key is told until the last has followed, and then when that key may go', async (t) => {
  const before = await startTestGateway(t, { config: { ...WEB, retentionDays: 14 } });
  const { clock, directory } = before;
  const [quick, slow, gone] = [before.admit(), before.admit(), before.admit()];
  for (const kiosk of [quick, slow, gone]) await send(before, kiosk);
  const earlier = before.running.trust.recipients;
  t.match(
    await look(before),
    { kiosks: 3, followed: 3, earlier: 0, standings: { newest: '3', earlier: '0' }, behind: [] },
    'the first is no news',
  );
  await before.stop();

  await succeed(join(directory, 'keys'), 'recipient', clock.wall());
  const rotatedMs = Math.floor(clock.wall() / 1_000) * 1_000;
  const rotated = await startTestGateway(t, { after: before });
  t.match(await look(rotated), {
    madeAtMs: rotatedMs,
    kiosks: 3,
    followed: 0,
    earlier: 1,
    standings: { newest: '0', earlier: '3' },
    behind: [],
  });
  await send(rotated, quick);
  // A backlog of before, behind the first that was sealed for the newest key: it has followed all the same.
  await send(rotated, quick, earlier);
  await send(rotated, slow, earlier);
  await clock.leap(3 * DAY_MS);
  const later = await look(rotated);
  t.match(later, { followed: 1, earlierMayGoAtMs: undefined, standings: { newest: '1', earlier: '2' } });
  t.strictSame(later.behind.toSorted(), [slow.kiosk, gone.kiosk].toSorted(), 'named, two days after');
  t.match(later.terminal, /Kiosks are to seal for another key: 1 of 3 kiosks do\./);
  t.match(later.terminal, new RegExp(`${slow.kiosk}\\)\\n.*newest key of the gateway`));
  rotated.registry.revoke(gone.kiosk, clock.wall());
  await clock.advance(2_000);
  await rotated.stop();

  const again = await startTestGateway(t, { after: rotated });
  t.match(await look(again), { kiosks: 2, followed: 1, behind: [slow.kiosk] }, 'known after a restart');
  await send(again, slow);
  const lastMs = clock.wall();
  await clock.advance(2_000);
  const done = await look(again);
  t.match(done, { followed: 2, behind: [], standings: { newest: '2', earlier: '0' } });
  t.equal(done.earlierMayGoAtMs, lastMs + (21 + 14) * DAY_MS, 'what a kiosk keeps, then what the ledger keeps');
  t.notMatch(done.terminal, /seal for another key|earlier key/);
  await clock.leap((21 + 14) * DAY_MS);
  t.match((await look(again)).terminal, /1 earlier key of the gateway opens nothing any more/);
  await again.stop();
  rmSync(join(directory, 'keys/recipient.key'));
  t.equal((await openIdentity(directory)).holders.length, 1);
  const last = await startTestGateway(t, { after: again });
  const { terminal, earlier: left } = await look(last);
  t.equal(left, 0);
  t.notMatch(terminal, /earlier key/);
});

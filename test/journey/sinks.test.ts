/** Kiosk, gateway, a core on another machine over HTTPS and a remote broker: the whole road over real sockets, and its breaks. */
import { join } from 'node:path';
import type { MqttClient } from 'mqtt';
import t, { type Test } from 'tap';
import { AuditLog } from '../../gateway/audit.ts';
import type { GatewayConfigInput } from '../../gateway/config.ts';
import { readControl } from '../../gateway/control-file.ts';
import { openIdentity } from '../../gateway/identity.ts';
import { gatewayPaths } from '../../gateway/paths.ts';
import { decodeEvent } from '../../protocol/entry-event.ts';
import { StoreError } from '../../protocol/errors.ts';
import type { LedgerEntry } from '../../protocol/ledger-entry.ts';
import { WEB } from '../support/busy-gateway.ts';
import { FarCore } from '../support/far-core.ts';
import { RemoteBroker } from '../support/remote-broker.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';
import { checkIn } from '../support/test-kiosk.ts';
import { until } from '../support/until.ts';

interface Shown {
  readonly behindEntries: number;
  readonly code?: string;
  readonly setAsideEntries: number;
  readonly droppedEntries: number;
}

interface Road {
  readonly gateway: TestGateway;
  readonly far: FarCore;
  readonly broker: RemoteBroker;
  /** Resolves at PUBACK. */
  readonly send: (rows?: number) => Promise<void>;
  readonly ask: (method: string, path: string) => Promise<{ readonly status: number; readonly answer: Record<string, unknown> }>;
  /** As operators are told it. */
  readonly shown: (sink: string) => Promise<Shown | undefined>;
  /** Moves time on until it is so. */
  readonly later: (isSo: () => boolean | Promise<boolean>) => Promise<void>;
  /** Rows that the remote broker's readers have, each once. */
  readonly bridged: () => number;
}

async function openRoad(t: Test): Promise<Road> {
  // Once, so that it is known whose core the other one is to be.
  const first = await startTestGateway(t);
  await first.stop();
  const far = await FarCore.open(join(first.directory, '..', 'far'), first.running.trust.deployment, first.clock);
  const broker = await RemoteBroker.open();
  const bridge = { kind: 'mqtt', name: 'bridge', host: '127.0.0.1', port: broker.port, pin: broker.pin, prefix: 'town' } as const;
  const config: Partial<GatewayConfigInput> = { ...WEB, sinks: [{ kind: 'core' }, far.sink(), bridge] };
  const gateway = await startTestGateway(t, { after: first, config });
  const kiosk = gateway.admit();
  const client: MqttClient = await kiosk.connect(gateway.running.tlsPort);
  t.teardown(async () => {
    client.end(true);
    await gateway.stop();
    await far.close();
    await broker.close();
  });
  const start = await kiosk.start();
  const ask = async (method: string, path: string) => {
    const control = readControl(gatewayPaths(gateway.directory).control);
    const reply = await fetch(`${control?.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${control?.token}`, 'x-vestibule-user': 'ann' },
    });
    return { status: reply.status, answer: (await reply.json()) as Record<string, unknown> };
  };
  return {
    gateway,
    far,
    broker,
    ask,
    send: async (rows = 1) => {
      const sealed = Array.from({ length: rows }, () => start.seal(checkIn()));
      await client.publishAsync(kiosk.batchTopic, Buffer.from(start.batch(sealed)), { qos: 1 });
    },
    shown: async (sink) => {
      await gateway.clock.advance(1_000);
      const { answer } = await ask('GET', '/api/1/overview');
      return (answer.gateway as { sinks: (Shown & { name: string })[] }).sinks.find(({ name }) => name === sink);
    },
    later: async (isSo) => {
      while (!(await isSo())) await gateway.clock.advance(500);
    },
    bridged: () => {
      const events = new Map(
        broker.messages.map(({ payload }) => [JSON.parse(payload.toString('utf8')).id as string, decodeEvent(payload).entry]),
      );
      return [...events.values()].reduce((sum, entry) => sum + (entry.kind === 'batch' ? entry.rows.length : 0), 0);
    },
  };
}

const rowsOf = (entries: readonly LedgerEntry[]): number =>
  entries.reduce((sum, entry) => sum + (entry.kind === 'batch' ? entry.rows.length : 0), 0);

t.test('journey: each sink has all that a kiosk sent, and the core over there opens it by a key of its own', async (t) => {
  const { gateway, far, send, shown, bridged } = await openRoad(t);
  t.equal(gateway.running.trust.recipients.length, 2, 'kiosks seal for it, too');
  await send(3);
  await send(2);
  await until(() => far.core.counts().checkIns === 5 && bridged() === 5 && rowsOf(gateway.intake.entries) === 5);
  t.equal(far.core.counts().setAside, 0);
  for (const sink of ['core', 'far', 'bridge'])
    t.match(await shown(sink), { behindEntries: 0, code: undefined, setAsideEntries: 0, droppedEntries: 0 });
});

t.test('journey: an answer that is lost, and a core that dies within its work, change nothing: each row is there once', async (t) => {
  const { gateway, far, send, shown, later } = await openRoad(t);
  await send();
  await until(() => far.core.counts().checkIns === 1);
  let cuts = 2;
  far.after = () => {
    // It has them, and can not say so.
    if (cuts-- > 0) far.link.cut();
    far.link.mend();
  };
  await send(4);
  await later(async () => cuts < 2 && (await shown('far'))?.behindEntries === 0);
  t.strictSame(far.offered, [[1], [2]], 'the same offer again is answered from memory, and not even handed to the core');
  far.after = () => {};
  let refusals = 3;
  far.before = () => {
    if (refusals-- > 0) throw new StoreError('store.disk_full', 'core.db: SQLITE_FULL');
  };
  await send(2);
  await later(() => far.core.counts().checkIns === 7);
  t.equal(far.core.counts().setAside, 0);
  t.equal(rowsOf(gateway.intake.entries), 7, 'the other had them all along');
});

t.test('journey: one sink hangs, one is down: kiosks are acknowledged and the third has everything', async (t) => {
  const { gateway, far, broker, send, shown, later, bridged } = await openRoad(t);
  const gate = Promise.withResolvers<void>();
  await send();
  await until(() => far.core.counts().checkIns === 1 && bridged() === 1);
  far.before = () => gate.promise;
  broker.isMute = true;
  broker.cut();
  for (let i = 0; i < 20; i++) await send();
  await until(() => rowsOf(gateway.intake.entries) === 21);
  await later(async () => (await shown('far'))?.code === 'sink.silent' && (await shown('bridge'))?.code === 'sink.silent');
  t.match(await shown('core'), { behindEntries: 0, code: undefined });
  t.match(await shown('far'), { behindEntries: 20 });
  far.before = () => {};
  gate.resolve();
  broker.isMute = false;
  broker.cut();
  await later(() => far.core.counts().checkIns === 21 && bridged() === 21);
  await later(async () => (await shown('far'))?.code === undefined && (await shown('bridge'))?.code === undefined);
});

t.test('journey: a core that was brought back from a backup gets again what it lacks, while the gateway runs on', async (t) => {
  const { far, send, later } = await openRoad(t);
  for (let i = 0; i < 5; i++) await send();
  await later(() => far.core.counts().checkIns === 5);
  await far.restore('from-a-backup');
  t.equal(far.core.counts().checkIns, 0);
  await send();
  await later(() => far.core.counts().checkIns === 6);
});

t.test('journey: an entry that the core over there can not read is set aside, listed, replayed by a person, and audited', async (t) => {
  const { gateway, far, send, ask, shown, later } = await openRoad(t);
  await send();
  await until(() => far.core.counts().checkIns === 1);
  far.link.cut();
  for (let i = 0; i < 9; i++) await send();
  // As an older core does that does not know what it is given.
  const refuse = (entries: readonly LedgerEntry[]) => {
    if (entries.some(({ position }) => position === 5)) throw new StoreError('decode.unsupported' as 'store.failed', 'not known here');
  };
  far.before = refuse;
  far.link.mend();
  await later(() => far.core.counts().checkIns === 9);
  t.match(await shown('far'), { behindEntries: 0, setAsideEntries: 1, code: undefined });
  t.match(await shown('core'), { setAsideEntries: 0 });
  const path = '/api/1/sinks/far/set-aside';
  t.match(await ask('GET', path), { status: 200, answer: { items: [{ position: 5, kind: 'batch', code: 'sink.entry_refused' }] } });
  t.match(await ask('POST', `${path}/5/replay`), { status: 200, answer: { outcome: 'refused', code: 'sink.entry_refused' } });
  far.before = () => {};
  t.match(await ask('POST', `${path}/5/replay`), { status: 200, answer: { outcome: 'taken' } });
  t.equal(far.core.counts().checkIns, 10, 'counts agree');
  t.equal((await ask('POST', `${path}/5/replay`)).status, 404);
  t.equal((await ask('DELETE', `${path}/5`)).status, 404);
  t.equal((await ask('GET', '/api/1/sinks/nobody/set-aside')).status, 404);
  const { storeKey } = await openIdentity(gateway.directory);
  const paths = gatewayPaths(gateway.directory);
  const audit = new AuditLog({ log: paths.audit, head: paths.auditHead }, storeKey);
  t.teardown(() => audit.close());
  const deeds = audit.entries(20).map(({ who, action, about }) => `${who} ${action} ${about}`);
  t.ok(deeds.includes('ann look.set-aside far'));
  t.ok(deeds.includes('ann set-aside.replay far 5'));
  await send();
  await until(() => far.core.counts().checkIns === 11);
  t.match(await shown('far'), { behindEntries: 0, setAsideEntries: 0 });
});

t.test('journey: a core that shows another key, or does not know the token, is given nothing', async (t) => {
  const first = await startTestGateway(t);
  await first.stop();
  const far = await FarCore.open(join(first.directory, '..', 'far'), first.running.trust.deployment, first.clock);
  t.teardown(() => far.close());
  const pin = Buffer.alloc(32).toString('base64url');
  const { url, tokenPath } = far.sink();
  const sinks = [
    { kind: 'core' },
    { kind: 'http', name: 'wrong-key', url, tokenPath, pin },
    // Its own pin is not its token.
    { kind: 'http', name: 'wrong-token', url, pin: far.sink().pin, tokenPath: join(far.directory, 'keys', 'other.token') },
  ];
  const { writeFileSync } = await import('node:fs');
  writeFileSync(join(far.directory, 'keys', 'other.token'), 'a-token-that-is-of-no-use', { mode: 0o600 });
  const gateway = await startTestGateway(t, { after: first, config: { sinks } as Partial<GatewayConfigInput> });
  const codes = () => gateway.log.of('forward.failed').map(({ fields }) => `${fields.sink} ${fields.code}`);
  await until(() => codes().length >= 2);
  t.strictSame(codes().toSorted(), ['wrong-key sink.not_trusted', 'wrong-token sink.not_admitted']);
  t.strictSame(far.offered, []);
  t.notMatch(gateway.log.text, /a-token-that/);
});

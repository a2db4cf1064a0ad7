/** The HTTP sink against a server that answers as it likes: what each answer means, and what is never sent to whom. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { HttpSink } from '../../gateway/sinks/http-sink.ts';
import { type HttpSinkConfig, sinksSchema } from '../../gateway/sinks/sink-config.ts';
import { makeCertificate } from '../../protocol/certificate.ts';
import { generateSigningKey } from '../../protocol/ed25519.ts';
import { decodeEvents } from '../../protocol/entry-event.ts';
import { decodeErasure } from '../../protocol/erasure.ts';
import { SinkError } from '../../protocol/errors.ts';
import type { DeploymentId } from '../../protocol/ids.ts';
import type { DoubtEntry } from '../../protocol/ledger-entry.ts';
import { pinOfKey } from '../support/far-core.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { ScriptedServer } from '../support/scripted-server.ts';
import { outcomeOf, outcomeOfPromise } from '../support/wire.ts';

const DEPLOYMENT = '0123456789abcdef' as DeploymentId;
const TOKEN = 'a-token-of-thirty-two-characters';
const entry = (position: number): DoubtEntry => ({
  kind: 'doubt',
  position,
  row: { kiosk: '0123456789abcdef', keyId: new Uint8Array(8), seq: position } as DoubtEntry['row'],
  reason: 'door-rate',
  raisedAtMs: 1_000 as DoubtEntry['raisedAtMs'],
});
const taken = (position: number, deployment: string = DEPLOYMENT): string => JSON.stringify({ deployment, taken: position });

async function opened(t: Test) {
  const server = await ScriptedServer.open();
  const life = new AbortController();
  t.teardown(() => {
    life.abort();
    return server.close();
  });
  const clock = new ManualClock();
  const directory = t.testdir();
  const tokenPath = join(directory, 'token');
  writeFileSync(tokenPath, `${TOKEN}\n`, { mode: 0o600 });
  const url = `https://127.0.0.1:${server.port}`;
  const sink = (more: object = {}): HttpSink => {
    const [config] = sinksSchema.parse([{ kind: 'http', name: 'far', url, pin: server.pin, tokenPath, ...more }]);
    return new HttpSink(config as HttpSinkConfig, DEPLOYMENT, clock, life.signal);
  };
  return { server, sink, clock, directory, tokenPath, url, life };
}

t.test(
  'http sink: a batch is CloudEvents, with the token, a key of its own, and up to where the other said it has everything',
  async (t) => {
    const { server, sink } = await opened(t);
    const far = sink({ url: `https://127.0.0.1:${server.port}/behind/a/proxy/` });
    server.answer = (_heard, reply) => reply.end(taken(4));
    t.equal(await far.taken(), 4);
    server.answer = (_heard, reply) => reply.end(taken(6));
    await far.accept([entry(5), entry(6)]);
    await far.accept([entry(5), entry(6)]);
    const [asked, first, again] = server.heard;
    t.match(asked, { method: 'GET', url: '/behind/a/proxy/api/1/taken', headers: { authorization: `Bearer ${TOKEN}` } });
    t.match(first, {
      method: 'POST',
      url: '/behind/a/proxy/api/1/entries',
      headers: {
        authorization: `Bearer ${TOKEN}`,
        'content-type': 'application/cloudevents-batch+json',
        'idempotency-key': /^"[\w-]{43}"$/,
        'vestibule-after': '4',
      },
    });
    t.equal(again?.headers['idempotency-key'], first?.headers['idempotency-key'], 'the same entries, the same key');
    t.equal(again?.headers['vestibule-after'], '6');
    t.strictSame(decodeEvents(first?.body ?? new Uint8Array()).entries, [entry(5), entry(6)]);
    t.equal(server.connections, 1, 'one connection for all');
  },
);

t.test('http sink: rows that must go are one event of their own, gone at 204 and at nothing else', async (t) => {
  const { server, sink } = await opened(t);
  const far = sink();
  const rows = [entry(1).row, entry(2).row];
  server.answer = (_heard, reply) => reply.writeHead(204).end();
  await far.erase(rows);
  const [heard] = server.heard;
  t.match(heard, {
    method: 'POST',
    url: '/api/1/erasures',
    headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/cloudevents+json' },
  });
  t.strictSame(decodeErasure(heard?.body ?? new Uint8Array()), { deployment: DEPLOYMENT, rows });
  for (const [status, outcome] of [
    [200, 'sink.unexpected'],
    [404, 'sink.unexpected'],
    [401, 'sink.not_admitted'],
    [503, 'sink.unavailable'],
  ] as const) {
    server.answer = (_heard, reply) => reply.writeHead(status).end();
    t.equal(await outcomeOfPromise(() => far.erase(rows)), outcome, String(status));
  }
});

t.test('http sink: what each status means', async (t) => {
  const { server, sink } = await opened(t);
  const far = sink();
  const offers: readonly [number, string, string][] = [
    [400, '{}', 'sink.entry_refused'],
    [401, '{}', 'sink.not_admitted'],
    [403, '{}', 'sink.not_admitted'],
    [403, '{"code":"sink.other_ledger"}', 'sink.other_ledger'],
    [404, '<html>', 'sink.unexpected'],
    [302, '', 'sink.unexpected'],
    [204, '', 'sink.unexpected'],
    [408, '', 'sink.silent'],
    [409, '{"code":"sink.gap"}', 'sink.gap'],
    [409, '{"code":"sink.unavailable"}', 'sink.unavailable'],
    [413, '', 'sink.too_large'],
    [415, '', 'sink.unexpected'],
    [422, '{"code":"decode.malformed","position":1}', 'sink.entry_refused'],
    [429, '', 'sink.unavailable'],
    [500, 'oops', 'sink.unavailable'],
    [503, '', 'sink.unavailable'],
    [200, 'no json', 'sink.unexpected'],
    [200, '{"taken":1}', 'sink.unexpected'],
    [200, taken(0), 'sink.unexpected'],
    [200, taken(1, 'aaaaaaaaaaaaaaaa'), 'sink.other_ledger'],
    [200, taken(1), 'nothing thrown'],
  ];
  for (const [status, body, outcome] of offers) {
    server.answer = (_heard, reply) => reply.writeHead(status, { location: '/elsewhere' }).end(body);
    t.equal(await outcomeOfPromise(() => far.accept([entry(1)])), outcome, `${status} ${body}`);
  }
  server.answer = (_heard, reply) => reply.writeHead(422).end('{"position":7,"code":"<script>"}');
  const refused = await far.accept([entry(7)]).catch((error: unknown) => error as SinkError);
  t.match(refused, { code: 'sink.entry_refused', position: 7 });
  t.notMatch((refused as SinkError).message, /script/, 'what it says is not repeated');
});

t.test('http sink: Retry-After is kept to, within a quarter of an hour', async (t) => {
  const { server, sink, clock } = await opened(t);
  const far = sink();
  const asked = async (header: string): Promise<number | undefined> => {
    server.answer = (_heard, reply) => reply.writeHead(503, { 'retry-after': header }).end();
    const error = await far.accept([entry(1)]).catch((thrown: unknown) => thrown);
    t.type(error, SinkError);
    return (error as SinkError).retryAfterMs;
  };
  t.equal(await asked('7'), 7_000);
  t.equal(await asked('86400'), 900_000);
  t.equal(await asked(new Date(clock.wall() + 60_000).toUTCString()), 60_000);
  t.equal(await asked(new Date(clock.wall() - 60_000).toUTCString()), 0);
  t.equal(await asked('soon'), undefined);
});

t.test('http sink: one that hangs is given up in time, wherever it hangs', async (t) => {
  const { server, sink, clock } = await opened(t);
  const far = sink({ timeoutMs: 5_000 });
  server.answer = () => {};
  const unanswered = outcomeOfPromise(() => far.accept([entry(1)]));
  await server.until(1);
  await clock.advance(5_000);
  t.equal(await unanswered, 'sink.silent');
  const begun = Promise.withResolvers<void>();
  server.answer = (_heard, reply) => {
    reply.writeHead(200, { 'content-length': '100' });
    reply.write('{', () => begun.resolve());
  };
  const halfAnswered = outcomeOfPromise(() => far.accept([entry(1)]));
  await begun.promise;
  await clock.advance(5_000);
  t.equal(await halfAnswered, 'sink.silent');
  server.answer = (_heard, reply) => reply.end(taken(1));
  await far.accept([entry(1)]);
  t.equal(clock.pending, 0, 'no timer is left');
});

t.test('http sink: one that goes over to another protocol is no intake, and the next answer is heard', async (t) => {
  const { server, sink } = await opened(t);
  const far = sink();
  server.answer = (_heard, reply) => {
    reply.socket?.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: other\r\n\r\n');
  };
  t.equal(await outcomeOfPromise(() => far.accept([entry(1)])), 'sink.unexpected');
  server.answer = (_heard, reply) => reply.end(taken(1));
  t.equal(await outcomeOfPromise(() => far.accept([entry(1)])), 'nothing thrown');
});

t.test('http sink: an answer that breaks off, or is too long, is none', async (t) => {
  const { server, sink } = await opened(t);
  const far = sink();
  server.answer = (_heard, reply) => {
    reply.writeHead(200, { 'content-length': '100' });
    reply.write('{"taken":1', () => reply.destroy());
  };
  t.equal(await outcomeOfPromise(() => far.accept([entry(1)])), 'sink.lost');
  server.answer = (_heard, reply) => reply.end(`${taken(1)}${' '.repeat(70_000)}`);
  t.equal(await outcomeOfPromise(() => far.accept([entry(1)])), 'sink.unexpected');
  server.answer = (_heard, reply) => reply.end(taken(1));
  t.equal(await outcomeOfPromise(() => far.accept([entry(1)])), 'nothing thrown');
});

t.test('http sink: a connection that was closed while nothing was sent costs nothing', async (t) => {
  const { server, sink } = await opened(t);
  const far = sink();
  server.answer = (_heard, reply) => reply.end(taken(1));
  await far.accept([entry(1)]);
  // Closed in the very moment of the next request, after it was written.
  let isFirst = true;
  server.answer = (_heard, reply) => {
    if (isFirst) reply.socket?.destroy();
    else reply.end(taken(1));
    isFirst = false;
  };
  t.equal(await outcomeOfPromise(() => far.accept([entry(1)])), 'nothing thrown');
  server.closeIdle();
  t.equal(await outcomeOfPromise(() => far.accept([entry(1)])), 'nothing thrown');
});

t.test('http sink: to another key than the pinned one nothing is sent, not even the token', async (t) => {
  const { server, sink } = await opened(t);
  const other = Buffer.from(pinOfKey(generateSigningKey())).toString('base64url');
  t.equal(await outcomeOfPromise(() => sink({ pin: other }).accept([entry(1)])), 'sink.not_trusted');
  t.equal(await outcomeOfPromise(() => sink({ pin: other }).taken()), 'sink.not_trusted');
  t.equal(await outcomeOfPromise(() => sink({ pin: undefined }).taken()), 'sink.not_trusted', 'nor to one that no authority knows');
  t.strictSame(server.heard, []);
});

t.test('http sink: a certificate is verified by an authority and by name, where no pin is given', async (t) => {
  const { server, sink, directory } = await opened(t);
  const caPath = join(directory, 'ca.pem');
  writeFileSync(caPath, server.certificatePem);
  t.equal(await outcomeOfPromise(() => sink({ pin: undefined, caPath }).taken()), 'sink.not_trusted', 'it is of no such name');
  writeFileSync(caPath, await makeCertificate(generateSigningKey(), 'another'));
  t.equal(await outcomeOfPromise(() => sink({ pin: undefined, caPath }).taken()), 'sink.not_trusted');
  t.strictSame(server.heard, []);
  const authority = { privateKey: generateSigningKey(), certificatePem: '' };
  authority.certificatePem = await makeCertificate(authority.privateKey, 'authority');
  const named = await ScriptedServer.open(authority);
  t.teardown(() => named.close());
  named.answer = (_heard, reply) => reply.end(taken(3));
  writeFileSync(caPath, authority.certificatePem);
  const of = (host: string) => sink({ pin: undefined, caPath, url: `https://${host}:${named.port}` });
  t.equal(await of('127.0.0.1').taken(), 3);
  t.equal(await outcomeOfPromise(() => of('localhost').taken()), 'sink.not_trusted', 'by another name than the certificate has');
});

t.test('http sink: shows its own certificate', async (t) => {
  const { server, sink, directory } = await opened(t);
  const key = generateSigningKey();
  const [certificatePath, keyPath] = [join(directory, 'own.crt'), join(directory, 'own.key')];
  writeFileSync(certificatePath, await makeCertificate(key, 'gateway'));
  writeFileSync(keyPath, key.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  server.answer = (_heard, reply) => reply.end(taken(0));
  await sink({ certificatePath, keyPath, tokenPath: undefined }).taken();
  t.strictSame(server.heard[0]?.clientKey, Buffer.from(pinOfKey(key)));
  t.equal(server.heard[0]?.headers.authorization, undefined);
});

t.test('http sink: secrets come from files that their owner alone can read', async (t) => {
  const { sink, directory } = await opened(t);
  const open = join(directory, 'open');
  writeFileSync(open, TOKEN, { mode: 0o644 });
  const empty = join(directory, 'empty');
  writeFileSync(empty, '\n', { mode: 0o600 });
  for (const tokenPath of [open, empty, join(directory, 'nowhere')])
    t.equal(
      outcomeOf(() => sink({ tokenPath })),
      'config.invalid',
      tokenPath,
    );
});

t.test('http sink: nobody there, and a stop meanwhile', async (t) => {
  const { server, sink, life } = await opened(t);
  t.equal(await outcomeOfPromise(() => sink({ url: 'https://127.0.0.1:1' }).taken()), 'sink.not_reached');
  server.answer = () => {};
  const waiting = outcomeOfPromise(() => sink().accept([entry(1)]));
  await server.until(1);
  life.abort();
  t.equal(await waiting, 'sink.lost');
});

t.test('sink config: faults are found', async (t) => {
  const fault = (...sinks: object[]): boolean => !sinksSchema.safeParse(sinks).success;
  const http = { kind: 'http', name: 'far', url: 'https://core.example:8444' };
  const mqtt = { kind: 'mqtt', name: 'bridge', host: 'broker.example', prefix: 'town/vestibule' };
  t.notOk(fault({ kind: 'core' }, http, mqtt));
  t.strictSame(sinksSchema.parse(undefined), [{ kind: 'core', name: 'core' }]);
  t.ok(fault());
  t.ok(fault(http, { ...mqtt, name: 'far' }), 'one name twice');
  t.ok(fault({ ...http, name: 'core' }), "the embedded core's name");
  t.ok(fault({ kind: 'core' }, { kind: 'core' }));
  for (const url of ['http://core.example', 'ftp://x', 'https://u:p@core.example', 'https://core.example/?a=1', 'https://core.example/#a'])
    t.ok(fault({ ...http, url }), url);
  t.notOk(fault({ ...http, url: 'http://127.0.0.1:8444' }));
  for (const more of [{ name: 'Far' }, { pin: 'short' }, { entriesPerSecond: 0 }, { timeoutMs: 1 }, { keyPath: 'x' }, { token: 'secret' }])
    t.ok(fault({ ...http, ...more }), JSON.stringify(more));
  for (const more of [
    { prefix: 'a/#' },
    { prefix: '+' },
    { prefix: '$SYS' },
    { prefix: '/a' },
    { prefix: 'a/' },
    { isPlain: true },
    { window: 0 },
    { port: 0 },
  ])
    t.ok(fault({ ...mqtt, ...more }), JSON.stringify(more));
});

/** `vestibule core serve` as a process of its own, and a gateway that is told what it prints. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { HttpSink } from '../../gateway/sinks/http-sink.ts';
import { type HttpSinkConfig, sinksSchema } from '../../gateway/sinks/sink-config.ts';
import { generateSigningKey, rawPublicKey } from '../../protocol/ed25519.ts';
import { generateRecipient } from '../../protocol/hpke.ts';
import { type DeploymentId, newPlaceId } from '../../protocol/ids.ts';
import { systemClock } from '../../protocol/time.ts';
import { formatTrust } from '../../protocol/trust.ts';
import { VestibuleProcess } from '../support/child.ts';
import { outcomeOfPromise } from '../support/wire.ts';

async function trustIn(directory: string, deployment: DeploymentId, name = 'trust.json'): Promise<string> {
  const { recipient } = await generateRecipient();
  const path = join(directory, name);
  const gateway = { host: '127.0.0.1', port: 1, certificatePem: '-' };
  const receiptKey = rawPublicKey(generateSigningKey());
  writeFileSync(path, formatTrust({ deployment, gateway, receiptKey, recipients: [recipient], issuers: [], mayTakeUnsigned: false }));
  return path;
}

function serve(t: Test, directory: string, ...more: string[]): VestibuleProcess {
  const served = new VestibuleProcess(['core', 'serve', '--listen', '127.0.0.1', '--port', '0', '--data', directory, ...more]);
  t.teardown(() => served.end('SIGKILL'));
  return served;
}

t.test('core serve: what it prints is what a gateway needs; key and token stay, and it is of one gateway', async (t) => {
  const directory = t.testdir();
  const deployment = newPlaceId<DeploymentId>();
  const trust = await trustIn(directory, deployment);
  const first = serve(t, directory);
  await t.rejects(
    first.line((line) => line.startsWith('core ready')),
    /--trust names the gateway's trust.json/,
  );

  const served = serve(t, directory, '--trust', trust);
  const port = /port (\d+)/.exec(await served.line((line) => line.startsWith('core ready')))?.[1];
  const tokenPath = (await served.line((line) => line.startsWith('token: '))).slice('token: '.length);
  const printed = JSON.parse(/\{[\s\S]*\n\}/.exec(served.written)?.[0] ?? '') as { sinks: Record<string, unknown>[] };
  const sinks = printed.sinks.map((sink) => (sink.kind === 'http' ? { ...sink, url: `https://127.0.0.1:${port}`, tokenPath } : sink));
  const config = sinksSchema.parse(sinks).find(({ kind }) => kind === 'http') as HttpSinkConfig;
  const life = new AbortController();
  t.teardown(() => life.abort());
  t.equal(await new HttpSink(config, deployment, systemClock, life.signal).taken(), 0);
  const other = new HttpSink(config, newPlaceId<DeploymentId>(), systemClock, life.signal);
  t.equal(await outcomeOfPromise(() => other.taken()), 'sink.other_ledger');
  t.equal(readFileSync(tokenPath, 'utf8').trim().length, 43);
  t.equal(await served.end('SIGTERM'), 0);

  const again = serve(t, directory, '--url', 'https://core.example:1');
  t.match(await again.line((line) => line.startsWith('note: ')), /--url says port 1, and this core listens on \d+ \(--port\)/);
  t.ok(again.written.includes(String(printed.sinks[1]?.pin)), 'known by the same key');
  t.equal(await again.end('SIGTERM'), 0);
  const foreign = serve(t, directory, '--trust', await trustIn(directory, newPlaceId<DeploymentId>(), 'other.json'));
  await t.rejects(
    foreign.line((line) => line.startsWith('core ready')),
    /give it a data directory of its own/,
  );
});

t.test('core serve: settings and port are looked at before anything is made', async (t) => {
  const directory = t.testdir();
  const data = join(directory, 'data');
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  t.teardown(() => taken.close());
  const trust = await trustIn(directory, newPlaceId<DeploymentId>());
  const config = join(directory, 'core.json');
  writeFileSync(config, JSON.stringify({ cases: { stickerLifeMs: 5 } }));
  const { port } = taken.address() as { port: number };
  const faults = [
    [['--port', String(port)], /can not be listened on \(EADDRINUSE\)/],
    [['--url', 'core.example'], /--url: "core\.example" is no address/],
    [['--rest-port', 'x'], /--rest-port: "x" is no port/],
    [['--config', config], /cases\.stickerLifeMs/],
  ] as const;
  for (const [more, said] of faults) {
    await t.rejects(
      serve(t, data, '--trust', trust, ...more).line((line) => line.startsWith('core ready')),
      said,
    );
    t.notOk(existsSync(data), 'no key, no file');
  }
});

/** Who gets in, and what they may say and hear, over the wire. */
import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import t, { type Test } from 'tap';
import { Accounts } from '../../gateway/accounts.ts';
import { openIdentity } from '../../gateway/identity.ts';
import { gatewayPaths } from '../../gateway/paths.ts';
import { makeCertificate } from '../../protocol/certificate.ts';
import { generateSigningKey } from '../../protocol/ed25519.ts';
import { downState, encodeKioskState } from '../../protocol/kiosk-state.ts';
import { topicOf } from '../../protocol/topics.ts';
import { addPerson, PASSWORD } from '../support/busy-gateway.ts';
import { Inbox, watchState } from '../support/inbox.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';
import { checkIn, publishOrClose, TestKiosk } from '../support/test-kiosk.ts';
import { until } from '../support/until.ts';

const NOT_AUTHORISED = { code: 5 };
const state = (isUp: boolean) => encodeKioskState({ ...downState('test'), isUp, state: isUp ? 'up' : 'down' });

async function connected(t: Test, gateway: TestGateway, options?: IClientOptions) {
  const kiosk = gateway.admit();
  const client = await kiosk.connect(gateway.running.tlsPort, options);
  t.teardown(() => client.end(true));
  return { kiosk, client };
}

const granted = async (client: MqttClient, filter: string): Promise<number | undefined> => {
  // mqtt.js makes an error of a refusal (0x80) and keeps the grants in it.
  const grants = await client.subscribeAsync(filter, { qos: 1 }).catch(() => [{ qos: 128 }]);
  return grants[0]?.qos;
};

t.test('doors: a kiosk connects only as itself, with its own key, while it is admitted', async (t) => {
  const gateway = await startTestGateway(t);
  const port = gateway.running.tlsPort;
  const stranger = new TestKiosk(gateway.running.trust, gateway.clock);
  await t.rejects(stranger.connect(port), NOT_AUTHORISED, 'not admitted');
  const kiosk = gateway.admit();
  const imposter = new TestKiosk(gateway.running.trust, gateway.clock, kiosk.kiosk);
  await t.rejects(imposter.connect(port), NOT_AUTHORISED, 'with another key');
  await t.rejects(stranger.connect(port, { clientId: kiosk.kiosk }), NOT_AUTHORISED, 'an unknown key under a known name');
  const other = gateway.admit();
  await t.rejects(other.connect(port, { clientId: kiosk.kiosk }), NOT_AUTHORISED, 'a known key under another known name');
  await t.rejects(kiosk.connect(port, { key: undefined, cert: undefined } as never), NOT_AUTHORISED, 'without a certificate');
  await t.rejects(kiosk.connect(port, { clientId: 'operator' }), NOT_AUTHORISED, 'under no kiosk name');
  const client = await kiosk.connect(port);
  t.teardown(() => client.end(true));
  t.ok(client.connected);
  const seen = await (await watchState(gateway)).next((value) => value.refused.length === 4);
  const codes = seen.refused.map((refused: { kiosk?: string; code: string; count: number }) => [
    refused.kiosk,
    refused.code,
    refused.count,
  ]);
  t.strictSame(
    codes.toSorted(),
    [
      [undefined, 'admission.unknown_kiosk', 1],
      [kiosk.kiosk, 'admission.no_certificate', 1],
      [kiosk.kiosk, 'admission.wrong_key', 3],
      [stranger.kiosk, 'admission.unknown_kiosk', 1],
    ].toSorted(),
  );
});

t.test('doors: the certificate must be proved, not only shown', async (t) => {
  const gateway = await startTestGateway(t);
  const kiosk = gateway.admit();
  const cert = await makeCertificate(kiosk.signingKey, kiosk.kiosk);
  await t.rejects(
    kiosk.connect(gateway.running.tlsPort, { key: generateSigningKey().export({ type: 'pkcs8', format: 'pem' }).toString(), cert }),
  );
});

t.test('doors: TLS below 1.3 and plain text are not answered', async (t) => {
  const gateway = await startTestGateway(t);
  const port = gateway.running.tlsPort;
  const old = await new Promise<Error>((resolve) => {
    connectTls({ host: '127.0.0.1', port, maxVersion: 'TLSv1.2', rejectUnauthorized: false }).on('error', resolve);
  });
  t.match(old, { code: /TLS|SSL/ });
  await new Promise<void>((resolve) => {
    const socket = connectTcp({ host: '127.0.0.1', port });
    socket.on('error', () => {});
    socket.on('close', () => resolve());
    socket.write('\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00');
  });
  t.pass('closed');
});

t.test('doors: a kiosk that connects again takes over, and an operator sees it flap', async (t) => {
  const gateway = await startTestGateway(t);
  const { kiosk, client } = await connected(t, gateway);
  const second = await kiosk.connect(gateway.running.tlsPort);
  t.teardown(() => second.end(true));
  await until(() => !client.connected);
  const start = await kiosk.start();
  await publishOrClose(second, kiosk.batchTopic, start.batch([start.seal(checkIn())]));
  const seen = await (await watchState(gateway)).next((value) => value.kiosks[kiosk.kiosk]?.takeovers === 1);
  t.equal(seen.kiosks[kiosk.kiosk].isConnected, true);
});

t.test('doors: a kiosk publishes its own batch and state, as they are to be published, and nothing else', async (t) => {
  const gateway = await startTestGateway(t);
  const other = gateway.admit();
  const own = (kiosk: TestKiosk, leaf: 'batch' | 'state' | 'receipt' | 'policy') => topicOf(kiosk.kiosk, leaf);
  const attempts: [string, (kiosk: TestKiosk, client: MqttClient) => Promise<unknown>][] = [
    ["another's batch", (_, client) => publishOrClose(client, own(other, 'batch'), new Uint8Array(9))],
    ["another's state", (_, client) => publishOrClose(client, own(other, 'state'), state(true), true)],
    ['its own receipt', (kiosk, client) => publishOrClose(client, own(kiosk, 'receipt'), new Uint8Array(9))],
    ['a policy', (kiosk, client) => publishOrClose(client, own(kiosk, 'policy'), new Uint8Array(9), true)],
    ["operators' events", (_, client) => publishOrClose(client, 'vestibule/1/events/x/check-in', new Uint8Array(9))],
    ["the gateway's state", (_, client) => publishOrClose(client, 'vestibule/1/gateway/state', new Uint8Array(9), true)],
    ['$SYS', (_, client) => publishOrClose(client, '$SYS/x', new Uint8Array(9))],
    ['a retained batch', (kiosk, client) => publishOrClose(client, own(kiosk, 'batch'), new Uint8Array(9), true)],
    ['a state that is not retained', (kiosk, client) => publishOrClose(client, own(kiosk, 'state'), state(true), false)],
    ['a batch at QoS 0', (kiosk, client) => untilClosedAfter(client, () => client.publish(own(kiosk, 'batch'), 'x', { qos: 0 }))],
    ['a batch at QoS 2', (kiosk, client) => untilClosedAfter(client, () => client.publish(own(kiosk, 'batch'), 'x', { qos: 2 }))],
  ];
  for (const [what, attempt] of attempts) {
    const { kiosk, client } = await connected(t, gateway);
    await t.rejects(attempt(kiosk, client), `${what} closes the connection`);
  }
  t.equal(gateway.ledger.prepare('SELECT count(*) FROM quarantine').pluck().get(), 0);
});

const untilClosedAfter = (client: MqttClient, attempt: () => void): Promise<never> =>
  new Promise((_resolve, reject) => {
    client.once('close', () => reject(new Error('closed')));
    attempt();
  });

t.test('doors: a Will that is not the own state is not let in', async (t) => {
  const gateway = await startTestGateway(t);
  const other = gateway.admit();
  for (const will of [
    { topic: topicOf(other.kiosk, 'state'), payload: Buffer.from(state(false)), qos: 1, retain: true },
    { topic: 'vestibule/1/gateway/state', payload: Buffer.from(state(false)), qos: 1, retain: true },
  ] as const) {
    const kiosk = gateway.admit();
    await t.rejects(kiosk.connect(gateway.running.tlsPort, { will }), NOT_AUTHORISED);
  }
  const kiosk = gateway.admit();
  const own = { topic: topicOf(kiosk.kiosk, 'state'), qos: 1, retain: true } as const;
  await t.rejects(kiosk.connect(gateway.running.tlsPort, { will: { ...own, payload: Buffer.from('no state') } }), NOT_AUTHORISED);
  await t.rejects(
    kiosk.connect(gateway.running.tlsPort, { will: { ...own, retain: false, payload: Buffer.from(state(false)) } }),
    NOT_AUTHORISED,
  );
  for (const words of [{ isUp: true }, { state: 'up' as const }, { isUp: true, state: 'up' as const }]) {
    const payload = Buffer.from(encodeKioskState({ ...downState('test'), ...words }));
    await t.rejects(kiosk.connect(gateway.running.tlsPort, { will: { ...own, payload } }), NOT_AUTHORISED, JSON.stringify(words));
  }
  const spoken = Buffer.from(JSON.stringify({ ...downState('test'), queued: 7, more: 1 }));
  const client = await kiosk.connect(gateway.running.tlsPort, { will: { ...own, payload: spoken } });
  t.teardown(() => client.end(true));
  t.ok(client.connected, 'down in other words');
  const seen = await (await watchState(gateway)).next((value) => value.refused.length > 0);
  t.match(
    seen.refused.find((one: { kiosk?: string }) => one.kiosk === kiosk.kiosk),
    { code: 'admission.wrong_will', count: 5 },
  );
});

t.test('doors: another version of MQTT is told so, and then closed', async (t) => {
  const gateway = await startTestGateway(t);
  const kiosk = gateway.admit();
  const connectOf = (name: string, level: number, more: readonly number[] = []) => {
    const rest = [0, name.length, ...Buffer.from(name), level, 2, 0, 30, ...more, 0, kiosk.kiosk.length, ...Buffer.from(kiosk.kiosk)];
    return Buffer.from([0x10, rest.length, ...rest]);
  };
  const own = {
    key: kiosk.signingKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: await makeCertificate(kiosk.signingKey, kiosk.kiosk),
  };
  const answerTo = (sent: Buffer, enough = Number.POSITIVE_INFINITY) =>
    new Promise<string>((resolve) => {
      const heard: Buffer[] = [];
      const socket = connectTls({ host: '127.0.0.1', port: gateway.running.tlsPort, rejectUnauthorized: false, ...own }, () =>
        socket.write(sent),
      );
      socket.on('data', (bytes: Buffer) => {
        heard.push(bytes);
        if (Buffer.concat(heard).length >= enough) socket.destroy();
      });
      socket.on('error', () => {});
      socket.on('close', () => resolve(Buffer.concat(heard).toString('hex')));
    });
  t.equal(await answerTo(connectOf('MQIsdp', 3)), '20020001', '3.1');
  t.equal(await answerTo(connectOf('MQTT', 3)), '20020001');
  t.equal(await answerTo(connectOf('MQTT', 5, [0])), '20020001', '5');
  t.equal(await answerTo(connectOf('MQTT', 5)), '20020001', 'whatever comes behind the level');
  t.equal(await answerTo(connectOf('MQXX', 4)), '', 'no MQTT');
  t.equal(await answerTo(connectOf('MQTT', 4), 4), '20020000', '3.1.1');
  const seen = await (await watchState(gateway)).next((value) => value.refused.length > 0);
  t.match(seen.door.refusals, { 'admission.wrong_version': 4, 'admission.malformed': 1 });
});

t.test('doors: operators see a kiosk come up, go down with its link, and nothing a schema does not know', async (t) => {
  const gateway = await startTestGateway(t);
  const operator = await gateway.operator();
  const inbox = new Inbox(operator);
  t.equal(await granted(operator, 'vestibule/1/kiosk/+/state'), 1);
  const { kiosk, client } = await connected(t, gateway);
  const topic = topicOf(kiosk.kiosk, 'state');
  const smuggling = JSON.stringify({ ...JSON.parse(Buffer.from(state(true)).toString()), card: 'secret' });
  await publishOrClose(client, topic, Buffer.from(smuggling), true);
  const up = await inbox.json(topic);
  t.match(up, { isUp: true });
  t.notOk('card' in up);
  await publishOrClose(client, topic, Buffer.from('{"isUp":"maybe"}'), true);
  await publishOrClose(client, topic, new Uint8Array(), true);
  const early = await gateway.operator();
  const retained = new Inbox(early);
  await granted(early, topic);
  t.match(await retained.json(topic), { isUp: true }, 'what can not be read takes nothing away');
  client.stream.destroy();
  t.match(await inbox.json(topic), { isUp: false }, 'the Will is next: what can not be read was never shown');
  const second = await gateway.operator();
  const late = new Inbox(second);
  await granted(second, topic);
  t.match(await late.json(topic), { isUp: false }, 'retained');
});

t.test('doors: filters reach no further than they may', async (t) => {
  const gateway = await startTestGateway(t);
  const { kiosk, client } = await connected(t, gateway);
  const other = gateway.admit();
  for (const leaf of ['receipt', 'policy', 'notice', 'command'] as const)
    t.equal(await granted(client, topicOf(kiosk.kiosk, leaf)), 1, leaf);
  const refusedToKiosks = [
    '#',
    '+/+/+/+/+',
    'vestibule/#',
    'vestibule/1/kiosk/#',
    'vestibule/1/kiosk/+/receipt',
    `vestibule/1/kiosk/${kiosk.kiosk}/#`,
    `vestibule/1/kiosk/${kiosk.kiosk}/+`,
    topicOf(kiosk.kiosk, 'batch'),
    topicOf(kiosk.kiosk, 'state'),
    topicOf(other.kiosk, 'receipt'),
    'vestibule/1/events/#',
    'vestibule/1/gateway/state',
    '$SYS/#',
    `$share/x/${topicOf(other.kiosk, 'receipt')}`,
  ];
  for (const filter of refusedToKiosks) t.equal(await granted(client, filter), 128, `kiosk: ${filter}`);

  const operator = await gateway.operator();
  for (const filter of [
    'vestibule/1/events/#',
    'vestibule/1/events/+/check-in',
    'vestibule/1/gateway/#',
    '$SYS/#',
    topicOf(kiosk.kiosk, 'state'),
  ])
    t.equal(await granted(operator, filter), 1, `operator: ${filter}`);
  const refusedToOperators = [
    '#',
    '+/#',
    '+/1/events/#',
    'vestibule/#',
    'vestibule/+/events/#',
    'vestibule/1/#',
    'vestibule/1/kiosk/#',
    'vestibule/1/kiosk/+/+',
    'vestibule/1/kiosk/+/#',
    'vestibule/1/kiosk/+/batch',
    'vestibule/1/+/state',
    topicOf(kiosk.kiosk, 'batch'),
    topicOf(kiosk.kiosk, 'receipt'),
    '$share/x/vestibule/1/kiosk/+/batch',
  ];
  for (const filter of refusedToOperators) t.equal(await granted(operator, filter), 128, `operator: ${filter}`);
});

t.test('doors: an operator needs the account, may not say anything, and can not take a kiosk’s place', async (t) => {
  const gateway = await startTestGateway(t);
  const { kiosk, client } = await connected(t, gateway);
  await t.rejects(gateway.operator({ password: 'guess' }), { code: 4 });
  await t.rejects(gateway.operator({ username: 'admin' }), { code: 4 });
  await t.rejects(gateway.operator({ clientId: kiosk.kiosk }), { code: 4 });
  await t.rejects(gateway.operator({ will: { topic: 'vestibule/1/gateway/state', payload: Buffer.from('x'), qos: 0, retain: true } }), {
    code: 5,
  });
  const operator = await gateway.operator();
  await t.rejects(publishOrClose(operator, topicOf(kiosk.kiosk, 'command'), new Uint8Array(3), true));
  const again = await gateway.operator();
  await t.rejects(publishOrClose(again, 'vestibule/1/events/x/check-in', new Uint8Array(3)));
  t.ok(client.connected);
});

t.test('doors: a person stops reading when the account is taken away, or has another password', async (t) => {
  const gateway = await startTestGateway(t);
  const { storeKey } = await openIdentity(gateway.directory);
  const accounts = new Accounts(gatewayPaths(gateway.directory).accounts, storeKey);
  t.teardown(() => accounts.close());
  const [first, second] = ['a long enough one', 'another long one'];
  const connect = async (username: string, password: string) => {
    const client = await connectAsync({ port: gateway.running.tcpPort, username, password, reconnectPeriod: 0 });
    await client.subscribeAsync('vestibule/1/events/#');
    return client;
  };
  for (const name of ['ann', 'bob', 'eve']) await accounts.add(name, 'read-only', first, gateway.clock.wall());
  const [ann, bob, eve] = [await connect('ann', first), await connect('bob', first), await connect('eve', first)];
  await gateway.clock.advance(1_000);
  t.ok(ann.connected && bob.connected && eve.connected);
  accounts.remove('ann', gateway.clock.wall());
  await accounts.add('bob', 'read-only', second, gateway.clock.wall());
  await gateway.clock.advance(1_000);
  await until(() => !ann.connected && !bob.connected);
  const back = await connect('bob', second);
  await gateway.clock.advance(1_000);
  t.ok(back.connected && eve.connected, 'with the new one, and others');
  for (const client of [back, eve]) client.end(true);
});

t.test('doors: a packet longer than any batch closes the connection as soon as it says so', async (t) => {
  const gateway = await startTestGateway(t);
  const { kiosk, client } = await connected(t, gateway);
  await t.rejects(publishOrClose(client, kiosk.batchTopic, new Uint8Array(70_000)));
  const seen = await (await watchState(gateway)).next((value) => value.refused.length > 0);
  t.match(seen.refused, [{ kiosk: kiosk.kiosk, code: 'admission.overlong' }]);

  const socket = connectTcp({ host: '127.0.0.1', port: gateway.running.tcpPort });
  const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
  // CONNECT that promises 256 MB and sends none of them.
  socket.on('error', () => {}).write(Buffer.from([0x10, 0xff, 0xff, 0xff, 0x7f]));
  await closed;
  t.pass('not waited for');
});

t.test('doors: a session is never kept, so that nothing queues for a kiosk that is away', async (t) => {
  const gateway = await startTestGateway(t);
  const { kiosk, client } = await connected(t, gateway, { clean: false });
  t.equal(await granted(client, topicOf(kiosk.kiosk, 'receipt')), 1);
  await client.endAsync();
  const back = await kiosk.connect(gateway.running.tlsPort, { clean: false });
  t.teardown(() => back.end(true));
  const inbox = new Inbox(back);
  const start = await kiosk.start();
  // A receipt goes out before the next batch is answered: with the second PUBACK, the first receipt would be here.
  for (let i = 0; i < 3; i++) await publishOrClose(back, kiosk.batchTopic, start.batch([start.seal(checkIn())]));
  t.strictSame(inbox.messages, [], 'no subscription outlived the connection');
});

t.test('doors: a TLS session that is resumed still tells whose key it is', async (t) => {
  const gateway = await startTestGateway(t);
  const kiosk = gateway.admit();
  const options = {
    host: '127.0.0.1',
    port: gateway.running.tlsPort,
    ca: [gateway.running.trust.gateway.certificatePem],
    checkServerIdentity: () => undefined,
    key: kiosk.signingKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: await makeCertificate(kiosk.signingKey, kiosk.kiosk),
  };
  const session = await new Promise<Buffer>((resolve) => {
    const socket = connectTls(options);
    socket.on('session', (ticket) => {
      resolve(ticket);
      socket.destroy();
    });
  });
  const client = await kiosk.connect(gateway.running.tlsPort, { session } as IClientOptions);
  t.teardown(() => client.end(true));
  t.ok(client.connected);
  gateway.registry.revoke(kiosk.kiosk, gateway.clock.wall());
  await t.rejects(kiosk.connect(gateway.running.tlsPort, { session } as IClientOptions), NOT_AUTHORISED);
});

t.test('doors: an operator’s program is not thrown out by one of another account that takes its client id', async (t) => {
  const gateway = await startTestGateway(t);
  await addPerson(gateway, 'bob', 'read-only');
  const ours = await gateway.operator({ clientId: 'display' });
  const theirs = await gateway.operator({ clientId: 'display', username: 'bob', password: PASSWORD });
  const inbox = new Inbox(ours);
  await ours.subscribeAsync('vestibule/1/gateway/state');
  await until(() => inbox.messages.length === 1);
  t.ok(ours.connected);
  t.ok(theirs.connected);
  let isClosed = false;
  ours.on('close', () => {
    isClosed = true;
  });
  await gateway.operator({ clientId: 'display' });
  await until(() => isClosed);
  t.ok(theirs.connected, 'within an account the one that comes last has it, as MQTT says');
});

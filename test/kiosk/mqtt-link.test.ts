import { X509Certificate } from 'node:crypto';
import { type AddressInfo, connect, createServer } from 'node:net';
import t from 'tap';
import { openMqttLink } from '../../kiosk/mqtt-link.ts';
import { dialTls } from '../../kiosk/tls-dial.ts';
import { makeCertificate } from '../../protocol/certificate.ts';
import { generateSigningKey, rawPublicKey } from '../../protocol/ed25519.ts';
import type { LinkError } from '../../protocol/errors.ts';
import { systemClock } from '../../protocol/time.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { TestBroker } from './broker.ts';
import { newDeployment } from './fixtures.ts';

const never = new AbortController().signal;

const tcp = (port: number) => () =>
  new Promise<ReturnType<typeof connect>>((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(socket));
    socket.once('error', reject);
  });

const linkTo = (broker: TestBroker, messages: string[] = []) =>
  openMqttLink({
    dial: tcp(broker.port),
    clientId: 'kiosk-1',
    will: { topic: 'vestibule/1/kiosk/kiosk-1/state', payload: Buffer.from('down') },
    subscribe: ['vestibule/1/kiosk/kiosk-1/receipt'],
    onMessage: (topic, payload) => messages.push(`${topic} ${Buffer.from(payload)}`),
    clock: systemClock,
  });

t.test('openMqttLink: publish resolves on PUBACK, and not before', async (t) => {
  const broker = await TestBroker.open();
  broker.mayAcknowledge = ({ payload }) => payload.toString() !== 'withheld';
  const link = await linkTo(broker)(never);
  await link.publish('vestibule/1/kiosk/kiosk-1/batch', Buffer.from('first'), false);
  let isDone = false;
  const withheld = link
    .publish('vestibule/1/kiosk/kiosk-1/batch', Buffer.from('withheld'), false)
    .catch((error: LinkError) => error)
    .finally(() => {
      isDone = true;
    });
  await link.publish('vestibule/1/kiosk/kiosk-1/batch', Buffer.from('behind'), false);
  t.equal(isDone, false, 'a withheld one delays nothing behind it');
  broker.cut();
  t.match(await withheld, { code: 'link.lost' });
  t.match(await link.closed, { code: 'link.lost' });
  await broker.close();
});

t.test('openMqttLink: nothing is kept for the next link', async (t) => {
  const broker = await TestBroker.open();
  broker.mayAcknowledge = () => false;
  const open = linkTo(broker);
  const first = await open(never);
  const lost = first.publish('vestibule/1/x', Buffer.from('once'), false).catch(() => {});
  await broker.until(() => broker.messages.length === 1);
  broker.cut();
  await lost;
  await first.close();
  broker.mayAcknowledge = () => true;
  const second = await open(never);
  await second.publish('vestibule/1/x', Buffer.from('twice'), false);
  t.strictSame(
    broker.messages.filter(({ topic }) => topic === 'vestibule/1/x').map(({ payload }) => payload.toString()),
    ['once', 'twice'],
  );
  t.strictSame(broker.sessions, ['clean', 'clean'], 'nor by the broker');
  await t.rejects(first.publish('vestibule/1/x', Buffer.from('late'), false), { code: 'link.lost' });
  await second.close();
  await broker.close();
});

t.test('openMqttLink: what comes down on its topic is handed over', async (t) => {
  const broker = await TestBroker.open();
  const messages: string[] = [];
  const link = await linkTo(broker, messages)(never);
  await broker.publish('vestibule/1/kiosk/kiosk-1/receipt', Buffer.from('yours'));
  await broker.publish('vestibule/1/kiosk/kiosk-2/receipt', Buffer.from('another’s'));
  // An acknowledged publish behind them shows that what was to come has come.
  await link.publish('vestibule/1/x', Buffer.from('mark'), false);
  t.strictSame(messages, ['vestibule/1/kiosk/kiosk-1/receipt yours']);
  await link.close();
  await broker.close();
});

t.test('openMqttLink: a broken link leaves its Will, a clean end does not', async (t) => {
  const broker = await TestBroker.open();
  const open = linkTo(broker);
  const clean = await open(never);
  await clean.publish('vestibule/1/kiosk/kiosk-1/state', Buffer.from('up'), true);
  await clean.close();
  const broken = await open(never);
  await broken.publish('vestibule/1/kiosk/kiosk-1/state', Buffer.from('up again'), true);
  broker.cut();
  await broken.close();
  await broker.until(() => broker.messages.length === 3);
  t.strictSame(
    broker.messages.map(({ payload, isRetained }) => [payload.toString(), isRetained]),
    [
      ['up', true],
      ['up again', true],
      ['down', true],
    ],
  );
  await broker.close();
});

t.test('openMqttLink: a gateway that does not let in is link.unauthorised, one that is not up to it link.refused', async (t) => {
  const broker = await TestBroker.open();
  broker.returnCode = 5;
  await t.rejects(linkTo(broker)(never), { code: 'link.unauthorised' });
  broker.returnCode = 3;
  await t.rejects(linkTo(broker)(never), { code: 'link.refused' });
  await broker.close();
});

t.test('openMqttLink: one that takes the connection and says nothing is link.timeout', async (t) => {
  const silent = createServer((socket) => socket.on('error', () => {}).resume());
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const clock = new ManualClock();
  const dialled: (() => void)[] = [];
  const hasDialled = new Promise<void>((resolve) => dialled.push(resolve));
  const dial = tcp((silent.address() as AddressInfo).port);
  const opening = openMqttLink({
    dial: async () => {
      const socket = await dial();
      dialled[0]?.();
      return socket;
    },
    clientId: 'kiosk-1',
    will: { topic: 'x', payload: Buffer.from('down') },
    subscribe: [],
    onMessage: () => {},
    clock,
  })(never);
  opening.catch(() => {});
  await hasDialled;
  await clock.advance(15_000);
  await t.rejects(opening, { code: 'link.timeout' });
  await new Promise<void>((resolve) => silent.close(() => resolve()));
});

t.test('openMqttLink: stopped while it dials, it lets go', async (t) => {
  const silent = createServer((socket) => socket.on('error', () => {}).resume());
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const key = generateSigningKey();
  const certificatePem = await makeCertificate(key, 'kiosk');
  const stopping = new AbortController();
  const { port } = silent.address() as AddressInfo;
  const dialling = dialTls({ host: '127.0.0.1', port, isGateway: () => true, certificatePem, privateKey: key }, stopping.signal);
  stopping.abort();
  await t.rejects(dialling, { code: 'link.lost' });
  await new Promise<void>((resolve) => silent.close(() => resolve()));
});

const isExactly = (pem: string) => (certificate: Uint8Array) => new X509Certificate(pem).raw.equals(certificate);

t.test('dialTls: takes the pinned gateway whatever the date, shows its own key, and refuses every other', async (t) => {
  const deployment = await newDeployment();
  const broker = await TestBroker.open(deployment);
  const privateKey = generateSigningKey();
  const certificatePem = await makeCertificate(privateKey, 'kiosk');
  const dial = (pin: string) =>
    dialTls({ host: '127.0.0.1', port: broker.port, isGateway: isExactly(pin), certificatePem, privateKey }, never);
  const link = await openMqttLink({
    dial: () => dial(deployment.gatewayCertificatePem),
    clientId: 'kiosk-1',
    will: { topic: 'x', payload: Buffer.from('down') },
    subscribe: [],
    onMessage: () => {},
    clock: systemClock,
  })(never);
  await link.publish('vestibule/1/x', Buffer.from('hello'), false);
  t.strictSame(broker.clientKeys, [Buffer.from(rawPublicKey(privateKey)).toString('hex')]);
  await link.close();
  const other = await newDeployment();
  await t.rejects(dial(other.gatewayCertificatePem), { code: 'link.pin' });
  const sameNames = await makeCertificate(deployment.gatewayKey, 'gateway');
  await t.rejects(dial(sameNames), { code: 'link.pin' }, 'another certificate of the same key and name');
  await broker.close();
  await t.rejects(dial(deployment.gatewayCertificatePem), { code: 'link.refused' });
});

t.test(
  'openMqttLink: a gateway that knows no releases refuses to be asked for them, and the link is as good; any other refusal ends it',
  async (t) => {
    const broker = await TestBroker.open();
    const topic = (leaf: string) => `vestibule/1/kiosk/kiosk-1/${leaf}`;
    broker.maySubscribe = (filter) => filter !== topic('release');
    const open = openMqttLink({
      dial: tcp(broker.port),
      clientId: 'kiosk-1',
      will: { topic: topic('state'), payload: Buffer.from('down') },
      subscribe: [topic('receipt')],
      wish: [topic('release')],
      onMessage: () => {},
      clock: systemClock,
    });
    const link = await open(never);
    await link.publish(topic('batch'), Buffer.from('first'), false);
    await link.close();
    broker.maySubscribe = () => false;
    await t.rejects(open(never), { code: 'link.lost' });
    await broker.close();
  },
);

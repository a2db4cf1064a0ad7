import { X509Certificate } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { GatewayPin } from '../../kiosk/gateway-pin.ts';
import { makeCertificate } from '../../protocol/certificate.ts';
import { generateSigningKey, rawPublicKey } from '../../protocol/ed25519.ts';
import { makeGatewayCertificate } from '../../protocol/gateway-key.ts';
import { type DeploymentId, newPlaceId } from '../../protocol/ids.ts';
import { silentLog } from '../../protocol/log.ts';
import type { TrustDocument } from '../../protocol/trust.ts';

const deployment = newPlaceId<DeploymentId>();
const receiptKey = generateSigningKey();
const signer = { deployment, receiptKey };
const firstPem = await makeCertificate(generateSigningKey(), 'vestibule-gateway');
const keyOf = (generation: number) => makeGatewayCertificate(generateSigningKey(), { ...signer, generation });
const derOf = (pem: string) => new Uint8Array(new X509Certificate(pem).raw);
const trustWith = (certificatePem: string, by = receiptKey) =>
  ({ deployment, gateway: { host: 'gateway', port: 1, certificatePem }, receiptKey: rawPublicKey(by) }) as unknown as TrustDocument;
const openIn = (dir: string, certificatePem = firstPem) => new GatewayPin(dir, trustWith(certificatePem), silentLog);

t.test('pin: the gateway’s later key is followed, kept over a restart, and the earlier ones are strangers from then on', async (t) => {
  const dir = t.testdir();
  const [second, third] = [await keyOf(10), await keyOf(20)];
  const pin = openIn(dir);
  t.equal(pin.generation, 0);
  t.ok(pin.isGateway(derOf(firstPem)));
  t.ok(pin.isGateway(derOf(third)), 'over one that it never met');
  t.equal(pin.generation, 20);
  for (const opened of [pin, openIn(dir), openIn(dir, second), openIn(dir, third)]) {
    t.equal(opened.generation, 20);
    t.ok(opened.isGateway(derOf(third)));
    t.notOk(opened.isGateway(derOf(second)));
    t.notOk(opened.isGateway(derOf(firstPem)));
  }
});

t.test('pin: strangers change nothing', async (t) => {
  const dir = t.testdir();
  const pin = openIn(dir, await keyOf(10));
  const strangers = [
    await makeCertificate(generateSigningKey(), 'vestibule-gateway'),
    await makeGatewayCertificate(generateSigningKey(), { ...signer, receiptKey: generateSigningKey(), generation: 99 }),
    await makeGatewayCertificate(generateSigningKey(), { ...signer, deployment: newPlaceId<DeploymentId>(), generation: 99 }),
    await keyOf(10),
    await keyOf(9),
  ];
  for (const stranger of strangers) t.notOk(pin.isGateway(derOf(stranger)));
  t.notOk(pin.isGateway(new Uint8Array(0)));
  t.equal(pin.generation, 10);
});

t.test('pin: a later trust document is gone by; what was kept of another gateway, or is damaged, says nothing', async (t) => {
  const dir = t.testdir();
  openIn(dir).isGateway(derOf(await keyOf(10)));
  t.equal(openIn(dir, await keyOf(30)).generation, 30);
  t.equal(new GatewayPin(dir, trustWith(firstPem, generateSigningKey()), silentLog).generation, 0, 'another receipt key');
  const whole = readFileSync(join(dir, 'gateway.crt'), 'utf8');
  for (const text of ['', 'nothing', whole.slice(0, -60), firstPem]) {
    writeFileSync(join(dir, 'gateway.crt'), text);
    t.equal(openIn(dir).generation, 0);
  }
});

t.test('pin: where the disk takes nothing it goes on', async (t) => {
  const dir = join(t.testdir({ data: {} }), 'data');
  const told: string[] = [];
  const pin = new GatewayPin(dir, trustWith(firstPem), { ...silentLog, warn: (event) => void told.push(event) });
  rmSync(dir, { recursive: true });
  t.ok(pin.isGateway(derOf(await keyOf(10))));
  t.strictSame(told, ['gateway.key_not_kept']);
  t.equal(pin.generation, 10);
});

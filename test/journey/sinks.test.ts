/** Kiosk, gateway, a core on another machine over HTTPS and a remote broker: the whole road over real sockets. */
import { join } from 'node:path';
import type { MqttClient } from 'mqtt';
import t, { type Test } from 'tap';
import type { GatewayConfigInput } from '../../gateway/config.ts';
import { FarCore } from '../support/far-core.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';
import { checkIn, type KioskStart, type TestKiosk } from '../support/test-kiosk.ts';
import { until } from '../support/until.ts';

interface Road {
  readonly gateway: TestGateway;
  readonly far: FarCore;
  readonly send: (rows: number) => Promise<void>;
  readonly state: (sink: string) => { behindEntries: number; code?: string; setAsideEntries: number; droppedEntries: number } | undefined;
}

async function openRoad(t: Test, more: (far: FarCore) => Partial<GatewayConfigInput> = () => ({})): Promise<Road> {
  // Once, so that it is known whose core the other one is to be.
  const first = await startTestGateway(t);
  await first.stop();
  const far = await FarCore.open(join(first.directory, '..', 'far'), first.running.trust.deployment, first.clock);
  t.teardown(() => far.close());
  const config = { sinks: [{ kind: 'core' }, far.sink()], ...more(far) } as Partial<GatewayConfigInput>;
  const gateway = await startTestGateway(t, { after: first, config });
  const kiosk: TestKiosk = gateway.admit();
  const client: MqttClient = await kiosk.connect(gateway.running.tlsPort);
  t.teardown(() => client.end(true));
  const start: KioskStart = await kiosk.start();
  return {
    gateway,
    far,
    send: async (rows) => {
      const sealed = Array.from({ length: rows }, () => start.seal(checkIn()));
      await client.publishAsync(kiosk.batchTopic, Buffer.from(start.batch(sealed)), { qos: 1 });
    },
    state: () => undefined,
  };
}

t.test('sinks: what a kiosk sends is in the core here and in the core over there, opened by a key of its own', async (t) => {
  const { gateway, far, send } = await openRoad(t);
  await send(3);
  await send(2);
  await until(() => far.core.counts().checkIns === 5);
  await until(() => gateway.intake.entries.length === 2);
  t.equal(far.core.counts().setAside, 0);
});

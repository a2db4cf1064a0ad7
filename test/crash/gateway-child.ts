/** A gateway with the core in its process. Writes a line when kiosks can connect. */
import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { openCore } from '../../core/core.ts';
import type { Intake } from '../../core/intake.ts';
import { makeCoreKeys } from '../../core/keys.ts';
import { parseGatewayConfig } from '../../gateway/config.ts';
import { openIdentity } from '../../gateway/identity.ts';
import { runGateway } from '../../gateway/run-gateway.ts';
import { systemClock } from '../../protocol/time.ts';
import { DeadlyPoints } from './deadly-points.ts';

const [data = '', json = '{}', point = '', passed = '0'] = process.argv.slice(2);
const points = new DeadlyPoints(point, Number(passed));
const stopping = new AbortController();
process.once('SIGTERM', () => stopping.abort());
// Nobody is left to kill it when the test itself has died.
process.stdin.resume().once('end', () => stopping.abort());

const { log } = points;
const directory = join(data, 'gateway');
const config = parseGatewayConfig({ directory, publicHost: '127.0.0.1', tcp: { port: 0 }, ...JSON.parse(json) });
const { deployment } = await openIdentity(directory);
const keys = await makeCoreKeys(join(data, 'core', 'keys'));
const core = await openCore({ dir: join(data, 'core'), deployment, keys, clock: systemClock, log });
const intake: Intake = {
  accept: async (entries) => {
    points.reach('entries.offered');
    await core.accept(entries);
    points.reach('entries.taken');
  },
  taken: () => core.taken(),
};
const gateway = await runGateway(config, { clock: systemClock, log, intake, recipients: [keys.recipient] }, stopping.signal);
writeSync(1, `${JSON.stringify({ isReady: true })}\n`);
await gateway.done;
core.close();
process.stdin.destroy();

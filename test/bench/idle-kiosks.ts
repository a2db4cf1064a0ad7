/** Many kiosks connected and silent: memory each, and what a busy one's PUBACK takes beside them. */
import type { BenchProcess } from './bench-process.ts';
import { median, rounded } from './figures.ts';
import type { GatewayTalk } from './gateway-child.ts';
import type { LoadTalk } from './load-child.ts';

const PASSES = 3;
const PASS_SECONDS = 2;
/** Of the busy one. */
const ROWS_PER_SECOND = 100;

export async function idleKiosks(
  gateway: BenchProcess<GatewayTalk>,
  load: BenchProcess<LoadTalk>,
  port: number,
  count: number,
  say: (line: string) => void,
): Promise<Record<string, number>> {
  const busy = async (): Promise<{ p50: number; p99: number }> => {
    const passes = [];
    for (let round = 0; round < PASSES; round++)
      passes.push(await load.ask('run', { rows: 1, window: 1, kiosks: 1, seconds: PASS_SECONDS, rowsPerSecond: ROWS_PER_SECOND }));
    return { p50: median(passes.map(({ ackP50Ms }) => ackP50Ms)), p99: median(passes.map(({ ackP99Ms }) => ackP99Ms)) };
  };
  const { kiosks } = await load.ask('makeIdle', { kiosks: count });
  await gateway.ask('admit', { kiosks });
  const alone = await busy();
  const before = await gateway.ask('collect', {});
  await load.ask('idle', { port, kiosks: count });
  const after = await gateway.ask('collect', {});
  const beside = await busy();
  const figures = {
    idleKiosks: count,
    idleKioskKiB: rounded((after.rssBytes - before.rssBytes) / 1_024 / count, 1),
    busyAloneP50Ms: rounded(alone.p50, 2),
    busyAloneP99Ms: rounded(alone.p99, 2),
    busyBesideIdleP50Ms: rounded(beside.p50, 2),
    busyBesideIdleP99Ms: rounded(beside.p99, 2),
  };
  say(
    `${count} idle kiosks: ${figures.idleKioskKiB} KiB each; a busy one's PUBACK ${figures.busyAloneP50Ms} / ${figures.busyAloneP99Ms} ms alone, ${figures.busyBesideIdleP50Ms} / ${figures.busyBesideIdleP99Ms} beside them`,
  );
  return figures;
}

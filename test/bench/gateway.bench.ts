/**
 * Ingest at the gateway's door: kiosks that seal and sign live publish over mutual TLS, and each batch is verified, opened, deduplicated and
 * committed before its PUBACK. CPU is counted for each process; the figures are rows in a second of the gateway's CPU, beside, in the same run,
 * the floor (the same in a bare loop, with the group sizes that the gateway really had) and, at 10 rows a batch, two roads through Mosquitto.
 * A second of CPU does less while the other processor is busy, as the load keeps it: the floor is taken beside as much work of the load's, and
 * once more alone on the machine.
 * Small: seconds a pass, medians of three. --full: five passes, and five minutes at 69,444 rows a second.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { BenchProcess } from './bench-process.ts';
import { machine, makeDiskDirectory, median, rounded } from './figures.ts';
import type { FloorTalk } from './floor-child.ts';
import type { GatewayTalk } from './gateway-child.ts';
import { idleKiosks } from './idle-kiosks.ts';
import type { LoadFigures, LoadTalk } from './load-child.ts';
import type { Bench } from './main.ts';
import { findMosquitto, Mosquitto } from './mosquitto.ts';
import type { PeerOptions, PeerTalk } from './peer-child.ts';

const KIOSKS = 50;
const WINDOW = 8;
const SIZES = [1, 10, 64] as const;
const WARM_SECONDS = 3;
/** The mean of 6 billion a day. */
const AIM_ROWS_PER_SECOND = 69_444;

interface Pass extends LoadFigures {
  /** Of the time that one processor was busy, how much the other one was, too. */
  readonly sharedTime: number;
  /** Rows in a second of the gateway's CPU. */
  readonly rowsPerCpuSecond: number;
  readonly groups: readonly number[];
}

/** What `--part` names: the sizes of batches, and these. */
const PARTS = ['paced', 'idle', 'peers'] as const;

export const bench: Bench = async ({ isFull, parts, profile, seconds: pacedSeconds, say }) => {
  const unknown = parts?.filter((part) => !PARTS.some((name) => name === part) && !SIZES.some((rows) => String(rows) === part)) ?? [];
  if (unknown.length > 0) throw new Error(`bench: no part ${unknown.join(', ')}; there are ${[...SIZES, ...PARTS].join(', ')}`);
  const isAsked = (part: string) => parts === undefined || parts.includes(part);
  const sizes = SIZES.filter((rows) => isAsked(String(rows)));
  const root = makeDiskDirectory('gateway');
  const figures: Record<string, number | string> = machine();
  const gateway = new BenchProcess<GatewayTalk>('gateway-child.ts', { directory: join(root, 'gateway') }, {}, [
    '--expose-gc',
    ...(profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`]),
  ]);
  const floor = new BenchProcess<FloorTalk>('floor-child.ts', { directory: join(root, 'floor') });
  const load = new BenchProcess<LoadTalk>('load-child.ts', {});
  const seconds = isFull ? 10 : 3;
  const rounds = isFull ? 5 : 3;
  try {
    const { port, target } = await gateway.ask('open', {});
    await floor.ask('open', { kiosks: KIOSKS });
    const { kiosks } = await load.ask('make', { kiosks: KIOSKS, target });
    await gateway.ask('admit', { kiosks });
    await load.ask('connect', { port, isOneCertificate: false });

    const pass = async (rows: number, lasting: number, rowsPerSecond?: number): Promise<Pass> => {
      await gateway.ask('groups', {});
      const before = await gateway.ask('usage', {});
      const ran = await load.ask('run', { rows, window: WINDOW, kiosks: KIOSKS, seconds: lasting, rowsPerSecond });
      const after = await gateway.ask('usage', {});
      const { groups, quarantined } = await gateway.ask('groups', {});
      if (quarantined > 0) throw new Error(`bench: ${quarantined} batches were quarantined`);
      const cpuUs = after.cpuUs - before.cpuUs;
      return { ...ran, rowsPerCpuSecond: (ran.rows * 1e6) / cpuUs, groups, sharedTime: sharedTimeOf(cpuUs + ran.cpuUs, ran.lastedMs) };
    };
    const floorOf = async (rows: number, groups: readonly number[]): Promise<number> => {
      const bare = await floor.ask('run', { rows, groups });
      return (bare.rows * 1e6) / bare.cpuUs;
    };

    // Warm, both of them: what runs first is compiled while it runs.
    for (const rows of SIZES) {
      if (!sizes.includes(rows) && !(rows === 64 && isAsked('paced'))) continue;
      const { groups } = await pass(rows, WARM_SECONDS);
      if (sizes.includes(rows)) await floor.ask('run', { rows, groups });
    }
    for (const rows of sizes) {
      const passes: Pass[] = [];
      const floors: number[] = [];
      const floorsAlone: number[] = [];
      for (let round = 0; round < rounds; round++) {
        const one = await pass(rows, seconds);
        passes.push(one);
        floorsAlone.push(await floorOf(rows, one.groups));
        await load.ask('work', { rows, share: one.sharedTime, target });
        floors.push(await floorOf(rows, one.groups));
        await load.ask('rest', {});
      }
      const ratioTo = (taken: readonly number[]) =>
        rounded(median(passes.map(({ rowsPerCpuSecond }, index) => rowsPerCpuSecond / (taken[index] as number))));
      const of = {
        eventsPerCoreSecond: Math.round(median(passes.map(({ rowsPerCpuSecond }) => rowsPerCpuSecond))),
        floorPerCoreSecond: Math.round(median(floors)),
        floorRatio: ratioTo(floors),
        floorAlonePerCoreSecond: Math.round(median(floorsAlone)),
        floorAloneRatio: ratioTo(floorsAlone),
        sharedTime: rounded(median(passes.map(({ sharedTime }) => sharedTime))),
        cpuUsPerBatch: Math.round(median(passes.map(({ rowsPerCpuSecond }) => (rows * 1e6) / rowsPerCpuSecond))),
        eventsPerSecond: Math.round(median(passes.map(({ rows: taken, lastedMs }) => (taken * 1_000) / lastedMs))),
        batchesPerCommit: rounded(median(passes.map(({ batches, groups }) => batches / Math.max(1, groups.length))), 1),
        p50AckMs: rounded(median(passes.map(({ ackP50Ms }) => ackP50Ms)), 2),
        p99AckMs: rounded(median(passes.map(({ ackP99Ms }) => ackP99Ms)), 2),
        loadCpuUsPerBatch: Math.round(median(passes.map(({ cpuUs, batches }) => cpuUs / batches))),
      };
      for (const [name, value] of Object.entries(of)) figures[`${name}${rows}`] = value;
      say(
        `${rows} a batch: ${of.eventsPerCoreSecond} events a core-second, ${of.floorRatio} of the floor's ${of.floorPerCoreSecond} (${of.floorAloneRatio} of ${of.floorAlonePerCoreSecond} alone on the machine); ${of.eventsPerSecond} a second, PUBACK ${of.p50AckMs} / ${of.p99AckMs} ms, ${of.batchesPerCommit} batches a commit`,
      );
    }

    if (isAsked('paced')) Object.assign(figures, await pacedFigures(gateway, load, pass, pacedSeconds ?? (isFull ? 300 : 10), say));
    if (isAsked('idle')) Object.assign(figures, await idleKiosks(gateway, load, port, isFull ? 5_000 : 1_000, say));
    if (!isAsked('peers')) return figures;
    const peers = await peerFigures(root, load, { seconds, rounds }, Number(figures.eventsPerCoreSecond10), say);
    return { ...figures, ...peers };
  } finally {
    for (const child of [gateway, floor, load]) child.stop();
    rmSync(root, { recursive: true, force: true });
  }
};

/** @param cpuUs of all processes. @returns of two processors' busy time, which share lay beside the other's: 1 when both never rest. */
function sharedTimeOf(cpuUs: number, lastedMs: number): number {
  const busy = Math.min(2, cpuUs / 1_000 / lastedMs);
  return busy <= 1 ? 0 : (2 * (busy - 1)) / busy;
}

/**
 * The mean of 6 billion a day, kept up. The rows are sealed before each half, as a kiosk's are when they happen; their lists are made and
 * signed as they are sent.
 */
async function pacedFigures(
  gateway: BenchProcess<GatewayTalk>,
  load: BenchProcess<LoadTalk>,
  pass: (rows: number, lasting: number, rowsPerSecond: number) => Promise<Pass>,
  lasting: number,
  say: (line: string) => void,
): Promise<Record<string, number>> {
  const rowsOfKiosk = Math.ceil((AIM_ROWS_PER_SECOND * lasting) / 2 / KIOSKS / 64 + 1) * 64;
  await load.ask('seal', { rows: rowsOfKiosk });
  const before = await gateway.ask('usage', {});
  const paced = [await pass(64, lasting / 2, AIM_ROWS_PER_SECOND)];
  const half = await gateway.ask('usage', {});
  const livesAtHalf = await gateway.ask('collect', {});
  await load.ask('seal', { rows: rowsOfKiosk });
  paced.push(await pass(64, lasting / 2, AIM_ROWS_PER_SECOND));
  const after = await gateway.ask('usage', {});
  const lives = await gateway.ask('collect', {});
  const lastedMs = paced.reduce((sum, one) => sum + one.lastedMs, 0);
  const rowsPerSecond = (paced.reduce((sum, { rows }) => sum + rows, 0) * 1_000) / lastedMs;
  const figures = {
    eventsPerSecond: Math.round(rowsPerSecond),
    ofAim: rounded(rowsPerSecond / AIM_ROWS_PER_SECOND),
    p50AckMs: rounded(median(paced.map(({ ackP50Ms }) => ackP50Ms)), 1),
    p99AckMs: rounded(Math.max(...paced.map(({ ackP99Ms }) => ackP99Ms)), 1),
    longestAckMs: rounded(Math.max(...paced.map(({ ackLongestMs }) => ackLongestMs)), 1),
    sustainedSeconds: lasting,
    sustainedGatewayCores: rounded((after.cpuUs - before.cpuUs) / 1_000 / lastedMs, 2),
    sustainedLoadCores: rounded(paced.reduce((sum, { cpuUs }) => sum + cpuUs, 0) / 1_000 / lastedMs, 2),
    rssMiB: Math.round(after.rssBytes / 1_048_576),
    rssGrowthMiB: Math.round((after.rssBytes - half.rssBytes) / 1_048_576),
    heapMiB: rounded(lives.heapBytes / 1_048_576, 1),
    heapGrowthMiB: rounded((lives.heapBytes - livesAtHalf.heapBytes) / 1_048_576, 1),
  };
  say(
    `paced at ${AIM_ROWS_PER_SECOND} for ${lasting} s: ${figures.eventsPerSecond} events/s, PUBACK p50 ${figures.p50AckMs}, p99 ${figures.p99AckMs}, longest ${figures.longestAckMs} ms, ${figures.rssMiB} MiB (${figures.rssGrowthMiB} more than at half time), of which ${figures.heapMiB} live (${figures.heapGrowthMiB} more); ${figures.sustainedGatewayCores} cores, the load ${figures.sustainedLoadCores}`,
  );
  return figures;
}

/** Two roads through Mosquitto, at the same load of 10 rows a batch; the CPU of broker and subscriber together. */
async function peerFigures(
  root: string,
  load: BenchProcess<LoadTalk>,
  { seconds, rounds }: { readonly seconds: number; readonly rounds: number },
  gatewayRows: number,
  say: (line: string) => void,
): Promise<Record<string, number | string>> {
  const found = findMosquitto(say);
  if ('why' in found) {
    say(found.why);
    return { peers: found.why };
  }
  const { pem } = await load.ask('certificate', {});
  const rateOf = async (kind: PeerOptions['kind'], isAckedFirst: boolean): Promise<number> => {
    const directory = join(root, `peer-${kind}-${isAckedFirst}`);
    const mosquitto = await Mosquitto.start(found.path, directory, pem);
    const peer = new BenchProcess<PeerTalk>('peer-child.ts', { directory, kind, isAckedFirst } satisfies PeerOptions);
    try {
      const { target } = await peer.ask('open', {});
      const { kiosks } = await load.ask('make', { kiosks: KIOSKS, target });
      await peer.ask('admit', { kiosks });
      await peer.ask('connect', { port: mosquitto.tcpPort });
      await load.ask('connect', { port: mosquitto.tlsPort, isOneCertificate: true });
      const runs: number[] = [];
      let sent = 0;
      // The first one warms up and is not counted. The broker acknowledges ahead of its subscriber: short runs, and each is waited for.
      for (let round = 0; round <= rounds; round++) {
        const before = (await peer.ask('usage', {})).cpuUs + mosquitto.cpuUs();
        const ran = await load.ask('run', {
          rows: kind === 'json' ? 0 : 10,
          window: WINDOW,
          kiosks: KIOSKS,
          seconds: seconds / 2,
          rowsPerSecond: undefined,
        });
        sent += ran.rows;
        const after = (await peer.ask('drained', { rows: sent })).cpuUs + mosquitto.cpuUs();
        if (round > 0) runs.push((ran.rows * 1e6) / (after - before));
      }
      return median(runs);
    } finally {
      peer.stop();
      mosquitto.stop();
    }
  };
  const figures: Record<string, number> = {};
  for (const [name, kind] of [
    ['peer', 'json'],
    ['sameBatchPeer', 'batches'],
  ] as const) {
    for (const isAckedFirst of [false, true]) {
      const rate = await rateOf(kind, isAckedFirst);
      const suffix = isAckedFirst ? '10AckedFirst' : '10';
      figures[`${name}Ratio${suffix}`] = rounded(gatewayRows / rate, 2);
      figures[`${name}PerCoreSecond${suffix}`] = Math.round(rate);
      say(
        `Mosquitto, ${kind}, ${isAckedFirst ? 'acknowledged before the commit' : 'committed first'}: ${Math.round(rate)} events a core-second, ` +
          `the gateway ${figures[`${name}Ratio${suffix}`]} times that`,
      );
    }
  }
  return figures;
}

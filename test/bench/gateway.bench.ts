/**
 * The gateway's door: batches taken in through TLS, verified, opened, committed and acknowledged, by 1, 10 and 50 kiosks whose packets
 * were encoded before; over the floor in the same run: aedes alone with the same packets. Medians of three runs, floor and gateway in turn.
 * Small: some thousand batches; --full: five times as many.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../protocol/time.ts';
import { parseTrust } from '../../protocol/trust.ts';
import { checkIn, type KioskStart, TestKiosk } from '../support/test-kiosk.ts';
import { machine, makeDiskDirectory, median, quantile, rounded } from './figures.ts';
import { buildFsyncLibrary } from './fsync-library.ts';
import { LoadKiosk, publishPacket, ServerUnderTest } from './gateway-load.ts';
import type { Bench } from './main.ts';

interface Shape {
  readonly name: string;
  readonly kiosks: number;
  readonly rows: number;
  /** Over all kiosks. */
  readonly batches: number;
  /** Of each kiosk; 8 is what a kiosk's uplink keeps unanswered. */
  readonly window: number;
}

const SHAPES: readonly Shape[] = [
  { name: 'alone1Row', kiosks: 1, rows: 1, batches: 500, window: 1 },
  { name: 'kiosks1Rows1', kiosks: 1, rows: 1, batches: 2_000, window: 8 },
  { name: 'kiosks1Rows64', kiosks: 1, rows: 64, batches: 400, window: 8 },
  { name: 'kiosks10Rows1', kiosks: 10, rows: 1, batches: 4_000, window: 8 },
  { name: 'kiosks10Rows64', kiosks: 10, rows: 64, batches: 600, window: 8 },
  { name: 'kiosks50Rows1', kiosks: 50, rows: 1, batches: 5_000, window: 8 },
  { name: 'kiosks50Rows16', kiosks: 50, rows: 16, batches: 2_000, window: 8 },
  { name: 'kiosks50Rows64', kiosks: 50, rows: 64, batches: 800, window: 8 },
];
const RUNS = 3;
const MOST_KIOSKS = 50;

interface Source {
  readonly kiosk: TestKiosk;
  readonly start: KioskStart;
  sent: number;
}

interface Pass {
  readonly batchesPerSecond: number;
  readonly cpuUsPerBatch: number;
  readonly ackP50Ms: number;
  readonly ackP99Ms: number;
  readonly fsyncsPerBatch: number;
}

/** Packets of rows that no run has sent yet, one list a kiosk. */
const encode = (sources: readonly Source[], { kiosks, rows, batches }: Shape): Buffer[][] =>
  sources.slice(0, kiosks).map((source) =>
    Array.from({ length: Math.ceil(batches / kiosks) }, () => {
      const sealed = Array.from({ length: rows }, () => source.start.seal(checkIn()));
      return publishPacket(source.kiosk.batchTopic, source.start.batch(sealed), source.sent++);
    }),
  );

async function load(server: ServerUnderTest, clients: readonly LoadKiosk[], packets: readonly Buffer[][], window: number): Promise<Pass> {
  const before = { cpu: await server.cpu(), fsyncs: server.watch.counts().main };
  const startedMs = performance.now();
  const tookMs = (await Promise.all(packets.map((own, index) => (clients[index] as LoadKiosk).publish(own, window)))).flat();
  const lastedMs = performance.now() - startedMs;
  const { us } = await server.cpu();
  return {
    batchesPerSecond: (tookMs.length * 1_000) / lastedMs,
    cpuUsPerBatch: (us - before.cpu.us) / tookMs.length,
    ackP50Ms: median(tookMs),
    ackP99Ms: quantile(tookMs, 0.99),
    fsyncsPerBatch: (server.watch.counts().main - before.fsyncs) / tookMs.length,
  };
}

const medianOf = (passes: readonly Pass[], name: keyof Pass): number => median(passes.map((pass) => pass[name]));

export const bench: Bench = async ({ isFull, say }) => {
  const root = makeDiskDirectory('gateway');
  const figures: Record<string, number | string> = machine();
  const library = buildFsyncLibrary(root);
  const gateway = new ServerUnderTest({ directory: join(root, 'gateway'), isFloor: false }, library, join(root, 'gateway-fsyncs.bin'));
  const floor = new ServerUnderTest({ directory: root, isFloor: true }, library, join(root, 'floor-fsyncs.bin'));
  try {
    const { port, trust: trustText } = await gateway.heard('ready');
    const { port: floorPort } = await floor.heard('ready');
    const trust = parseTrust(trustText);
    const sources: Source[] = await Promise.all(
      Array.from({ length: MOST_KIOSKS }, async () => {
        const kiosk = new TestKiosk(trust, systemClock);
        return { kiosk, start: await kiosk.start(), sent: 0 };
      }),
    );
    await gateway.admit(
      sources.map(({ kiosk: { kiosk, publicKey } }) => ({ kiosk, publicKey: Buffer.from(publicKey).toString('base64url') })),
    );
    const connectAll = (to: number) => Promise.all(sources.map(({ kiosk }) => LoadKiosk.connect(to, kiosk.kiosk, kiosk.signingKey)));
    const toGateway = await connectAll(port);
    const toFloor = await connectAll(floorPort);
    const chosen = process.env.VESTIBULE_BENCH_RUNS?.split(',');
    for (const small of SHAPES.filter(({ name }) => chosen === undefined || chosen.includes(name))) {
      const shape = isFull ? { ...small, batches: small.batches * 5 } : small;
      const passes: Pass[] = [];
      const floors: Pass[] = [];
      // The first one warms up and is not counted.
      for (let run = 0; run <= RUNS; run++) {
        const packets = encode(sources, shape);
        floors.push(await load(floor, toFloor, packets, shape.window));
        passes.push(await load(gateway, toGateway, packets, shape.window));
      }
      passes.shift();
      floors.shift();
      const rate = medianOf(passes, 'batchesPerSecond');
      const rates = passes.map(({ batchesPerSecond }) => batchesPerSecond);
      const of: Record<string, number> = {
        batchesPerSecond: Math.round(rate),
        rowsPerSecond: Math.round(rate * shape.rows),
        batchesPerSecondSpread: rounded((quantile(rates, 1) - quantile(rates, 0)) / rate, 2),
        floorBatchesPerSecond: Math.round(medianOf(floors, 'batchesPerSecond')),
        ofFloor: rounded(rate / medianOf(floors, 'batchesPerSecond'), 3),
        cpuUsPerBatch: Math.round(medianOf(passes, 'cpuUsPerBatch')),
        floorCpuUsPerBatch: Math.round(medianOf(floors, 'cpuUsPerBatch')),
        ackP50Ms: rounded(medianOf(passes, 'ackP50Ms'), 2),
        ackP99Ms: rounded(medianOf(passes, 'ackP99Ms'), 2),
        floorAckP50Ms: rounded(medianOf(floors, 'ackP50Ms'), 2),
        floorAckP99Ms: rounded(medianOf(floors, 'ackP99Ms'), 2),
        fsyncsPerBatch: rounded(medianOf(passes, 'fsyncsPerBatch'), 2),
      };
      for (const [name, value] of Object.entries(of)) figures[`${shape.name}${name.charAt(0).toUpperCase()}${name.slice(1)}`] = value;
      say(
        `${shape.name}: ${of.batchesPerSecond} batches/s, ${of.rowsPerSecond} rows/s, ${of.ofFloor} of the floor; ` +
          `${of.cpuUsPerBatch} us CPU a batch (floor ${of.floorCpuUsPerBatch}); PUBACK ${of.ackP50Ms} / ${of.ackP99Ms} ms; ` +
          `${of.fsyncsPerBatch} fsyncs a batch`,
      );
    }
    figures.gatewayMegabytes = Math.round((await gateway.cpu()).rssBytes / 1e6);
    for (const client of [...toGateway, ...toFloor]) client.close();
    return figures;
  } finally {
    gateway.stop();
    floor.stop();
    rmSync(root, { recursive: true, force: true });
  }
};

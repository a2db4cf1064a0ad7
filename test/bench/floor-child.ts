/** The floor of gateway.bench.ts: the same batches, verified, opened, decided and committed in a bare loop, in groups of given sizes. */
import { BareIngest } from './bare-ingest.ts';
import { BenchKiosk } from './bench-kiosk.ts';
import { answering, usage } from './bench-process.ts';

export type FloorTalk = {
  open: { ask: { readonly kiosks: number }; answer: object };
  /** @property groups batches in each commit, in order. */
  run: {
    ask: { readonly rows: number; readonly groups: readonly number[] };
    answer: { readonly rows: number; readonly cpuUs: number; readonly lastedMs: number };
  };
};

/** Batches sealed before each stretch that counts. */
const MOST_AHEAD = 2_000;

answering<FloorTalk, { directory: string }>(({ directory }) => {
  let ingest: BareIngest | undefined;
  let kiosks: BenchKiosk[] = [];
  let next = 0;

  return {
    async open({ kiosks: count }) {
      ingest = await BareIngest.open(directory);
      kiosks = Array.from({ length: count }, () => new BenchKiosk());
      for (const kiosk of kiosks) {
        await kiosk.sealFor(ingest.target);
        ingest.admit(kiosk.kiosk, kiosk.publicKey);
      }
      return {};
    },
    async run({ rows, groups }) {
      const counted = { rows: 0, cpuUs: 0, lastedMs: 0 };
      for (let at = 0; at < groups.length; ) {
        const stretch: { kiosk: string; message: Uint8Array }[][] = [];
        for (let ahead = 0; at < groups.length && ahead < MOST_AHEAD; at++) {
          const size = groups[at] ?? 0;
          stretch.push(
            Array.from({ length: size }, () => {
              const kiosk = kiosks[next++ % kiosks.length] as BenchKiosk;
              return { kiosk: kiosk.kiosk, message: kiosk.batch(rows) };
            }),
          );
          ahead += size;
        }
        const before = usage().cpuUs;
        const startedMs = performance.now();
        for (const group of stretch) counted.rows += (await ingest?.take(group)) ?? 0;
        counted.lastedMs += performance.now() - startedMs;
        counted.cpuUs += usage().cpuUs - before;
      }
      return counted;
    },
  };
});

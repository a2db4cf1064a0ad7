/** The kiosk's side of the Bluetooth measurement: a sniffer as a kiosk runs it, in a process whose costs can be told apart. */
import { readFileSync } from 'node:fs';
import { parseConfig } from '../../kiosk/config.ts';
import { runSniffer } from '../../kiosk/run-sniffer.ts';
import { silentLog } from '../../protocol/log.ts';
import { systemClock } from '../../protocol/time.ts';

/** What it tells each second. Processor time in ms since each process began, memory in bytes. */
export interface BleSample {
  readonly heard: number;
  readonly refused: number;
  readonly kioskCpuMs: number;
  readonly kioskRssBytes: number;
  readonly kioskHeapBytes: number;
  readonly radioCpuMs: number;
  readonly radioRssBytes: number;
  /** Numbers that were told of slots since the last sample. */
  readonly tokens: readonly number[];
}

/** USER_HZ is 100 on every Linux that Node runs on. */
const TICK_MS = 10;
const PAGE_BYTES = 4_096;

const [slotMs, ...nodeArguments] = process.argv.slice(2);
const [sniffer] = parseConfig({ dataDir: '-', trustPath: '-', sniffers: [{ kind: 'bluetooth' }] }).sniffers;
if (sniffer === undefined) throw new Error('no sniffer was configured');

let heard = 0;
let refused = 0;
let tokens: number[] = [];

/** Of the only child: the radio process. Fields as in proc(5), counted from 3 after the name. */
function radioCosts(): Pick<BleSample, 'radioCpuMs' | 'radioRssBytes'> {
  const pid = readFileSync(`/proc/self/task/${process.pid}/children`, 'ascii').trim().split(' ')[0];
  if (pid === undefined || pid === '') return { radioCpuMs: 0, radioRssBytes: 0 };
  const fields = readFileSync(`/proc/${pid}/stat`, 'ascii')
    .replace(/^.*\) /, '')
    .split(' ')
    .map(Number);
  return { radioCpuMs: ((fields[11] ?? 0) + (fields[12] ?? 0)) * TICK_MS, radioRssBytes: (fields[21] ?? 0) * PAGE_BYTES };
}

setInterval(() => {
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed } = process.memoryUsage();
  const costs = { kioskCpuMs: (user + system) / 1_000, kioskRssBytes: rss, kioskHeapBytes: heapUsed, ...radioCosts() };
  process.send?.({ heard, refused, tokens, ...costs } satisfies BleSample);
  tokens = [];
}, 1_000);

const stop = new AbortController();
process.once('disconnect', () => stop.abort());
await runSniffer(
  {
    sniffer: { ...sniffer, slotMs: Number(slotMs) },
    clock: systemClock,
    log: silentLog,
    random: Math.random,
    radio: { adapterDir: undefined, nodeArguments },
    onReport() {},
    onOccupancy: (occupancy) => tokens.push(occupancy.tokens ?? 0),
    onHeard: (more, unread) => {
      heard += more;
      refused += unread;
    },
  },
  stop.signal,
);
process.exit(0);

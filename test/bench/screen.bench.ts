/**
 * The screen: from the moment a scanner's bytes are written to a real terminal until headless Chromium has drawn the frame that shows the
 * answer; then a day's 10,000 scans, with the page open, for the kiosk's memory and what it writes, and what it writes while nobody comes.
 * Small: 300 timed scans and 10,000 in all; --full: 2,000 timed, 50,000 in all.
 *
 * The page's clock is another than ours: it is asked for the time again and again, and the quickest answer tells how far they are apart, to
 * within half of what it took (`clockErrorMs`). The frame: MutationObserver, then requestAnimationFrame, then the first task after it, when
 * style, layout and paint of that frame are done. What the display adds is not in it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { TestBroker } from '../kiosk/broker.ts';
import { cardOf, newDeployment } from '../kiosk/fixtures.ts';
import { Browser, type Page } from '../support/browser.ts';
import { PtyDevice } from '../support/pty.ts';
import { machine, makeDiskDirectory, quantile, rounded } from './figures.ts';
import type { Bench } from './main.ts';

const WARM_UP = 50;
const IDLE_MS = 90_000;
const HOUR_MS = 3_600_000;
const CLOCK_QUESTIONS = 200;
const MIB = 1_048_576;

/** Runs before the page's own script: notes when each answer was drawn. */
const WATCH = `
  window.drawn = [];
  addEventListener('DOMContentLoaded', () => {
    const after = new MessageChannel();
    after.port1.onmessage = () => drawn.push(performance.now());
    new MutationObserver(() => requestAnimationFrame(() => after.port2.postMessage(0)))
      .observe(document.querySelector('#stage'), { attributes: true, attributeFilter: ['data-turn'] });
  });`;

const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;
/** Source: proc_pid_io(5), proc_pid_status(5). */
const writtenBytesOf = (pid: number): number => Number(/^write_bytes: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1]);
const rssMiBOf = (pid: number): number => Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1_024;

/** @returns what to add to the page's time for ours, and how wrong that may be. */
async function clockOffset(page: Page): Promise<{ readonly offsetMs: number; readonly errorMs: number }> {
  let best = { offsetMs: 0, errorMs: Number.POSITIVE_INFINITY };
  for (let question = 0; question < CLOCK_QUESTIONS; question++) {
    const before = nowMs();
    const theirs = await page.value<number>('performance.now()');
    const after = nowMs();
    if ((after - before) / 2 < best.errorMs) best = { offsetMs: (before + after) / 2 - theirs, errorMs: (after - before) / 2 };
  }
  return best;
}

/** A kiosk as systemd starts it, a scanner on a terminal, and its answers counted. */
async function openKiosk(dir: string) {
  mkdirSync(dir, { recursive: true });
  const deployment = await newDeployment();
  const broker = await TestBroker.open(deployment);
  const scanner = new PtyDevice(join(dir, 'scanner'));
  scanner.plug();
  const cache = join(dir, 'cache');
  mkdirSync(cache);
  const config = join(dir, 'kiosk.json');
  writeFileSync(
    config,
    JSON.stringify({ scanners: [{ kind: 'serial', name: 'scanner', path: scanner.path, framing: 'line' }], page: { port: 0 } }),
  );
  const files = ['--data', dir, '--config', config, '--trust', deployment.writeTrust(dir, broker.port)];
  const args = [join(import.meta.dirname, '../../cli/vestibule.js'), 'kiosk', 'run', ...files, '--output', 'json'];
  const start = () =>
    spawn(process.execPath, args, { env: { ...process.env, CACHE_DIRECTORY: cache }, stdio: ['ignore', 'pipe', 'inherit'] });
  let answers = 0;
  let told: () => void = () => {};
  const readyOf = async (child: ReturnType<typeof start>): Promise<string> =>
    await new Promise<string>((resolve, reject) => {
      child.once('exit', () => reject(new Error('bench: the kiosk has ended')));
      createInterface({ input: child.stdout }).on('line', (line) => {
        const said = JSON.parse(line) as { readonly ready?: { readonly pageUrl: string } };
        if (said.ready !== undefined) resolve(said.ready.pageUrl);
        else {
          answers += 1;
          told();
        }
      });
    });
  const end = async (child: ReturnType<typeof start>): Promise<void> => {
    child.removeAllListeners('exit');
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  const first = start();
  await readyOf(first);
  await end(first);
  // The second start: what the first one after an installation takes is said apart (docs/decisions/0043-a-small-kiosk.md).
  const startedMs = nowMs();
  const child = start();
  const pageUrl = await readyOf(child);
  const startMs = nowMs() - startedMs;
  const scan = async (visitor: number): Promise<number> => {
    const due = answers + 1;
    const text = Buffer.from(`${deployment.textOf(cardOf(visitor))}\r`);
    const atMs = nowMs();
    await scanner.send(text);
    while (answers < due)
      await new Promise<void>((resolve) => {
        told = resolve;
      });
    return atMs;
  };
  const close = async () => {
    await end(child);
    await scanner.unplug();
    await broker.close();
  };
  return { pid: child.pid ?? 0, startMs, pageUrl, scan, close };
}

export const bench: Bench = async ({ isFull, say }) => {
  const [timed, all] = isFull ? [2_000, 50_000] : [300, 10_000];
  const about = machine();
  const dir = makeDiskDirectory('screen');
  const kiosk = await openKiosk(join(dir, 'run'));
  const browser = Browser.open();
  try {
    const page = await browser.page();
    await page.look({ width: 800, height: 480 });
    await page.send('Page.addScriptToEvaluateOnNewDocument', { source: WATCH });
    await page.open(kiosk.pageUrl);
    await page.until("document.querySelector('#stage')?.dataset.tone === 'ready'");
    for (let visitor = 0; visitor < WARM_UP; visitor++) {
      await kiosk.scan(visitor);
      await page.until(`drawn.length > ${visitor}`);
    }
    await page.value('drawn.length = 0');
    const first = await clockOffset(page);
    const sentMs: number[] = [];
    for (let visitor = WARM_UP; visitor < WARM_UP + timed; visitor++) {
      sentMs.push(await kiosk.scan(visitor));
      await page.until(`drawn.length >= ${sentMs.length}`);
    }
    const last = await clockOffset(page);
    const drawn = await page.value<number[]>('drawn');
    if (drawn.length !== sentMs.length) throw new Error(`bench: ${drawn.length} frames for ${sentMs.length} scans`);
    // The two clocks run at one rate within this; half of it each way.
    const errorMs = Math.max(first.errorMs, last.errorMs) + Math.abs(last.offsetMs - first.offsetMs) / 2;
    const tookMs = drawn.map((atMs, at) => atMs + (first.offsetMs + last.offsetMs) / 2 - (sentMs[at] ?? Number.NaN));
    say(
      `${timed} frames: median ${rounded(quantile(tookMs, 0.5), 1)} ms, p99 ${rounded(quantile(tookMs, 0.99), 1)} ms, give or take ${rounded(errorMs, 2)} ms`,
    );

    const written = writtenBytesOf(kiosk.pid);
    const done = WARM_UP + timed;
    const rss: number[] = [];
    for (let visitor = done; visitor < all; visitor++) {
      await kiosk.scan(visitor);
      if ((visitor + 1) % (all / 10) === 0) rss.push(rssMiBOf(kiosk.pid));
    }
    const bytesPerScan = (writtenBytesOf(kiosk.pid) - written) / (all - done);
    say(`kiosk after each tenth of ${all} scans: ${rss.map((mib) => mib.toFixed(0)).join(' ')} MiB`);
    // What is waited for of the last scans is not idling.
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    const before = writtenBytesOf(kiosk.pid);
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    const idle = writtenBytesOf(kiosk.pid) - before;
    return {
      ...about,
      scans: all,
      frames: timed,
      medianMs: rounded(quantile(tookMs, 0.5)),
      p99Ms: rounded(quantile(tookMs, 0.99)),
      longestMs: rounded(quantile(tookMs, 1)),
      clockErrorMs: rounded(errorMs),
      startMs: Math.round(kiosk.startMs),
      rssMiB: rounded(Math.max(...rss), 1),
      rssHalfwayMiB: rounded(rss[Math.floor(rss.length / 2)] ?? Number.NaN, 1),
      rssEndMiB: rounded(rss.at(-1) ?? Number.NaN, 1),
      bytesPerScan: Math.round(bytesPerScan),
      idleBytesPerHour: Math.round((idle * HOUR_MS) / IDLE_MS),
      writtenMiB: rounded(writtenBytesOf(kiosk.pid) / MIB, 1),
    };
  } finally {
    await browser.close();
    await kiosk.close();
    rmSync(dir, { recursive: true, force: true });
  }
};

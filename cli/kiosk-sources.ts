/**
 * Loads what a kiosk is made of and ends, as `kiosk --help` does: Node has then kept what it makes of the sources, before a kiosk starts
 * (vestibule.js, which gives those arguments).
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

const thread = new Worker(new URL('../kiosk/outbox-checkpoint-worker.ts', import.meta.url), {
  workerData: { path: ':memory:', maxPages: 16 },
});
thread.postMessage('end');
await once(thread, 'exit');
await import('./main.ts');

/**
 * Loads what a kiosk is made of and ends, as `kiosk --help` does: Node has then kept what it makes of the sources, before a kiosk starts
 * (vestibule.js, which gives those arguments).
 */
import { once } from 'node:events';
import { flushCompileCache } from 'node:module';
import { Worker } from 'node:worker_threads';

// exit(3) waits for V8's threads, and one that compiles may wait for a collection by the thread that waits for it: for ever, once in some seven
// times. Nothing but the cache is kept here: it is written, and the process ended past that.
process.on('exit', () => {
  flushCompileCache();
  process.kill(process.pid, 'SIGKILL');
});

const thread = new Worker(new URL('../kiosk/outbox-checkpoint-worker.ts', import.meta.url), {
  workerData: { path: ':memory:', maxPages: 16 },
});
thread.postMessage('end');
await once(thread, 'exit');
await import('./main.ts');

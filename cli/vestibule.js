#!/usr/bin/env node
// Starts the command line on the Node that the lockfile pins, whatever Node the shell has. Plain JavaScript, so that an old Node can read it.
// A kiosk is started with flags that keep it small (docs/decisions/0043-a-small-kiosk.md): in place of this process where Node can do that.
import { spawn, spawnSync } from 'node:child_process';
import { constants as access, accessSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import * as modules from 'node:module';
import { constants } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const OLDEST_MAJOR = 24;
/** Some seconds are usual, on a slow card half a minute. A kiosk starts without it, too, and systemd waits for 90 s. */
const LONGEST_WARM_MS = 60_000;
const root = fileURLToPath(new URL('..', import.meta.url));
const main = join(root, 'cli', 'main.ts');
/** Where the bench of the kiosk finds them, too. */
const KIOSK_FLAGS = JSON.parse(readFileSync(join(root, 'cli', 'kiosk-flags.json'), 'utf8'));
const [command, action] = process.argv.slice(2);
const isKiosk = command === 'kiosk' && (action === 'run' || action === 'setup');

/** @returns where Node keeps what it made of the sources: nobody but this user and root may write there. `undefined` for nowhere. */
function openCache() {
  const { NODE_COMPILE_CACHE, CACHE_DIRECTORY } = process.env;
  if (NODE_COMPILE_CACHE !== undefined) return NODE_COMPILE_CACHE;
  const dir = CACHE_DIRECTORY ?? join(root, 'node_modules', '.cache', 'vestibule');
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    accessSync(dir, access.W_OK);
    return dir;
  } catch {
    return undefined;
  }
}

/** Before the first start of a kiosk after an installation: a process that has to read the sources itself keeps 20 MiB for that as long as it runs. */
function warm(node, cache) {
  const mark = join(cache, 'kiosk');
  const wanted = `${process.version} ${statSync(main).mtimeMs} ${statSync(join(root, 'kiosk', 'run-kiosk.ts')).mtimeMs}`;
  try {
    if (readFileSync(mark, 'utf8') === wanted) return;
  } catch {}
  if (process.stderr.isTTY) process.stderr.write('The first start after an installation takes some seconds longer …\n');
  const args = [...KIOSK_FLAGS, join(root, 'cli', 'kiosk-sources.ts'), 'kiosk', '--help'];
  spawnSync(node, args, { stdio: 'ignore', timeout: LONGEST_WARM_MS, killSignal: 'SIGKILL' });
  try {
    writeFileSync(mark, wanted, { mode: 0o600 });
  } catch {}
}

const isOld = Number(process.versions.node.split('.')[0]) < OLDEST_MAJOR;
const cache = openCache();

if (!isOld && (!isKiosk || process.execve === undefined)) {
  if (cache !== undefined) modules.enableCompileCache(cache);
  await import('./main.ts');
} else {
  let node = process.execPath;
  try {
    if (isOld) node = modules.createRequire(import.meta.url).resolve(`node-linux-${process.arch}/bin/node`);
  } catch {
    process.stderr.write(
      `vestibule needs Node ${OLDEST_MAJOR} or newer; this is ${process.version}. Run npm ci, or install a newer Node.\n`,
    );
    process.exit(1);
  }
  if (cache !== undefined) process.env.NODE_COMPILE_CACHE = cache;
  if (isKiosk && cache !== undefined) warm(node, cache);
  // glibc keeps a heap for each of its threads, and little is in any of them. Source: mallopt(3), M_ARENA_MAX.
  if (isKiosk) process.env.MALLOC_ARENA_MAX ??= '1';
  const args = [...(isKiosk ? KIOSK_FLAGS : []), main, ...process.argv.slice(2)];
  if (!isOld) process.execve(node, [node, ...args], process.env);
  const child = spawn(node, args, { stdio: 'inherit' });
  // The terminal sends Ctrl-C to both processes; the parent only has to outlive the child. What is sent to one is handed on.
  process.on('SIGINT', () => {});
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (status, signal) => {
    process.exitCode = status ?? 128 + (signal ? constants.signals[signal] : 1);
  });
}

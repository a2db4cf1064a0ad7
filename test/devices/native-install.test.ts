/** How `npm ci` gets the addon, and what becomes of it on a machine that lacks this or that: never a failure, never a hang. */
import { execFileSync, spawn } from 'node:child_process';
import { appendFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { arch } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import t from 'tap';
import { loadNative } from '../../hardware/native/native.ts';
import { until } from '../support/until.ts';

const source = resolve(import.meta.dirname, '../../hardware/native');
const place = `napi-v8-linux-${arch()}`;
const { version } = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8')) as { version: string };
const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
const packageName = `vestibule_native-v${version}-napi-v8-linux-${header.glibcVersionRuntime === undefined ? 'musl' : 'glibc'}-${arch()}.tar.gz`;

/** The sources in a checkout of their own, with nothing built. @returns its folder. */
function checkout(dir: string): string {
  const copy = join(dir, 'hardware/native');
  cpSync(source, copy, { recursive: true, filter: (path) => !/\/(built|build|build-tmp[^/]*|prebuilt)$/.test(path) });
  mkdirSync(join(dir, 'bin'));
  return copy;
}

/** A PATH of its own: these programs of this machine, and no other. */
function withPrograms(dir: string, ...programs: readonly string[]): string {
  for (const program of programs) symlinkSync(execFileSync('which', [program], { encoding: 'utf8' }).trim(), join(dir, 'bin', program));
  return join(dir, 'bin');
}

interface Ended {
  readonly status: number | null;
  readonly said: string;
  readonly seconds: number;
}

/** Runs install.js as npm would. */
async function install(copy: string, env: Record<string, string>, ...args: readonly string[]): Promise<Ended> {
  const startedMs = performance.now();
  const child = spawn(process.execPath, [join(copy, 'install.js'), ...args], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk;
  });
  const status = await new Promise<number | null>((done) => child.once('close', done));
  return { status, said, seconds: (performance.now() - startedMs) / 1_000 };
}

/** One that was killed may stay in the table until its parent looks. */
const isRunning = (pid: string): boolean => {
  try {
    return !/^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
};

const hasAddon = (copy: string): boolean => existsSync(join(copy, 'built', place, 'vestibule_native.node'));

/** Packs what is built here, as npm run native:pack does, and leaves the package alone. */
function packInto(copy: string): void {
  cpSync(join(source, 'built', place), join(copy, 'built', place), { recursive: true });
  const said = execFileSync(process.execPath, [join(copy, 'pack.js'), arch()], { encoding: 'utf8' });
  if (said.trim() !== packageName) throw new Error(`packed ${said}, not ${packageName}`);
  rmSync(join(copy, 'built'), { recursive: true });
}

t.test('install: without compiler and package the installation goes on, and says what is missing', async (t) => {
  const dir = t.testdir();
  const copy = checkout(dir);
  const ended = await install(copy, { PATH: withPrograms(dir) });
  t.equal(ended.status, 0);
  t.match(ended.said, /none packed for linux-.*missing build-essential, python3\./);
  t.match(ended.said, /device\.no_driver[\s\S]*npm run native/);
  t.notOk(hasAddon(copy));
  const asked = await install(copy, { PATH: join(dir, 'bin') }, '--must');
  t.equal(asked.status, 1, 'who asks for it is told by the status, too');
});

t.test('install: a packed addon is unpacked where there is no compiler, and found there the next time', async (t) => {
  const dir = t.testdir();
  const copy = checkout(dir);
  packInto(copy);
  const first = await install(copy, { PATH: withPrograms(dir) });
  t.match(first, { status: 0, said: /unpacked/ });
  t.type(loadNative(pathToFileURL(`${copy}/built/`)).openEvents, 'function');
  t.match(await install(copy, { PATH: join(dir, 'bin') }), { status: 0, said: /already there/ });
});

t.test('install: a packed addon of other sources, and a damaged package, are not taken', async (t) => {
  const dir = t.testdir();
  const copy = checkout(dir);
  packInto(copy);
  appendFileSync(join(copy, 'bus.c'), '/* changed since */');
  const PATH = withPrograms(dir);
  t.match(await install(copy, { PATH }), { status: 0, said: /none packed/ });
  t.notOk(hasAddon(copy));
  writeFileSync(join(copy, 'prebuilt', packageName), 'no archive');
  t.match(await install(copy, { PATH }), { status: 0, said: /none packed/ });
  t.notOk(hasAddon(copy));
});

t.test('install: where nothing is packed it is compiled, without a network', async (t) => {
  const dir = t.testdir();
  const copy = checkout(dir);
  // A proxy that nobody listens to: whatever asks a network fails.
  const noNetwork = { https_proxy: 'http://127.0.0.1:9', http_proxy: 'http://127.0.0.1:9' };
  const env = { PATH: process.env.PATH ?? '', HOME: dir, ...noNetwork, npm_config_vestibule_native_longest_ms: '150000' };
  const ended = await install(copy, env);
  t.match(ended, { status: 0, said: /compiled in/ });
  t.comment(`${ended.seconds.toFixed(1)} s`);
  t.type(loadNative(pathToFileURL(`${copy}/built/`)).openBus, 'function');
});

t.test('install: a host that takes the call and says nothing is given up', async (t) => {
  const dir = t.testdir();
  const copy = checkout(dir);
  let calls = 0;
  const server = createServer(() => {
    calls += 1;
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  const env = { PATH: withPrograms(dir), npm_config_vestibule_native_binary_host_mirror: `http://127.0.0.1:${port}/` };
  // On a busy machine the time may be over before the call was made: then more is given.
  for (let longestMs = 2_000; calls === 0 && longestMs < 120_000; longestMs *= 2) {
    const ended = await install(copy, { ...env, npm_config_vestibule_native_longest_ms: String(longestMs) });
    t.match(ended, { status: 0, said: /none packed/ });
  }
  server.closeAllConnections();
  server.close();
  t.equal(calls, 1);
});

t.test('install: a compile that hangs is ended with all it started', async (t) => {
  const dir = t.testdir();
  const copy = checkout(dir);
  const bin = withPrograms(dir, 'cc', 'g++', 'make', 'sh', 'sleep');
  const pidFile = join(dir, 'pid');
  writeFileSync(join(bin, 'python3'), `#!${join(bin, 'sh')}\necho $$ >>${pidFile}\nexec ${join(bin, 'sleep')} 600\n`, { mode: 0o755 });
  const env = { PATH: bin, HOME: dir, npm_config_vestibule_native_longest_ms: '5000', npm_config_python: join(bin, 'python3') };
  const ended = await install(copy, env);
  t.match(ended, { status: 0, said: /compiling failed: not done after 5 s/ });
  // On a busy machine the time may be over before the compile has begun.
  const pids = existsSync(pidFile) ? readFileSync(pidFile, 'utf8').trim().split('\n') : [];
  await until(() => !pids.some(isRunning));
});

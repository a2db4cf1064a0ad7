/**
 * Gets the addon by way of node-pre-gyp: unpacked where somebody packed it for this machine, compiled where not. Plain JavaScript, because
 * `npm ci` may run it under an old Node. Nothing here reaches a network unless a host for packed addons is configured that is on one.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const root = resolve(here, '../..');
const require = createRequire(import.meta.url);

/** Longer than a Raspberry Pi takes (some 10 s); a compiler or a host that hangs is ended then, with all it started. */
const LONGEST_MS = Number(process.env.npm_config_vestibule_native_longest_ms ?? 40_000);
const NAPI_VERSION = 8;
const SOURCES = ['binding.gyp', 'native.h', 'native.c', 'events.c', 'bus.c'];

/** @returns where the addon for `arch` lies once it is there; native.ts looks there too. */
export const builtDir = (arch) => join(here, 'built', `napi-v${NAPI_VERSION}-linux-${arch}`);

/** @returns where packed addons lie: one .tar.gz for each architecture. */
export const packedDir = join(here, 'prebuilt');

/** A packed or compiled addon carries this, so that one of other sources is not taken for ours. */
const digestOfSources = () => {
  const hash = createHash('sha256');
  for (const name of SOURCES)
    hash
      .update(name)
      .update('\0')
      .update(readFileSync(join(here, name)));
  return hash.digest('hex');
};

/** @returns whether the addon for `arch` is there and of these sources. */
export const isBuilt = (arch) => {
  try {
    return readFileSync(join(builtDir(arch), 'sources'), 'utf8') === digestOfSources() && existsSync(addonPath(arch));
  } catch {
    return false;
  }
};

/** @returns whether this very Node can load it. */
export const loads = (arch) => {
  try {
    return typeof require(addonPath(arch)).openEvents === 'function';
  } catch {
    return false;
  }
};

const addonPath = (arch) => join(builtDir(arch), 'vestibule_native.node');

/** The locked Node's own headers first: they are there without a network, and Node-API is the same in each. @returns `undefined` where there are none. */
const headersDir = () =>
  [
    join(root, `node_modules/node-linux-${process.arch}`),
    process.env.npm_config_nodedir,
    resolve(dirname(process.execPath), '..'),
    '/usr',
  ].find((dir) => dir !== undefined && existsSync(join(dir, 'include/node/node_api.h')));

const isOnPath = (program) =>
  (process.env.PATH ?? '').split(delimiter).some((dir) => {
    try {
      accessSync(join(dir, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });

/** @returns what a compile lacks here, in the words of Debian's packages; empty when nothing does. */
export function missingTools() {
  const missing = [];
  if (!isOnPath(process.env.CC ?? 'cc') || !isOnPath(process.env.CXX ?? 'g++') || !isOnPath('make')) missing.push('build-essential');
  if (!isOnPath('python3')) missing.push('python3');
  if (headersDir() === undefined) missing.push('libnode-dev');
  return missing;
}

/** Unpacks the packed addon for this machine. @returns whether it is there now, of these sources, and loads. */
export async function unpack(arch) {
  const { failure } = await runNodePreGyp(['install', `--target_arch=${arch}`]);
  if (failure === undefined && isBuilt(arch) && loads(arch)) return true;
  rmSync(builtDir(arch), { recursive: true, force: true });
  return false;
}

/** @returns `undefined`, or why there is no addon for `arch` now. */
export async function compile(arch) {
  const { failure, output } = await runNodePreGyp(['rebuild', `--target_arch=${arch}`, `--arch=${arch}`]);
  if (failure === undefined && existsSync(addonPath(arch))) {
    writeFileSync(join(builtDir(arch), 'sources'), digestOfSources());
    return undefined;
  }
  mkdirSync(join(here, 'built'), { recursive: true });
  writeFileSync(join(here, 'built/compile.log'), output);
  return `${failure ?? 'it made no addon'}; what it said is in hardware/native/built/compile.log`;
}

/** Packs the addon for `arch`. @returns the folder that holds the package and nothing else; `failure`, with what was said, where there is none. */
export async function pack(arch) {
  // An earlier package, of other sources, is not to be handed on.
  rmSync(join(here, 'build/stage'), { recursive: true, force: true });
  const { failure, output } = await runNodePreGyp(['package', `--target_arch=${arch}`]);
  return { failure, output, stageDir: join(here, 'build/stage') };
}

/** Never rejects. */
function runNodePreGyp(argumentsGiven) {
  const program = join(dirname(require.resolve('@mapbox/node-pre-gyp/package.json')), 'bin/node-pre-gyp');
  const env = {
    ...process.env,
    // Without this, node-gyp asks nodejs.org.
    npm_config_nodedir: headersDir() ?? '/nonexistent',
    npm_config_vestibule_native_binary_host_mirror: process.env.npm_config_vestibule_native_binary_host_mirror ?? hostOfPacked(),
  };
  return new Promise((resolve_) => {
    const child = spawn(process.execPath, [program, '-C', here, ...argumentsGiven], {
      env,
      cwd: here,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    const keep = (chunk) => {
      output = `${output}${chunk}`.slice(-65_536);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      try {
        // The whole group: node-gyp, make and the compiler.
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It ended just now.
      }
    }, LONGEST_MS);
    const end = (failure) => {
      clearTimeout(timer);
      resolve_({ failure: isLate ? `not done after ${LONGEST_MS / 1_000} s` : failure, output });
    };
    child.on('error', (error) => end(`node-pre-gyp did not start (${error.code})`));
    child.on('close', (status) => end(status === 0 ? undefined : 'node-pre-gyp failed'));
  });
}

/** What was packed here wins over what an image may hold under /usr/share. */
const hostOfPacked = () =>
  existsSync(packedDir) ? `file://${packedDir}/` : JSON.parse(readFileSync(join(here, 'package.json'), 'utf8')).binary.host;

#!/usr/bin/env node
/**
 * What `npm ci` runs last: gets the addon, or says what is missing. Never fails an install: a kiosk without input events and I2C is still one
 * with serial, HID and Bluetooth devices. `--must` (npm run native) makes it fail.
 */
import { compile, isBuilt, loads, missingTools, unpack } from './build.js';

const isMust = process.argv.includes('--must');
const say = (text) => {
  process.stdout.write(`native addon: ${text}\n`);
};

/** @returns why there is none; `undefined` when there is one. */
async function get() {
  if (process.platform !== 'linux') return `${process.platform} has no Linux input events`;
  const { arch } = process;
  if (isBuilt(arch) && loads(arch)) return say('already there');
  if (await unpack(arch)) return say('unpacked');
  const missing = missingTools();
  if (missing.length > 0) return `none packed for linux-${arch}, and none compiled: missing ${missing.join(', ')}`;
  const startedMs = Date.now();
  const failure = await compile(arch);
  if (failure !== undefined) return `none packed for linux-${arch}, and compiling failed: ${failure}`;
  if (!loads(arch)) return 'compiled, but this Node does not load it';
  return say(`compiled in ${((Date.now() - startedMs) / 1_000).toFixed(1)} s`);
}

const failure = await get().catch((error) => `${error.message}`);
if (failure !== undefined) {
  say(`${failure}.`);
  say('keyboards taken exclusively by the kernel (evdev) and sensors on this machine’s I2C bus will say device.no_driver; all else works.');
  say('to get it: apt-get install build-essential python3, then npm run native (docs/devices/native-addon.md).');
  if (isMust) process.exitCode = 1;
}

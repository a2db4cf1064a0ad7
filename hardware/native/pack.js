#!/usr/bin/env node
/**
 * Packs the addon for x64 and arm64 into hardware/native/prebuilt, where `npm ci` finds it (of a checkout that is copied with it, or of a
 * machine that has it as its host). Compiles each first; the other architecture needs its cross compiler.
 * Arguments: architectures, all when none is given.
 */
import { cpSync, mkdirSync, readdirSync } from 'node:fs';
import { compile, isBuilt, missingTools, pack, packedDir } from './build.js';

/** Debian's names (gcc-aarch64-linux-gnu, g++-aarch64-linux-gnu; gcc-x86-64-linux-gnu). */
const CROSS = { arm64: 'aarch64-linux-gnu', x64: 'x86_64-linux-gnu' };

const asked = process.argv.slice(2);
for (const arch of asked.length > 0 ? asked : Object.keys(CROSS)) {
  const prefix = CROSS[arch];
  if (prefix === undefined) throw new Error(`${arch}: expected ${Object.keys(CROSS).join(' or ')}`);
  if (arch !== process.arch) Object.assign(process.env, { CC: `${prefix}-gcc`, CXX: `${prefix}-g++`, AR: `${prefix}-ar` });
  const missing = missingTools();
  if (missing.length > 0)
    throw new Error(`${arch}: missing ${missing.join(', ')} (for another architecture: g++-${prefix.replace('_', '-')})`);
  const failure = isBuilt(arch) ? undefined : await compile(arch);
  if (failure !== undefined) throw new Error(`${arch}: ${failure}`);
  const packed = await pack(arch);
  if (packed.failure !== undefined) throw new Error(`${arch}: ${packed.failure}\n${packed.output}`);
  mkdirSync(packedDir, { recursive: true });
  cpSync(packed.stageDir, packedDir, { recursive: true });
  for (const variable of ['CC', 'CXX', 'AR']) if (arch !== process.arch) delete process.env[variable];
}
process.stdout.write(`${readdirSync(packedDir).join('\n')}\n`);

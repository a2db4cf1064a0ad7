/**
 * The sources of releases, each as a tree that can be started: the last one of the wire's first revision, out of this repository's history; this
 * one; and those that may follow it, which are this one with what a release changes.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { WireRevisions } from '../../protocol/wire-revision.ts';

const root = resolve(import.meta.dirname, '../..');
/** The parent of the commit that brought revision 2. */
const LAST_OF_REVISION_1 = '4810a07e663333a2a07aeacf44c789660f08cca7';
const ROOMS = ['protocol', 'disk', 'hardware', 'kiosk', 'gateway', 'core', 'cards', 'cli'];

/** @returns a tree of the last release that spoke revision 1 alone. @throws where the repository's history is not here. */
export function treeOfRevision1(dir: string): string {
  mkdirSync(dir, { recursive: true });
  const git = ['-C', root, 'archive', '--format=tar', LAST_OF_REVISION_1, 'package.json', ...ROOMS];
  try {
    unpack(execFileSync('git', git, { maxBuffer: 64 * 1_048_576, stdio: ['ignore', 'pipe', 'pipe'] }), dir);
  } catch (cause) {
    throw new Error('the release of revision 1 lies in the history of this repository: git fetch --unshallow', { cause });
  }
  return withPackages(dir);
}

export interface NextRelease {
  readonly version: string;
  readonly wire: WireRevisions;
  /** It speaks to its gateway under other topics: it starts, and no scan of it arrives. */
  readonly isBroken?: true;
}

/** @returns a tree of a release that follows this one. */
export function treeOfNext(dir: string, { version, wire, isBroken }: NextRelease): string {
  copyOfThis(dir);
  change(join(dir, 'package.json'), /"version": "[^"]+"/, `"version": "${version}"`);
  change(
    join(dir, 'protocol/wire-revision.ts'),
    /(OUR_WIRE: WireRevisions = ).+;/,
    `$1{ least: ${wire.least}, greatest: ${wire.greatest} };`,
  );
  if (isBroken) change(join(dir, 'protocol/topics.ts'), /(ROOT = )'[^']+'/, "$1'vestibule/9'");
  return dir;
}

export function copyOfThis(dir: string): string {
  for (const room of [...ROOMS, 'workshop', 'package.json']) cpSync(join(root, room), join(dir, room), { recursive: true });
  return withPackages(dir);
}

/** @returns the sources as an archive: what the root of a slot is here. */
export function packed(dir: string): Uint8Array {
  return execFileSync('tar', ['-C', dir, '--exclude=./node_modules', '--format=ustar', '-c', '.'], { maxBuffer: 64 * 1_048_576 });
}

/** Makes a tree out of what `packed` gave; what follows it is not looked at. */
export function unpack(archive: Uint8Array, dir: string): void {
  mkdirSync(dir, { recursive: true });
  execFileSync('tar', ['-C', dir, '-x'], { input: archive });
}

/** A tree with the packages of this one. */
export function withPackages(dir: string): string {
  symlinkSync(join(root, 'node_modules'), join(dir, 'node_modules'));
  return dir;
}

function change(path: string, from: RegExp, to: string): void {
  const text = readFileSync(path, 'utf8');
  const changed = text.replace(from, to);
  if (changed === text) throw new Error(`${path}: has no ${from}`);
  writeFileSync(path, changed);
}

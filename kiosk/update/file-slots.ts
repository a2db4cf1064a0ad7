/**
 * Slots whose parts are files or block devices, named one by one: partitions of any board, loop devices, files in a test. And a switch between
 * them that is three small files, for machines whose start is a script that reads them.
 */

import { readFileSync, rmSync, statSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { diskCodeOf, onDisk, systemCodeOf } from '../../disk/faults.ts';
import { syncDirectory, writeWhole } from '../../disk/files.ts';
import { ConfigError, ReleaseError, StoreError } from '../../protocol/errors.ts';
import { otherSlot, type SlotBytes, type SlotName, type SlotSwitch } from './slots.ts';

/** Part to path. */
export type SlotPaths = Readonly<Record<string, string>>;

export class FileSlotBytes implements SlotBytes {
  readonly #paths: SlotPaths;
  readonly #files = new Map<string, FileHandle>();

  /** @param paths of the slot that does not run. */
  constructor(paths: SlotPaths) {
    this.#paths = paths;
  }

  async begin(parts: readonly { readonly name: string; readonly sizeBytes: number }[]): Promise<void> {
    for (const { name, sizeBytes } of parts) {
      const path = this.#paths[name];
      if (path === undefined) throw new ReleaseError('release.no_room', `slot: no place for the part ${name}`);
      // A file grows; a device ends somewhere.
      if (isDevice(path) && (await this.read(name, sizeBytes - 1, 1)).length === 0)
        throw new ReleaseError('release.no_room', `slot: the part ${name} has ${sizeBytes} bytes, its place has fewer`);
    }
  }

  async write(part: string, offset: number, bytes: Uint8Array): Promise<void> {
    await this.#on(part, async (file) => {
      for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at, bytes.length - at, offset + at)).bytesWritten;
    });
  }

  async sync(): Promise<void> {
    for (const [part, file] of this.#files) await onDiskSoon(`slot ${part}`, () => file.sync());
  }

  async read(part: string, offset: number, lengthBytes: number): Promise<Uint8Array> {
    return await this.#on(part, async (file) => {
      const { buffer, bytesRead } = await file.read(new Uint8Array(lengthBytes), 0, lengthBytes, offset);
      return buffer.subarray(0, bytesRead);
    });
  }

  async seal(): Promise<void> {
    await this.sync();
    await this.close();
  }

  async close(): Promise<void> {
    const files = [...this.#files.values()];
    this.#files.clear();
    for (const file of files) await file.close();
  }

  async #on<T>(part: string, use: (file: FileHandle) => Promise<T>): Promise<T> {
    const path = this.#paths[part];
    if (path === undefined) throw new ReleaseError('release.no_room', `slot: no place for the part ${part}`);
    return await onDiskSoon(`slot ${part}`, async () => {
      let file = this.#files.get(part);
      if (file === undefined) {
        file = await openOrMake(path);
        this.#files.set(part, file);
      }
      return await use(file);
    });
  }
}

const ONCE = 'once';
const LASTING = 'lasting';
const RUNNING = 'running';

/**
 * `lasting` names the slot to start from, `once` the one to start from a single time: who starts the machine removes it first. `running` is
 * what was started from. Each holds `a` or `b`.
 */
export class FileSwitch implements SlotSwitch {
  readonly #dir: string;
  readonly #restart: () => void;

  /** @param restart has the machine started anew; returns at once. */
  constructor(dir: string, restart: () => void) {
    this.#dir = dir;
    this.#restart = restart;
  }

  running = (): SlotName => this.#read(RUNNING) ?? this.lasting();
  lasting = (): SlotName => this.#read(LASTING) ?? 'a';

  async tryOther(): Promise<void> {
    this.#write(ONCE, otherSlot(this.running()));
    this.#restart();
  }

  async keep(): Promise<void> {
    this.#write(LASTING, this.running());
  }

  async leave(): Promise<void> {
    this.#restart();
  }

  #write(name: string, slot: SlotName): void {
    onDisk(`slots ${name}`, () => writeWhole(join(this.#dir, name), Buffer.from(slot), 0o644));
  }

  #read(name: string): SlotName | undefined {
    return readSlot(join(this.#dir, name));
  }
}

/** What starts a machine does with the files of its switch: takes the one start back before it is made. @returns the slot to start from. */
export function chooseSlot(dir: string): SlotName {
  const once = readSlot(join(dir, ONCE));
  const slot = once ?? readSlot(join(dir, LASTING)) ?? 'a';
  if (once !== undefined) {
    rmSync(join(dir, ONCE), { force: true });
    syncDirectory(dir);
  }
  writeWhole(join(dir, RUNNING), Buffer.from(slot), 0o644);
  return slot;
}

/** @throws ConfigError `config.invalid` for a file that names no slot. */
function readSlot(path: string): SlotName | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8').trim();
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  if (text !== 'a' && text !== 'b') throw new ConfigError('config.invalid', `${path}: expected a or b`);
  return text;
}

const isDevice = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isBlockDevice() === true;

async function openOrMake(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r+');
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT') throw error;
    return await open(path, 'wx+', 0o600);
  }
}

/** As `onDisk`, for what takes its time. */
async function onDiskSoon<T>(subject: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    const code = diskCodeOf(cause);
    if (code === undefined) throw cause;
    throw new StoreError(code, `${subject}: ${systemCodeOf(cause)}`, { cause });
  }
}

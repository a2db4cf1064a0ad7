/**
 * A disk with a write cache, as a network block device for QEMU: what was written is on the medium when the guest asked for a flush, and
 * not before. A power cut takes what was only in the cache, or some of it, in any order, torn at any sector.
 * Source: NBD protocol (NetworkBlockDevice/nbd, doc/proto.md), fixed newstyle, simple replies.
 */
import { closeSync, fstatSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { Inflow } from './inflow.ts';

const SECTOR_BYTES = 512;

const OPTION_MAGIC = 0x49484156454f5054n;
const OPTION_REPLY_MAGIC = 0x3e889045565a9n;
const REQUEST_MAGIC = 0x25609513;
const REPLY_MAGIC = 0x67446698;
const OPTION = { abort: 2, go: 7 } as const;
const OPTION_REPLY = { acknowledged: 1, info: 3, unsupported: 0x80000001 } as const;
const COMMAND = { read: 0, write: 1, disconnect: 2, flush: 3 } as const;
const WITH_FUA = 1;
/** Fixed newstyle, no zeroes; of a transmission: has flags, takes flush and FUA. */
const HANDSHAKE_FLAGS = 0b11;
const TRANSMISSION_FLAGS = 0b1101;
const INVALID = 22;

/** What a power cut leaves of the cache. */
export type Cut = 'all-lost' | 'all-kept' | 'some-kept';

export class VolatileDisk {
  readonly #file: number;
  readonly #sizeBytes: number;
  readonly #server: Server;
  readonly #ignoresFlush: boolean;
  readonly #sockets = new Set<Socket>();
  /** What was written since the last flush, by sector; oldest write first. */
  readonly #cache = new Map<number, Buffer>();
  flushes = 0;
  /** Told of the write that is the last; nothing is answered once it is. */
  #onLastWrite: (() => void) | undefined;
  #hasStopped = false;

  private constructor(file: number, server: Server, ignoresFlush: boolean) {
    this.#file = file;
    this.#sizeBytes = fstatSync(file).size;
    this.#server = server;
    this.#ignoresFlush = ignoresFlush;
  }

  /** @param image the medium. @param ignoresFlush a disk that lies: it says that it has flushed. */
  static async open(image: string, socketPath: string, ignoresFlush = false): Promise<VolatileDisk> {
    rmSync(socketPath, { force: true });
    const server = createServer();
    const disk = new VolatileDisk(openSync(image, 'r+'), server, ignoresFlush);
    server.on('connection', (socket) => {
      disk.#sockets.add(socket);
      socket.on('error', () => {});
      // A guest that is killed ends in the middle of a request.
      disk.#serve(socket).catch(() => socket.destroy());
    });
    await new Promise<void>((resolve) => server.listen(socketPath, resolve));
    return disk;
  }

  /** The power is about to go: one write more is taken into the cache, and neither that nor anything after it is answered. Resolves then. */
  stopAtWrite(): Promise<void> {
    return new Promise((resolve) => {
      this.#onLastWrite = resolve;
    });
  }

  /** Cuts the power, when the guest is gone. @returns how many sectors were only in the cache, and how many of them are lost. */
  cut(how: Cut, random: () => number): { readonly cached: number; readonly lost: number } {
    const cached = this.#cache.size;
    let lost = 0;
    for (const [sector, bytes] of this.#cache) {
      if (how === 'all-lost' || (how === 'some-kept' && random() < 0.5)) lost += 1;
      else writeSync(this.#file, bytes, 0, SECTOR_BYTES, sector * SECTOR_BYTES);
    }
    this.#cache.clear();
    return { cached, lost };
  }

  /** Writes what is in the cache, as a machine that is shut down in order. */
  close(): void {
    this.#flush();
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    closeSync(this.#file);
  }

  async #serve(socket: Socket): Promise<void> {
    const inflow = new Inflow(socket);
    if (!(await this.#agree(socket, inflow))) return;
    for (;;) {
      const request = await inflow.take(28);
      if (request.readUInt32BE(0) !== REQUEST_MAGIC) throw new Error('NBD: no request');
      const command = request.readUInt16BE(6);
      if (command === COMMAND.disconnect) return;
      const lengthBytes = request.readUInt32BE(24);
      const offset = Number(request.readBigUInt64BE(16));
      const bytes = command === COMMAND.write ? await inflow.take(lengthBytes) : Buffer.alloc(0);
      const isAligned = offset % SECTOR_BYTES === 0 && lengthBytes % SECTOR_BYTES === 0 && offset + lengthBytes <= this.#sizeBytes;
      if (this.#hasStopped) continue;
      const answer = isAligned ? this.#obey(command, offset, lengthBytes, bytes) : undefined;
      if (command === COMMAND.write && this.#onLastWrite !== undefined) {
        this.#hasStopped = true;
        this.#onLastWrite();
        continue;
      }
      if (request.readUInt16BE(4) & WITH_FUA) this.#force(offset, lengthBytes);
      const reply = Buffer.alloc(16);
      reply.writeUInt32BE(REPLY_MAGIC, 0);
      reply.writeUInt32BE(answer === undefined ? INVALID : 0, 4);
      request.copy(reply, 8, 8, 16);
      socket.write(answer === undefined ? reply : Buffer.concat([reply, answer]));
    }
  }

  /** @returns whether requests follow. */
  async #agree(socket: Socket, inflow: Inflow): Promise<boolean> {
    const greeting = Buffer.alloc(18);
    greeting.write('NBDMAGIC', 0);
    greeting.writeBigUInt64BE(OPTION_MAGIC, 8);
    greeting.writeUInt16BE(HANDSHAKE_FLAGS, 16);
    socket.write(greeting);
    await inflow.take(4);
    for (;;) {
      const header = await inflow.take(16);
      const option = header.readUInt32BE(8);
      await inflow.take(header.readUInt32BE(12));
      const reply = (type: number, content = Buffer.alloc(0)): void => {
        const start = Buffer.alloc(20);
        start.writeBigUInt64BE(OPTION_REPLY_MAGIC, 0);
        start.writeUInt32BE(option, 8);
        start.writeUInt32BE(type, 12);
        start.writeUInt32BE(content.length, 16);
        socket.write(Buffer.concat([start, content]));
      };
      if (option === OPTION.go) {
        const info = Buffer.alloc(12);
        info.writeBigUInt64BE(BigInt(this.#sizeBytes), 2);
        info.writeUInt16BE(TRANSMISSION_FLAGS, 10);
        reply(OPTION_REPLY.info, info);
        reply(OPTION_REPLY.acknowledged);
        return true;
      }
      reply(option === OPTION.abort ? OPTION_REPLY.acknowledged : OPTION_REPLY.unsupported);
      if (option === OPTION.abort) return false;
    }
  }

  /** @returns what was read; `undefined` for what this disk can not do. */
  #obey(command: number, offset: number, lengthBytes: number, bytes: Buffer): Buffer | undefined {
    switch (command) {
      case COMMAND.read:
        return this.#read(offset, lengthBytes);
      case COMMAND.write:
        this.#write(offset, bytes);
        return Buffer.alloc(0);
      case COMMAND.flush:
        this.flushes += 1;
        if (!this.#ignoresFlush) this.#flush();
        return Buffer.alloc(0);
      default:
        return undefined;
    }
  }

  #read(offset: number, lengthBytes: number): Buffer {
    const bytes = Buffer.alloc(lengthBytes);
    readSync(this.#file, bytes, 0, lengthBytes, offset);
    for (let at = 0; at < lengthBytes; at += SECTOR_BYTES) this.#cache.get((offset + at) / SECTOR_BYTES)?.copy(bytes, at);
    return bytes;
  }

  #write(offset: number, bytes: Buffer): void {
    for (let at = 0; at < bytes.length; at += SECTOR_BYTES) {
      this.#cache.set((offset + at) / SECTOR_BYTES, Buffer.from(bytes.subarray(at, at + SECTOR_BYTES)));
    }
  }

  /** Forced unit access: this much, and nothing else, goes to the medium. */
  #force(offset: number, lengthBytes: number): void {
    if (this.#ignoresFlush) return;
    for (let sector = offset / SECTOR_BYTES; sector < (offset + lengthBytes) / SECTOR_BYTES; sector++) this.#toMedium(sector);
  }

  #flush(): void {
    for (const sector of [...this.#cache.keys()]) this.#toMedium(sector);
  }

  #toMedium(sector: number): void {
    const bytes = this.#cache.get(sector);
    if (bytes === undefined) return;
    writeSync(this.#file, bytes, 0, SECTOR_BYTES, sector * SECTOR_BYTES);
    this.#cache.delete(sector);
  }
}

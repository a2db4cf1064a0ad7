/**
 * Loaded into a radio process before it starts (`--import`): in the place of the native HCI socket one that leads to a VirtualController,
 * whose port is in this module's own address. Everything above the socket is noble's.
 */
import { EventEmitter } from 'node:events';
import { createRequire } from 'node:module';
import { createConnection } from 'node:net';
import { cutFrames, socketFrame, TAG, type VirtualAdapter } from './virtual-controller.ts';

const port = new URL(import.meta.url).searchParams.get('port');
const line = createConnection({ port: Number(port), host: '127.0.0.1', noDelay: true });
let adapters: VirtualAdapter[] = [];
let bindError = '';
const sockets = new Set<FakeHciSocket>();

class FakeHciSocket extends EventEmitter {
  #device: number | undefined;
  /** Having taken an adapter, it is not answered any more (hci_sock_ioctl: EBADFD, which the native socket passes over). */
  #isOwn = false;

  getDeviceList(): VirtualAdapter[] {
    return this.#isOwn ? [] : adapters;
  }

  isDevUp(): boolean {
    return !this.#isOwn && adapters.some(({ devId, devUp }) => devId === this.#device && devUp);
  }

  bindRaw(device: number | undefined): number {
    if (bindError !== '') throw new Error(bindError);
    this.#device = device ?? 0;
    return this.#device;
  }

  bindUser(device: number | undefined): number {
    const bound = this.bindRaw(device);
    this.#isOwn = true;
    // The kernel switches on an adapter that is taken in this way.
    for (const adapter of adapters) if (adapter.devId === bound) adapter.devUp = true;
    return bound;
  }

  start(): void {
    sockets.add(this);
  }

  stop(): void {
    sockets.delete(this);
    line.unref();
  }

  setFilter(): void {}

  write(packet: Buffer): void {
    line.write(socketFrame(TAG.packet, packet));
  }
}

// As those of a native class.
for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(FakeHciSocket.prototype))) {
  if (name !== 'constructor') Object.defineProperty(FakeHciSocket.prototype, name, { ...property, writable: false });
}

let tell = () => {};
const told = new Promise<void>((resolve) => {
  tell = resolve;
});
let rest: Buffer = Buffer.alloc(0);
line.on('data', (chunk: Buffer) => {
  rest = cutFrames(Buffer.concat([rest, chunk]), (tag, body) => {
    if (tag === TAG.adapters) {
      adapters = JSON.parse(body.toString());
      tell();
    } else if (tag === TAG.bindError) bindError = body.toString();
    else for (const socket of sockets) socket.emit('data', Buffer.from(body));
  });
});
line.on('error', () => {});
await told;
line.unref();

const hciSocket = createRequire(import.meta.resolve('@stoprocent/noble'))('@stoprocent/bluetooth-hci-socket') as { loadDriver: unknown };
hciSocket.loadDriver = () => FakeHciSocket;

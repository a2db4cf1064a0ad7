/**
 * A virtual machine with a Linux kernel, on an emulated processor. Its root is this machine's, read-only under a layer in RAM; it runs one
 * script. What ends it: the end of that script, `kill` (SIGKILL, as if its power were cut), a time limit, or the end of this process.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { needPrograms, unpackedPackages } from './debian.ts';
import { makeInitrd } from './initrd.ts';
import { fetchKernel, type Kernel } from './kernel.ts';
import { Qmp } from './qmp.ts';

export interface GuestOptions {
  /** What a POSIX shell runs in the guest, as root. */
  readonly script: string;
  /** Directories, sockets and files of this guest are in here; it stays when the guest ends. A path of at most 80 characters. */
  readonly directory: string;
  /** More devices, as QEMU's arguments. */
  readonly devices?: readonly string[];
  /** Lines to the guest and back: a name each, `/dev/virtio-ports/<name>` in the guest. */
  readonly ports?: readonly string[];
  /** Lines as these, for `devices` to name as `chardev=<name>`. */
  readonly wires?: readonly string[];
  /** Modules that the kernel has before the root is there. */
  readonly modules?: readonly string[];
  readonly memoryMb?: number;
  /** Directories of this machine that the guest may read, by the name under which it has them in its root. */
  readonly exports?: Readonly<Record<string, string>>;
  /** It is killed after this, and `ended` says so. */
  readonly longestMs: number;
}

export interface Launch {
  readonly args: readonly string[];
  /** Lines that the arguments name, besides `console` and `qmp`. */
  readonly names: readonly string[];
  readonly directory: string;
  /** It is killed after this, and `ended` says so. */
  readonly longestMs: number;
}

export type Ending =
  | { readonly how: 'ended'; readonly status: number }
  | { readonly how: 'killed' | 'too-old' | 'crashed'; readonly status: undefined };

/** What every guest is made of; the same for all of a suite. */
export interface Machine {
  readonly kernel: Kernel;
  readonly qemu: string;
  readonly busybox: string;
  readonly setpriv: string;
  /** What is the guest's root, read-only. */
  readonly root: string;
  /** What QEMU is to be, and where its kernel writes. */
  readonly board: readonly string[];
  readonly console: string;
}

/** Downloads and installs what guests need; their root is this machine's. @throws Error that says what is missing, and how to get it. */
export async function needMachine(): Promise<Machine> {
  const programs = await needPrograms(['qemu-system-x86_64', 'busybox', 'setpriv']);
  return {
    kernel: await fetchKernel('amd64'),
    qemu: programs['qemu-system-x86_64'],
    busybox: programs.busybox,
    setpriv: programs.setpriv,
    root: '/',
    board: ['-M', 'q35', ...PROCESSOR, ...TIME],
    console: 'ttyS0',
  };
}

/** As `needMachine`, with the processor of a Raspberry Pi 4; their root is Debian's C and C++ libraries and a shell. */
export async function needArmMachine(): Promise<Machine> {
  const programs = await needPrograms(['qemu-system-aarch64', 'setpriv']);
  const root = await unpackedPackages('arm64', ARM_ROOT, 'root');
  return {
    kernel: await fetchKernel('arm64'),
    qemu: programs['qemu-system-aarch64'],
    busybox: join(root, 'bin/busybox'),
    setpriv: programs.setpriv,
    root,
    board: ['-M', 'virt', '-accel', 'tcg', '-cpu', 'cortex-a72', '-smp', '1', '-device', 'virtio-rng-pci', ...TIME],
    console: 'ttyAMA0',
  };
}

const ARM_ROOT = ['busybox-static', 'libc6', 'libgcc-s1', 'libstdc++6', 'libudev1', 'libusb-1.0-0', 'libcap2'];

/** A directory for one guest; short, because a socket's path has at most 108 characters. */
export const guestDirectory = (): string => mkdtempSync(join(tmpdir(), 'vestibule-guest-'));

export class Guest {
  readonly qmp: Qmp;
  /** Resolves when it is gone and all it wrote was heard. */
  readonly ended: Promise<Ending>;
  readonly #child: ChildProcess;
  readonly #sockets: ReadonlyMap<string, Socket>;
  readonly #directory: string;
  #why: 'killed' | 'too-old' | undefined;

  private constructor(child: ChildProcess, sockets: ReadonlyMap<string, Socket>, qmp: Qmp, options: Launch) {
    this.#child = child;
    this.#sockets = sockets;
    this.#directory = options.directory;
    this.qmp = qmp;
    const tooOld = setTimeout(() => this.#end('too-old'), options.longestMs);
    this.ended = this.#gone().then((ending) => {
      clearTimeout(tooOld);
      return ending;
    });
  }

  /** Starts one; its kernel boots while this returns. */
  static async boot(machine: Machine, options: GuestOptions): Promise<Guest> {
    const { directory } = options;
    const share = shareOf(directory);
    mkdirSync(share, { recursive: true });
    rmSync(join(share, 'status'), { force: true });
    writeFileSync(join(share, 'run.sh'), options.script);
    const initrd = join(directory, 'initrd');
    writeFileSync(initrd, makeInitrd(machine.kernel, machine.busybox, options.modules ?? []));
    const names = [...(options.ports ?? []), ...(options.wires ?? [])];
    return await Guest.launch(machine, { names, directory, longestMs: options.longestMs, args: argumentsOf(machine, options, initrd) });
  }

  /** Starts QEMU with arguments of its own; to them belong `console` and `qmp`, as `socketOf` names their sockets, and a socket for each name. */
  static async launch({ setpriv, qemu }: Pick<Machine, 'setpriv' | 'qemu'>, options: Launch): Promise<Guest> {
    const { directory, args } = options;
    const names = ['console', 'qmp', ...options.names];
    const listening = await Promise.all(names.map((name) => listen(socketOf(directory, name))));
    // The kernel ends the guest when this process does, however it does.
    const child = spawn(setpriv, ['--pdeathsig', 'KILL', qemu, ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let complaints = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      complaints += chunk;
    });
    const died = new Promise<never>((_, reject) => child.once('close', () => reject(new Error(`QEMU did not start: ${complaints}`))));
    died.catch(() => {});
    const connected = await Promise.race([Promise.all(listening.map(({ connection }) => connection)), died]);
    const sockets = new Map(names.map((name, at) => [name, connected[at] as Socket]));
    for (const socket of sockets.values()) socket.on('error', () => {});
    sockets.get('console')?.on('data', (chunk: Buffer) => appendFileSync(join(directory, 'console.log'), chunk));
    const qmp = new Qmp(sockets.get('qmp') as Socket);
    const guest = new Guest(child, sockets, qmp, options);
    await Promise.race([qmp.ready, died]);
    return guest;
  }

  /** Tells of each line that the guest writes to a port or wire. */
  onLine(port: string, hear: (line: string) => void): void {
    createInterface({ input: this.#port(port) }).on('line', hear);
  }

  /** Tells of bytes that the guest writes to a port or wire, as they come. */
  onBytes(port: string, hear: (bytes: Uint8Array) => void): void {
    this.#port(port).on('data', hear);
  }

  /** Writes to a port or wire. */
  write(port: string, bytes: string | Uint8Array): void {
    this.#port(port).write(bytes);
  }

  /** Cuts its power: not a byte more leaves it. */
  async kill(): Promise<void> {
    this.#end('killed');
    await this.ended;
  }

  /** The end of what kernel and script wrote to the console. */
  get console(): string {
    const path = join(this.#directory, 'console.log');
    return existsSync(path) ? readFileSync(path, 'utf8').slice(-4_000) : '';
  }

  #port(name: string): Socket {
    const socket = this.#sockets.get(name);
    if (socket === undefined) throw new Error(`this guest has no port ${name}`);
    return socket;
  }

  #end(why: 'killed' | 'too-old'): void {
    this.#why ??= why;
    this.#child.kill('SIGKILL');
  }

  async #gone(): Promise<Ending> {
    const closed = [...this.#sockets.values()].map((socket) => new Promise<void>((done) => socket.once('close', () => done())));
    await new Promise<void>((done) => this.#child.once('close', () => done()));
    await Promise.all(closed);
    if (this.#why !== undefined) return { how: this.#why, status: undefined };
    const path = join(shareOf(this.#directory), 'status');
    return existsSync(path) ? { how: 'ended', status: Number(readFileSync(path, 'utf8')) } : { how: 'crashed', status: undefined };
  }
}

/** `/share` of the guest, which it may write to. */
export const shareOf = (directory: string): string => join(directory, 'share');

const socketOf = (directory: string, name: string): string => join(directory, `${name}.sock`);

/** QEMU's arguments for one of its lines. */
export const socketArguments = (directory: string, name: string): string[] => [
  '-chardev',
  `socket,id=${name},path=${socketOf(directory, name)}`,
];

/** QEMU dials us, so that nothing waits for a socket to appear. */
async function listen(path: string): Promise<{ readonly connection: Promise<Socket> }> {
  rmSync(path, { force: true });
  const server = createServer();
  const connection = new Promise<Socket>((resolve) => {
    server.once('connection', (socket) => {
      server.close();
      resolve(socket);
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  server.unref();
  return { connection };
}

/**
 * A guest's time is what it has executed: a thousand instructions are a microsecond, on a machine that is busy as on one that is not; so no
 * time limit of kernel or kiosk is passed because this machine has other work. While the guest waits, its time passes as ours does.
 */
export const TIME = ['-icount', 'shift=0,sleep=on'];

/**
 * One processor, and none that has AVX: with two of them, about one Node in five that started a thread ended at a check of V8's, or with a
 * segmentation fault (QEMU 7.2; docs/decisions/0016-guests.md).
 */
const PROCESSOR = ['-accel', 'tcg', '-cpu', 'Westmere,+rdrand', '-smp', '1'];

function argumentsOf({ kernel, root, board, console }: Machine, options: GuestOptions, initrd: string): string[] {
  const { directory } = options;
  const exported = Object.entries(options.exports ?? {});
  const line = [
    `console=${console}`,
    'quiet',
    'panic=-1',
    'mitigations=off',
    'random.trust_cpu=on',
    'tsc=reliable',
    `bench.exports=${exported.map(([name]) => name).join(',')}`,
  ];
  const socket = (name: string): string[] => socketArguments(directory, name);
  return [
    ...['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none'],
    ...[...board, '-m', String(options.memoryMb ?? 1_024)],
    ...['-kernel', kernel.image, '-initrd', initrd, '-append', line.join(' ')],
    ...[...socket('console'), '-serial', 'chardev:console'],
    ...[...socket('qmp'), '-mon', 'chardev=qmp,mode=control'],
    ...['-device', 'virtio-serial-pci,id=ports'],
    ...(options.ports ?? []).flatMap((name) => [...socket(name), '-device', `virtserialport,bus=ports.0,chardev=${name},name=${name}`]),
    ...share9p('host', root, READ_ONLY),
    ...share9p('kernel', kernel.modules, READ_ONLY),
    ...exported.flatMap(([name, path]) => share9p(name, path, READ_ONLY)),
    ...share9p('share', shareOf(directory), ''),
    ...(options.wires ?? []).flatMap(socket),
    ...(options.devices ?? []),
  ];
}

const READ_ONLY = ',readonly=on,multidevs=remap';

const share9p = (tag: string, path: string, more: string): string[] => [
  ...['-fsdev', `local,id=${tag},path=${path},security_model=none${more}`],
  ...['-device', `virtio-9p-pci,fsdev=${tag},mount_tag=${tag}`],
];

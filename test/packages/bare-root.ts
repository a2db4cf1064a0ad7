/**
 * A bare Debian that runs: nothing but systemd, udev and the libraries that our packages name, with systemd as its first process, in a
 * container with a network of its own. What it waits for has an end, which says what was waited for and what the journal said last.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

const PROGRAMS = { mmdebstrap: 'mmdebstrap', 'systemd-nspawn': 'systemd-container', nsenter: 'util-linux', setpriv: 'util-linux' };
const INCLUDED = 'systemd,systemd-sysv,udev,libudev1,libstdc++6';
const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin`, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' };
/** All that a command in it knows of this machine. */
const CLEAN = ['env', '--ignore-environment', `PATH=/usr/sbin:/usr/bin:/sbin:/bin`, 'DEBIAN_FRONTEND=noninteractive', 'LC_ALL=C.UTF-8'];
const COMMAND_LONGEST_MS = 240_000;
/** Longer than this machine stands still at a time. */
const WAIT_LONGEST_MS = 120_000;

function installPrograms(): void {
  const missing = Object.entries(PROGRAMS).filter(([program]) => spawnSync(program, ['--version'], { env }).status !== 0);
  if (missing.length === 0) return;
  const apt = (...args: string[]) => execFileSync('apt-get', ['-qq', '-o', 'DPkg::Lock::Timeout=600', ...args], { stdio: 'ignore', env });
  apt('update');
  apt('install', '-y', '--no-install-recommends', ...new Set(missing.map(([, name]) => name)));
}

export class BareRoot {
  readonly path: string;
  #machine: ChildProcess | undefined;
  #said = '';

  constructor() {
    installPrograms();
    this.path = mkdtempSync(join(tmpdir(), 'vestibule-root-'));
    // In memory: dpkg syncs each file, and nothing here is to outlast the test.
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3g,mode=755', 'vestibule', this.path]);
    const quick = ['--variant=minbase', '--aptopt=Acquire::Languages "none"', '--dpkgopt=force-unsafe-io'];
    const made = spawnSync('mmdebstrap', ['--quiet', ...quick, `--include=${INCLUDED}`, 'bookworm', this.path], {
      env,
      encoding: 'utf8',
      timeout: 300_000,
    });
    if (made.status !== 0) throw new Error(`mmdebstrap: ${made.error?.message ?? made.stderr}`);
  }

  /** Starts it; resolves once systemd has started all that is enabled. */
  async boot(): Promise<void> {
    // bpf is by what systemd enforces DeviceAllow. Its programs end with this process, however that ends.
    const machine = spawn(
      'setpriv',
      [
        ...['--pdeathsig', 'KILL', 'systemd-nspawn', '--quiet', `--directory=${this.path}`, '--boot', '--register=no', '--keep-unit'],
        ...['--private-network', '--console=read-only', '--capability=CAP_BPF', '--system-call-filter=bpf'],
      ],
      { env: { ...env, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: '1' }, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    this.#machine = machine;
    for (const stream of [machine.stdout, machine.stderr])
      stream.on('data', (chunk) => {
        this.#said = `${this.#said}${chunk}`.slice(-4_000);
      });
    await this.waitFor('systemd to be up', () => /^(?:running|degraded)$/.test(this.#ask('systemctl', 'is-system-running').stdout.trim()));
  }

  /** Takes it down in order and starts it anew. */
  async reboot(): Promise<void> {
    this.run('systemctl', '--no-block', 'poweroff');
    await this.waitFor('the machine to go down', () => this.#machine?.exitCode !== null);
    await this.boot();
  }

  remove(): void {
    // What runs in it does not end with what began it.
    const first = this.#first();
    this.#machine?.kill('SIGKILL');
    if (first !== undefined) spawnSync('kill', ['-KILL', first]);
    spawnSync('umount', ['--lazy', '--recursive', this.path]);
    rmSync(this.path, { recursive: true, force: true });
  }

  /** Copies packages in and has apt take them, as the guides say. @returns what it said. */
  install(files: readonly string[], ...options: readonly string[]): string {
    for (const file of files) copyFileSync(file, join(this.path, 'var/tmp', basename(file)));
    const names = files.map((file) => `/var/tmp/${basename(file)}`);
    return this.run('apt-get', 'install', '--yes', '-o', 'Dpkg::Options::=--force-unsafe-io', ...options, ...names);
  }

  /** As root in it. @returns what it wrote. @throws Error when it fails, or takes longer than four minutes. */
  run(...command: readonly string[]): string {
    const { status, stdout, stderr, error } = this.#ask(...command);
    if (status !== 0) throw new Error(`${command.join(' ')}: ${error?.message ?? status}\n${stdout}${stderr}${this.log}`);
    return `${stdout}${stderr}`.trim();
  }

  /** As `run`, as the user of our services. */
  asUser(...command: readonly string[]): string {
    return this.run('runuser', '--user', 'vestibule', '--', ...command);
  }

  /** @returns a property of a unit, as `systemctl show` has it. */
  show(unit: string, property: string): string {
    return this.#ask('systemctl', 'show', '--property', property, '--value', unit).stdout.trim();
  }

  /** @throws Error that says `what` and what was logged last, when it does not come about within two minutes. */
  async waitFor(what: string, isSo: () => boolean): Promise<void> {
    const endMs = performance.now() + WAIT_LONGEST_MS;
    while (!isSo()) {
      if (performance.now() > endMs) throw new Error(`waited ${WAIT_LONGEST_MS / 1_000} s for ${what}${this.log}`);
      // Each look is a process.
      await new Promise<void>((resolve) => setTimeout(resolve, 50));
    }
  }

  has(path: string): boolean {
    return existsSync(join(this.path, path));
  }

  /** The last lines of the journal, or of the console where there is none. */
  get log(): string {
    const { stdout } = this.#ask('journalctl', '--no-pager', '--lines=40', '--output=short-monotonic');
    return `\n-- the last that was logged\n${stdout || this.#said}`;
  }

  #ask(...command: readonly string[]): { status: number | null; stdout: string; stderr: string; error?: Error | undefined } {
    const first = this.#first();
    if (first === undefined) return { status: null, stdout: '', stderr: `the machine is gone: ${this.#said}` };
    return spawnSync('nsenter', ['--target', first, '--all', ...CLEAN, ...command], { env, encoding: 'utf8', timeout: COMMAND_LONGEST_MS });
  }

  /** The number that its first process has here: it is another after a reboot. */
  #first(): string | undefined {
    const pid = this.#machine?.pid;
    try {
      return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').at(-1) || undefined;
    } catch {
      return undefined;
    }
  }
}

/** The programs of others that this suite runs, installed where this machine lets us, and a run of one to its end. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

export interface Ran {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

/** @returns once it has ended and its outputs are closed. */
export async function run(program: string, args: readonly string[]): Promise<Ran> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' } });
  let out = '';
  let err = '';
  child.stdout.on('data', (bytes: Buffer) => {
    out += bytes.toString();
  });
  child.stderr.on('data', (bytes: Buffer) => {
    err += bytes.toString();
  });
  await once(child, 'close');
  return { status: child.exitCode, out, err };
}

const isThere = (program: string, ...args: string[]): boolean => spawnSync(program, args, { stdio: 'ignore' }).status === 0;
const hasMosquitto = (): boolean => ['mosquitto_pub', 'mosquitto_sub'].every((program) => isThere('sh', '-c', `command -v ${program}`));

/** The one on the path, or the system's, whose packages apt-get brings. Python 3.11 is the first that has what kiosk.py is written with. */
const PYTHONS = ['python3', '/usr/bin/python3'];
const CAN_RUN = 'import sys, cryptography; sys.exit(sys.version_info < (3, 11) or int(cryptography.__version__.split(".")[0]) < 38)';
const pythonThere = (): string | undefined => PYTHONS.find((python) => isThere(python, '-c', CAN_RUN));

/** The clients alone: without what they recommend no broker comes, and none is started. */
function install(packages: readonly string[]): void {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  for (const args of [
    ['update', '-qq'],
    ['install', '-y', '-qq', '--no-install-recommends', ...packages],
  ])
    spawnSync('apt-get', args, { stdio: 'ignore', env });
}

/** @returns a Python that runs the kiosk. @throws with what is missing, where it is and can not be installed. */
export function installStrangers(): string {
  if (!hasMosquitto() || pythonThere() === undefined) install(['mosquitto-clients', 'python3', 'python3-cryptography']);
  const python = pythonThere();
  if (!hasMosquitto() || python === undefined) {
    const missing = [
      ...(hasMosquitto() ? [] : ['mosquitto-clients']),
      ...(python ? [] : ['python3 (3.11) with python3-cryptography (38)']),
    ];
    throw new Error(`not here: ${missing.join(', ')}. As root: apt-get install mosquitto-clients python3-cryptography`);
  }
  return python;
}

export const scriptAt = (name: string): string => join(import.meta.dirname, name);

/** Mosquitto for gateway.bench.ts: installed when it is missing and that may be, started for one run, mutual TLS 1.3 for kiosks. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { join } from 'node:path';
import { makeCertificate } from '../../protocol/certificate.ts';
import { generateSigningKey } from '../../protocol/ed25519.ts';

const PATHS = ['/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto', '/usr/bin/mosquitto'];

/** @returns its path; or in words why there is none. */
export function findMosquitto(say: (line: string) => void): { readonly path: string } | { readonly why: string } {
  const found = () => PATHS.find((path) => existsSync(path));
  const path = found();
  if (path !== undefined) return { path };
  if (process.getuid?.() !== 0) return { why: 'mosquitto is not installed, and only root may install it (apt-get install mosquitto)' };
  try {
    say('mosquitto is missing: apt-get install mosquitto');
    // Not started as a service: the bench starts its own.
    execFileSync('apt-get', ['install', '-y', '--no-install-recommends', 'mosquitto'], {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' },
      stdio: 'ignore',
    });
  } catch {
    return { why: 'mosquitto is not installed, and apt-get could not install it' };
  }
  const installed = found();
  return installed === undefined ? { why: 'mosquitto was installed, and is not where it is looked for' } : { path: installed };
}

export class Mosquitto {
  readonly tlsPort: number;
  readonly tcpPort: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, tlsPort: number, tcpPort: number) {
    this.#child = child;
    this.tlsPort = tlsPort;
    this.tcpPort = tcpPort;
  }

  /** @param clientPem the certificate that it lets in. */
  static async start(path: string, directory: string, clientPem: string): Promise<Mosquitto> {
    mkdirSync(directory, { recursive: true });
    const key = generateSigningKey();
    const files = { ca: join(directory, 'ca.pem'), cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem') };
    writeFileSync(files.ca, clientPem);
    writeFileSync(files.cert, await makeCertificate(key, 'mosquitto'));
    writeFileSync(files.key, key.export({ format: 'pem', type: 'pkcs8' }));
    const [tlsPort, tcpPort] = [await freePort(), await freePort()];
    const config = join(directory, 'mosquitto.conf');
    writeFileSync(
      config,
      [
        'user root',
        'persistence false',
        'allow_anonymous true',
        'set_tcp_nodelay true',
        'max_inflight_messages 0',
        'max_queued_messages 0',
        'log_type error',
        `listener ${tlsPort} 127.0.0.1`,
        `cafile ${files.ca}`,
        `certfile ${files.cert}`,
        `keyfile ${files.key}`,
        'require_certificate true',
        'tls_version tlsv1.3',
        `listener ${tcpPort} 127.0.0.1`,
        '',
      ].join('\n'),
    );
    const child = spawn(path, ['-c', config], { stdio: ['ignore', 'inherit', 'inherit'] });
    for (let tries = 0; !(await isOpen(tcpPort)); tries++) {
      if (tries > 200 || child.exitCode !== null) throw new Error('bench: mosquitto did not start');
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    return new Mosquitto(child, tlsPort, tcpPort);
  }

  /** User and system time so far; the kernel counts it in hundredths of a second. Source: proc_pid_stat(5), fields 14 and 15. */
  cpuUs(): number {
    const stat = readFileSync(`/proc/${this.#child.pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * 10_000;
  }

  stop(): void {
    this.#child.kill();
  }
}

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0));
    });
  });

const isOpen = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });

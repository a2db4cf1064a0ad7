/** A gateway and its core as an operator runs them, in a process of their own, with every step at the command line. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { signCard } from '../../protocol/card.ts';
import { encodeCode } from '../../protocol/code.ts';
import { generateSigningKey, rawPublicKey } from '../../protocol/ed25519.ts';
import type { DeploymentId } from '../../protocol/ids.ts';
import { newKeyCode } from '../../protocol/key-code.ts';
import { deriveVisitor } from '../../protocol/visitor.ts';
import { VestibuleProcess } from '../support/child.ts';

const PASSPHRASE = 'correct horse battery';
const ENROLMENT_CODE = /^VE[A-Z]{74,}$/;

export class RealGateway {
  readonly data: string;
  readonly #process: VestibuleProcess;
  readonly #issuerKey = generateSigningKey();
  venue = '';

  private constructor(directory: string, tlsPort = 0) {
    this.data = join(directory, 'data');
    mkdirSync(this.data, { recursive: true });
    const config = join(directory, 'gateway.json');
    writeFileSync(config, JSON.stringify({ issuers: [Buffer.from(rawPublicKey(this.#issuerKey)).toString('base64url')] }));
    const ports = ['--tls-port', String(tlsPort), '--tcp-port', '0', '--web-port', '0', '--host', '127.0.0.1'];
    this.#process = new VestibuleProcess(['gateway', 'run', '--data', this.data, '--config', config, ...ports]);
  }

  /** @returns once it takes connections and has a venue. @param directory of its own. Whoever starts it stops it. */
  static async start(directory: string): Promise<RealGateway> {
    const gateway = new RealGateway(directory);
    await gateway.#process.line((line) => line.startsWith('gateway ready'));
    const added = await gateway.run('venue', 'add', '--name', 'Shop', '--timezone', 'Europe/Berlin');
    gateway.venue = added.split(' ')[0] ?? '';
    return gateway;
  }

  /** Ends this one, and starts at its address what a backup of it holds. @param directory of its own, as long as the first one is there. */
  async restored(backup: string, directory: string): Promise<RealGateway> {
    const { gateway } = JSON.parse(readFileSync(join(this.data, 'gateway/trust.json'), 'utf8')) as { gateway: { port: number } };
    await this.stop();
    const data = join(directory, 'data');
    await VestibuleProcess.run(['gateway', 'restore', '--from', backup, '--data', data], `${PASSPHRASE}\n`);
    const again = new RealGateway(directory, gateway.port);
    await again.#process.line((line) => line.startsWith('gateway ready'));
    again.venue = this.venue;
    return again;
  }

  /** Makes a backup while it runs. @param path of a file that is not there yet. */
  async backUp(path: string): Promise<void> {
    await VestibuleProcess.run(['gateway', 'backup', '--to', path, '--data', this.data], `${PASSPHRASE}\n`);
  }

  /** @returns what `vestibule <arguments>` says of this gateway's data. @throws when it fails. */
  run(...args: string[]): Promise<string> {
    return VestibuleProcess.run([...args, '--data', this.data]);
  }

  /** @returns the texts of enrolment codes. */
  async codes(count: number): Promise<string[]> {
    const codes: string[] = [];
    for (let i = 0; i < count; i++) {
      const said = await this.run('enrol', '--venue', this.venue, '--direction', 'both');
      codes.push(...said.split(/\s+/).filter((word) => ENROLMENT_CODE.test(word)));
    }
    return codes;
  }

  /** @returns a file with the texts of so many visitor cards, a line each. */
  async cards(count: number): Promise<string> {
    const { deployment } = JSON.parse(await this.run('gateway', 'status', '--json')) as { deployment: DeploymentId };
    const card = () => encodeCode(signCard(deriveVisitor(newKeyCode()).card, deployment, this.#issuerKey));
    const path = join(this.data, 'cards.txt');
    writeFileSync(path, `${Array.from({ length: count }, card).join('\n')}\n`);
    return path;
  }

  /** @returns what `gateway status` says once nothing is left to be forwarded to the core. */
  async forwarded(): Promise<{ readonly kiosks: unknown; readonly sinks: readonly { readonly behindEntries: number }[] }> {
    for (;;) {
      const status = JSON.parse(await this.run('gateway', 'status', '--json'));
      if (status.entries > 0 && status.sinks.every(({ behindEntries }: { behindEntries: number }) => behindEntries === 0)) return status;
    }
  }

  /** @returns whom the core found beside the card in that line of the file, as JSON. */
  async overlaps(cards: string, line: number): Promise<string> {
    const card = readFileSync(cards, 'utf8').split('\n')[line] ?? '';
    return await VestibuleProcess.run(
      ['core', 'overlaps', '--purpose', 'test', '--minutes', '0.00001', '--json', '--data', this.data],
      `${card}\n`,
    );
  }

  async stop(): Promise<void> {
    await this.#process.end('SIGTERM');
  }
}

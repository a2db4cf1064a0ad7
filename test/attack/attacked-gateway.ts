/** The child of gateway-child.ts, its answers as promises, and what its operators see of the attack. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import type { GatewayConfigInput } from '../../gateway/config.ts';
import type { GatewayState } from '../../gateway/state-board.ts';
import { systemClock } from '../../protocol/time.ts';
import { GATEWAY_STATE_TOPIC } from '../../protocol/topics.ts';
import { parseTrust, type TrustDocument } from '../../protocol/trust.ts';
import { TestKiosk } from '../support/test-kiosk.ts';
import { eventually } from './eventually.ts';
import type { ChildOptions, FromChild, ToChild, Told } from './gateway-child.ts';

const root = resolve(import.meta.dirname, '../..');
const node = join(root, 'node_modules/.bin/node');

type Ready = Extract<FromChild, { kind: 'ready' }>;

export class AttackedGateway {
  readonly directory: string;
  readonly #child: ChildProcess;
  readonly #heard: FromChild[] = [];
  #complaints = '';
  #ready: Ready | undefined;
  #state: GatewayState | undefined;
  #operator: MqttClient | undefined;
  readonly #clients: MqttClient[] = [];

  private constructor(options: ChildOptions) {
    this.directory = options.directory;
    this.#child = spawn(node, ['--expose-gc', join(import.meta.dirname, 'gateway-child.ts'), JSON.stringify(options)], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#child.on('message', (message: FromChild) => this.#heard.push(message));
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on('data', (bytes: Buffer) => {
        this.#complaints = `${this.#complaints}${bytes.toString()}`.slice(-4_000);
      });
  }

  /** @param directory of its own. Whoever starts it stops it; without its parent it ends by itself. */
  static async start(directory: string, config: Partial<GatewayConfigInput> = {}): Promise<AttackedGateway> {
    const gateway = new AttackedGateway({ directory: join(directory, 'gateway'), config });
    gateway.#ready = await gateway.#next('ready');
    const operator = await gateway.operator();
    operator.on('message', (topic, payload) => {
      if (topic === GATEWAY_STATE_TOPIC) gateway.#state = JSON.parse(payload.toString());
    });
    await operator.subscribeAsync(GATEWAY_STATE_TOPIC);
    gateway.#operator = operator;
    return gateway;
  }

  get tlsPort(): number {
    return this.#known.tlsPort;
  }

  get tcpPort(): number {
    return this.#known.tcpPort;
  }

  get venue(): string {
    return this.#known.venue;
  }

  get trust(): TrustDocument {
    return parseTrust(this.#known.trust);
  }

  /** `undefined` while it runs. */
  get end(): string | undefined {
    const { exitCode, signalCode } = this.#child;
    return exitCode === null && signalCode === null ? undefined : `${exitCode ?? signalCode}: ${this.#complaints}`;
  }

  /** Whether the operator that watches has been connected all the time. */
  get isWatched(): boolean {
    return this.#operator?.connected === true;
  }

  get secret(): string {
    return readFileSync(join(this.directory, 'operator.txt'), 'utf8').trim();
  }

  async operator(more: IClientOptions = {}): Promise<MqttClient> {
    const at = { host: '127.0.0.1', port: this.tcpPort, username: 'operator', password: this.secret, reconnectPeriod: 0, ...more };
    const client = await connectAsync(at);
    client.on('error', () => {});
    this.#clients.push(client);
    return client;
  }

  async admit(kiosk = new TestKiosk(this.trust, systemClock)): Promise<TestKiosk> {
    await this.admitKey(kiosk.kiosk, Buffer.from(kiosk.publicKey).toString('base64url'));
    return kiosk;
  }

  /** @param publicKey raw, in base64url, as in `kiosk.json`. */
  admitKey(kiosk: string, publicKey: string): Promise<void> {
    return this.#ask({ kind: 'admit', kiosk, publicKey });
  }

  revoke(kiosk: TestKiosk): Promise<void> {
    return this.#ask({ kind: 'revoke', kiosk: kiosk.kiosk });
  }

  step(byMs: number): Promise<void> {
    return this.#ask({ kind: 'step', byMs });
  }

  async tell(): Promise<Told> {
    this.#send({ kind: 'tell' });
    return await this.#next('told');
  }

  /** @returns the first state that operators are told in which `isIt` holds. */
  async state(isIt: (state: GatewayState) => boolean): Promise<GatewayState> {
    await eventually('a state', () => this.end !== undefined || (this.#state !== undefined && isIt(this.#state)));
    if (this.#state === undefined || this.end !== undefined) throw new Error(`the gateway ended with ${this.end}`);
    return this.#state;
  }

  /** @returns once operators were told of so many refusals under this code. */
  async counted(code: string, count = 1): Promise<number> {
    const of = ({ door }: GatewayState): number => (door.refusals as Readonly<Record<string, number>>)[code] ?? 0;
    return of(
      await this.state((state) => of(state) >= count).catch((error: Error) => Promise.reject(new Error(`${code}: ${error.message}`))),
    );
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.end(true);
    if (this.end !== undefined) return;
    this.#child.disconnect();
    await eventually('the end of the gateway', () => this.end !== undefined);
  }

  get #known(): Ready {
    if (this.#ready === undefined) throw new Error('the gateway is not ready');
    return this.#ready;
  }

  async #ask(message: ToChild): Promise<void> {
    this.#send(message);
    await this.#next('done');
  }

  #send(message: ToChild): void {
    if (this.#child.connected) this.#child.send(message);
  }

  async #next<K extends FromChild['kind']>(kind: K): Promise<Extract<FromChild, { kind: K }>> {
    let at = -1;
    await eventually(kind, () => {
      at = this.#heard.findIndex((message) => message.kind === kind);
      return at >= 0 || this.end !== undefined;
    });
    if (at < 0) throw new Error(`the gateway ended with ${this.end}`);
    return this.#heard.splice(at, 1)[0] as Extract<FromChild, { kind: K }>;
  }
}

/**
 * The gateway's TLS key is succeeded by another, over real processes: the command, the gateway and a kiosk are killed with SIGKILL at each step
 * and at any instant, again and again. In the end every kiosk serves and delivers, the one that was away all the while too; nobody had to be visited.
 * `npm run test:crash -- --full --seed N`.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join, resolve } from 'node:path';
import t, { type Test } from 'tap';
import { openIdentity } from '../../gateway/identity.ts';
import { formerKeys } from '../../gateway/rotate/tls-key.ts';
import { openRegistry } from '../../gateway/status.ts';
import { newPlaceId, type VenueId } from '../../protocol/ids.ts';
import { systemClock } from '../../protocol/time.ts';
import { giveCode } from '../support/enrolling.ts';
import { seededRandom, suiteSize } from '../support/suite-size.ts';
import { Mortal } from './mortal.ts';

const { isFull, seed } = suiteSize();
const random = seededRandom(seed);
const KIOSK_POINTS = ['gateway.key_met', 'gateway.key_kept'];
const STRIKES = isFull ? 40 : 2;
/** The command takes about a second and a half here; the file is made at its end. */
const LONGEST_MS = 2_500;
const root = resolve(import.meta.dirname, '../..');

const freePort = (): Promise<number> =>
  new Promise((done) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => done(port));
    });
  });

class House {
  readonly data: string;
  readonly gatewayDir: string;
  readonly #port: number;
  readonly #cache: string;
  readonly venue = newPlaceId<VenueId>();

  constructor(data: string, port: number) {
    this.data = data;
    this.gatewayDir = join(data, 'gateway');
    this.#port = port;
    this.#cache = join(data, 'compiled');
  }

  static async open(t: Test): Promise<House> {
    const house = new House(t.testdir(), await freePort());
    const gateway = await house.gateway();
    const registry = await openRegistry(house.gatewayDir);
    registry.putVenue({ id: house.venue, name: 'Shop', timezone: 'UTC' });
    registry.close();
    await gateway.stop();
    return house;
  }

  startGateway(onReady = () => {}): Mortal {
    const config = JSON.stringify({ tls: { host: '127.0.0.1', port: this.#port } });
    return new Mortal('gateway-child.ts', [this.data, config, ''], this.#cache, ({ isReady }) => isReady && onReady());
  }

  async gateway(): Promise<Mortal> {
    const { promise, resolve: onReady } = Promise.withResolvers<void>();
    const gateway = this.startGateway(onReady);
    await promise;
    return gateway;
  }

  kiosk(name: string, point = '', onReady = () => {}): Mortal {
    const dataDir = join(this.data, name);
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    const config = {
      dataDir,
      scanners: [{ kind: 'standard-input' }],
      page: { isOn: false },
      uplink: { firstBackoffMs: 10, longestBackoffMs: 100 },
    };
    return new Mortal('kiosk-child.ts', [JSON.stringify(config), point], this.#cache, ({ isReady }) => isReady && onReady());
  }

  async enrol(name: string): Promise<Mortal> {
    const { promise, resolve: onReady } = Promise.withResolvers<void>();
    const kiosk = this.kiosk(name, '', onReady);
    kiosk.type((await giveCode(this.gatewayDir, { venue: this.venue }, systemClock.wall())).text);
    await promise;
    return kiosk;
  }

  /** The command itself, killed after so long; lives to its end when left out. @returns whether it ended by itself and well. */
  rotate(killAfterMs?: number): Promise<boolean> {
    const args = ['gateway', 'rotate', 'tls', '--data', this.data];
    const child = spawn(join(root, 'node_modules/.bin/node'), [join(root, 'cli/main.ts'), ...args], {
      env: { ...process.env, NODE_COMPILE_CACHE: this.#cache },
      stdio: 'ignore',
    });
    const strike = killAfterMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), killAfterMs);
    return new Promise((done) => {
      child.once('close', (code) => {
        clearTimeout(strike);
        done(code === 0);
      });
    });
  }

  async generation(): Promise<number> {
    return (await openIdentity(this.gatewayDir)).tls.generation;
  }

  /** Waits until each of so many kiosks has said that it knows the gateway by its newest key. */
  async allFollow(kiosks: number): Promise<void> {
    const newest = await this.generation();
    for (;;) {
      const registry = await openRegistry(this.gatewayDir);
      const said = [...registry.pinBook.all().values()];
      registry.close();
      if (said.length === kiosks && said.every((one) => one === newest)) return;
      await pause(50);
    }
  }
}

const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

for (const point of KIOSK_POINTS) {
  t.test(`gateway key: the kiosk is killed at ${point}, and follows when it is started again`, async (t) => {
    const house = await House.open(t);
    const before = await house.gateway();
    const kiosk = await house.enrol('kiosk');
    await house.allFollow(1);
    t.ok(await house.rotate());
    await Promise.all([kiosk.stop(), before.stop()]);
    const gateway = await house.gateway();
    const dying = house.kiosk('kiosk', point);
    dying.mustDie();
    await dying.gone;
    t.equal(dying.diedAt, point);
    const back = house.kiosk('kiosk');
    await house.allFollow(1);
    t.ok((await house.generation()) > 0);
    await back.stop();
    await gateway.stop();
  });
}

t.test(`gateway key: command, gateway and kiosk are killed at any instant, ${STRIKES} times (seed ${seed})`, async (t) => {
  const house = await House.open(t);
  let gateway = await house.gateway();
  let kiosk = await house.enrol('kiosk');
  const away = await house.enrol('away');
  await house.allFollow(2);
  await away.stop();
  for (let strike = 0; strike < STRIKES; strike++) {
    const isDone = house.rotate(strike % 3 === 2 ? undefined : random() * LONGEST_MS);
    if (strike % 2 === 0) {
      await pause(random() * LONGEST_MS);
      kiosk.kill();
      await kiosk.gone;
      kiosk = house.kiosk('kiosk');
    }
    await isDone;
    gateway.kill();
    await gateway.gone;
    const starting = house.startGateway();
    await pause(random() * LONGEST_MS);
    starting.kill();
    await starting.gone;
    gateway = await house.gateway();
  }
  t.ok(await house.rotate(), 'one that is left alone ends well, whatever was cut off before it');
  await gateway.stop();
  gateway = await house.gateway();
  const back = house.kiosk('away');
  await house.allFollow(2);
  t.ok(formerKeys(join(house.gatewayDir, 'keys')).length > 0);
  t.strictSame(
    readdirSync(join(house.gatewayDir, 'keys')).filter((name) => name.endsWith('.pem') && !/^tls-\d+\.pem$/.test(name)),
    [],
  );
  await Promise.all([kiosk.stop(), back.stop()]);
  await gateway.stop();
});

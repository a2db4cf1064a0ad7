/**
 * What watches a gateway, wired: tallies, accounts, audit log, and the operators' listener with page, API, metrics and health.
 * run-gateway.ts opens it before the broker, which it listens to, and has it listen once all else is there.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { ErrorCode } from '../protocol/errors.ts';
import type { KioskId } from '../protocol/ids.ts';
import type { Log } from '../protocol/log.ts';
import type { Clock } from '../protocol/time.ts';
import { WebDoor } from '../protocol/web-door.ts';
import { Accounts } from './accounts.ts';
import { AuditLog } from './audit.ts';
import type { SecondPlaceState } from './backup/second-place.ts';
import type { Broker, BrokerDoors } from './broker.ts';
import type { GatewayConfig } from './config.ts';
import { removeControl, writeControl } from './control-file.ts';
import type { Db } from './database.ts';
import type { Deciders } from './decide.ts';
import type { Identity } from './identity.ts';
import type { Decided } from './ingest.ts';
import { BatchOpener } from './open-batch.ts';
import { gatewayPaths } from './paths.ts';
import { QuarantineDesk } from './quarantine-desk.ts';
import type { Registry } from './registry.ts';
import type { PinSummary } from './rotate/pin-desk.ts';
import type { SinkDesk } from './sinks/sink-desk.ts';
import type { StateBoard } from './state-board.ts';
import { publishSystemTopics } from './system-topics.ts';
import { Watch } from './watch.ts';
import { readAssets } from './web/assets.ts';
import { openWebCertificate, readWebCertificate } from './web/certificate.ts';
import { DiskWatch } from './web/disk.ts';
import { readErrorWords } from './web/error-words.ts';
import { flagCounts } from './web/flags.ts';
import { Live } from './web/live.ts';
import { manageRoutesOf } from './web/manage-routes.ts';
import { metricsText, type ProcessUse } from './web/metrics.ts';
import { takenBackOf } from './web/notice-words.ts';
import { restoredOf } from './web/restore-words.ts';
import { rolloutRoutesOf } from './web/rollout-routes.ts';
import { type LogLevelDoor, routesOf } from './web/routes.ts';
import { WebServer } from './web/server.ts';
import { sinkRoutesOf } from './web/sink-routes.ts';
import { overviewOf, type RolloutSource, type SealSource, type ViewSources } from './web/view.ts';

/** What only the process itself can tell or change. */
export interface ProcessDoor {
  readonly version: string;
  readonly logLevel: LogLevelDoor;
  /** Asked at each reading of the metrics. */
  use(): ProcessUse;
}

export interface WatchedParts {
  readonly registry: Registry;
  readonly db: Db;
  readonly board: StateBoard;
  readonly deciders: Deciders;
  readonly sinks: SinkDesk;
  /** Told of what a replay took. */
  readonly onDecided: (decided: readonly Decided[]) => void;
  readonly broker: Pick<Broker, 'cutOff' | 'cutOffAccount' | 'publish'>;
  /** Of the listener for operators' programs. */
  readonly mqttPort: number;
  readonly secondPlace: () => SecondPlaceState | undefined;
  readonly pins: () => PinSummary;
  readonly seals: SealSource;
  readonly rollout: RolloutSource;
}

export interface WebListener {
  /** Where the page is; `undefined` where no listener was asked for. */
  readonly url: string | undefined;
  /** To be called once a second. */
  tick(): void;
  close(): Promise<void>;
}

const CONTROL_TOKEN_BYTES = 32;
/** Of one address, on which nobody is known: a browser opens six, a proxy before the page has those of all its browsers. */
export const MOST_WAITING_PAGES = 512;
const DAY_MS = 86_400_000;
const NO_PROCESS: ProcessDoor = {
  version: '0',
  logLevel: { get: () => 'silent', set: () => {} },
  use: () => ({ residentBytes: 0, cpuS: 0, loopDelayS: 0 }),
};

export class Watching {
  readonly watch: Watch;
  readonly accounts: Accounts;
  readonly audit: AuditLog;
  readonly #config: GatewayConfig;
  readonly #identity: Identity;
  readonly #clock: Clock;
  readonly #log: Log;
  /** Persons that read MQTT, as their accounts were then. */
  readonly #readers = new Map<string, string>();

  /** @throws StoreError as openDatabase does. */
  constructor(config: GatewayConfig, identity: Identity, clock: Clock, log: Log) {
    const paths = gatewayPaths(config.directory);
    this.#config = config;
    this.#identity = identity;
    this.#clock = clock;
    this.#log = log;
    this.watch = new Watch(clock);
    this.accounts = new Accounts(paths.accounts, identity.storeKey);
    this.audit = new AuditLog({ log: paths.audit, head: paths.auditHead }, identity.storeKey);
  }

  /** The broker's doors with what is counted on their way; operators' accounts are let in to read, besides the one that was always there. */
  overBroker(doors: BrokerDoors): BrokerDoors {
    const { watch, accounts, audit } = this;
    return {
      ...doors,
      isOperator: async (account, secret, untilClosed) => {
        const isOldAccount = await doors.isOperator(account, secret, untilClosed);
        const stamp = isOldAccount ? undefined : accounts.stampOf(account ?? '');
        const person = isOldAccount
          ? undefined
          : await accounts.personOf(account ?? '', Buffer.from(secret ?? []).toString('utf8'), untilClosed);
        const who = isOldAccount ? account : person?.name;
        if (who === undefined) return false;
        audit.append({ atMs: this.#clock.wall(), who, via: 'mqtt', action: 'look.events', about: '', detail: '' });
        // The stamp of an earlier connection stands: one that was opened before a change ends by it.
        if (stamp !== undefined && !this.#readers.has(who)) this.#readers.set(who, stamp);
        return true;
      },
      onBatch: (kiosk, message, untilClosed) => watch.timed(doors.onBatch(kiosk, message, untilClosed)),
      onState: (kiosk, report) => {
        watch.said(kiosk, report);
        doors.onState(kiosk, report);
      },
      onConnected: (kiosk, connection) => {
        watch.connected(kiosk);
        doors.onConnected(kiosk, connection);
      },
      onDisconnected: (kiosk) => {
        watch.disconnected(kiosk);
        doors.onDisconnected(kiosk);
      },
      onRefused: (kiosk, code) => doors.onRefused(kiosk, code),
    };
  }

  /** Opens the operators' listener, where the configuration asks for one. @throws ConfigError `config.invalid` when it can not be bound. */
  async listen(parts: WatchedParts, process: ProcessDoor = NO_PROCESS): Promise<WebListener> {
    const { web } = this.#config;
    const { registry, db, board, deciders, sinks, onDecided, broker } = parts;
    const { accounts, audit, watch } = this;
    const clock = this.#clock;
    const disk = new DiskWatch(this.#config.directory, accounts, clock);
    const venues = byRevision(registry, () => registry.venues());
    const takenBack = byRevision(registry, () => takenBackOf(registry));
    const sources: ViewSources = {
      clock,
      deployment: this.#identity.deployment,
      version: process.version,
      registry: { venues, kiosks: () => registry.kiosks() },
      restored: () => restoredOf(registry, clock.wall()),
      secondPlace: parts.secondPlace,
      pins: parts.pins,
      seals: parts.seals,
      rollout: parts.rollout,
      takenBack,
      board,
      watch,
      words: readErrorWords(),
      disk: () => disk.use(),
      flags: () => flagCounts(db, clock.wall()),
      auditEntries: () => audit.head().entries,
      logLevel: () => process.logLevel.get(),
    };
    const live = new Live(() => overviewOf(sources));
    const publish = publishSystemTopics(broker.publish, { watch, board, kiosks: () => registry.kiosks(), version: process.version, clock });
    const look = () => {
      this.#endReaders(broker.cutOffAccount);
      publish();
    };
    if (web === undefined) return { url: undefined, tick: look, close: () => Promise.resolve() };

    const desk = new QuarantineDesk(db, new BatchOpener(this.#identity.deployment, this.#identity.holders), deciders, {
      kiosk: (kiosk) => registry.kiosk(kiosk),
      isPast: (receivedAtMs) => clock.wall() - receivedAtMs >= this.#config.retentionDays * DAY_MS,
      onDecided,
      onChanged: (kiosk) => board.stored(kiosk),
    });
    const manage = manageRoutesOf({ directory: this.#config.directory, registry, deployment: this.#identity.deployment, clock });
    const routes = routesOf({
      overview: () => overviewOf(sources),
      registry,
      db,
      accounts,
      audit,
      desk,
      words: sources.words,
      clock,
      logLevel: process.logLevel,
      cutOff: broker.cutOff,
    });
    const names = namesOf(this.#config);
    const tls = web.isPlain ? undefined : await this.#certificate(web, names);
    const controlToken = randomBytes(CONTROL_TOKEN_BYTES).toString('base64url');
    const server = new WebServer({
      binding: { host: web.host, port: web.port },
      names,
      tls,
      accounts,
      audit,
      routes: [...routes, ...manage, ...rolloutRoutesOf(registry.rolloutBook), ...sinkRoutesOf({ sinks, words: sources.words })],
      live,
      assets: readAssets(),
      metrics: () => metricsText(overviewOf(sources), watch.tallies(), board.door.refusals, process.use()),
      notReady: () => notReady(registry.kiosks(), board),
      controlToken,
      door: new WebDoor(MOST_WAITING_PAGES, clock, (address, code) => board.door.heldOff(address, code)),
      clock,
      log: this.#log,
    });
    const port = await server.open();
    const scheme = web.isPlain ? 'http' : 'https';
    const { control } = gatewayPaths(this.#config.directory);
    // By a name that is on the certificate and leads here, wherever it listens.
    const own = `${scheme}://${web.host === '0.0.0.0' || web.host === '::' ? '127.0.0.1' : bracketed(web.host)}:${port}`;
    writeControl(control, { url: own, token: controlToken, mqttPort: parts.mqttPort, ...(tls && { certificatePem: tls.certificatePem }) });
    return {
      url: web.host === '0.0.0.0' || web.host === '::' ? `${scheme}://${bracketed(this.#config.publicHost)}:${port}` : own,
      tick: () => {
        look();
        live.tick();
      },
      close: async () => {
        removeControl(control);
        await server.close();
      },
    };
  }

  /** Ends the reading of whoever has no account any more, or another role or password. @throws StoreError. */
  #endReaders(cutOff: (account: string) => void): void {
    for (const [name, stamp] of this.#readers) {
      if (this.accounts.stampOf(name) === stamp) continue;
      this.#readers.delete(name);
      cutOff(name);
    }
  }

  close(): void {
    this.audit.close();
    this.accounts.close();
  }

  #certificate(web: NonNullable<GatewayConfig['web']>, names: readonly string[]): Promise<{ keyPem: string; certificatePem: string }> {
    if (web.certificatePath !== undefined && web.keyPath !== undefined)
      return Promise.resolve(readWebCertificate(web.certificatePath, web.keyPath));
    return openWebCertificate(join(this.#config.directory, 'keys'), names, this.#clock.wall());
  }
}

function namesOf({ web, publicHost }: GatewayConfig): string[] {
  const bound = web === undefined || web.host === '0.0.0.0' || web.host === '::' ? [] : [web.host];
  return [...new Set([publicHost, 'localhost', '127.0.0.1', ...bound, ...(web?.names ?? [])])];
}

const bracketed = (host: string): string => (host.includes(':') ? `[${host}]` : host);

/** What is many rows in the registry, and changes seldom. */
function byRevision<T>(registry: Registry, read: () => T): () => T {
  let known: { readonly revision: number; readonly value: T } | undefined;
  return () => {
    const revision = registry.revision();
    if (known?.revision !== revision) known = { revision, value: read() };
    return known.value;
  };
}

/** @returns why kiosks are not acknowledged for a reason that is this gateway's. */
function notReady(kiosks: Iterable<{ readonly kiosk: KioskId }>, board: StateBoard): ErrorCode | undefined {
  for (const { kiosk } of kiosks) {
    const code = board.kiosk(kiosk)?.withheld?.code;
    if (code?.startsWith('store.') === true) return code;
  }
  return undefined;
}

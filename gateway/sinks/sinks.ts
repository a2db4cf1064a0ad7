/** All to whom the ledger is forwarded, each with a loop, a cursor and troubles of its own. */
import type { Intake } from '../../core/intake.ts';
import { ConfigError } from '../../protocol/errors.ts';
import { type Recipient, recipientFromPublicKey } from '../../protocol/hpke.ts';
import type { DeploymentId } from '../../protocol/ids.ts';
import type { Log } from '../../protocol/log.ts';
import type { Clock } from '../../protocol/time.ts';
import { type Db, translating } from '../database.ts';
import { Forwarder, type SinkProgress } from '../forward.ts';
import type { Ledger } from '../ledger.ts';
import { Erasures, SinkErasures } from './erasures.ts';
import { HttpSink } from './http-sink.ts';
import { MqttSink } from './mqtt-sink.ts';
import { SetAside } from './set-aside.ts';
import type { SinkConfig } from './sink-config.ts';
import { SinkDesk } from './sink-desk.ts';

export interface SinksOptions {
  readonly sinks: readonly SinkConfig[];
  readonly deployment: DeploymentId;
  /** The core in this process; needed where a sink of the kind `core` is. */
  readonly intake: Intake | undefined;
  readonly ledger: Ledger;
  /** The ledger's index. */
  readonly db: Db;
  readonly clock: Clock;
  readonly retentionDays: number;
  readonly log: Log;
  readonly onProgress: (sink: string, progress: SinkProgress) => void;
  /** Its abort ends what is under way at sinks elsewhere. */
  readonly signal: AbortSignal;
}

export interface Sinks {
  /** What a person may do about entries that were set aside. */
  readonly desk: SinkDesk;
  /** What they are to be told of taken-back cards, and which of them can be told. */
  readonly erasures: Erasures;
  readonly mayErase: ReadonlySet<string>;
  /** There are new entries. */
  wake(): void;
  /** To be called once a second: tells how far each is. */
  look(): void;
  /** Forwards until aborted. A bug ends it with that error. */
  run(signal: AbortSignal): Promise<void>;
}

/**
 * Makes every sink known to the ledger, and those forgotten that are configured no more.
 * @throws ConfigError `config.invalid` for a file of a sink that can not be read, or is open to others; StoreError.
 */
export function openSinks(options: SinksOptions): Sinks {
  const { sinks, ledger, db, clock, log, retentionDays, onProgress } = options;
  forgetOthers(db, sinks, log);
  const setAside = new SetAside(db);
  const erasures = new Erasures(db);
  const intakes = new Map(sinks.map((sink) => [sink.name, intakeOf(sink, options)]));
  const forwarders = sinks.map((sink) => {
    ledger.addSink(sink.name);
    const entriesPerSecond = sink.kind === 'core' ? undefined : sink.entriesPerSecond;
    const intake = intakes.get(sink.name) as Intake;
    const erase = intake.erase?.bind(intake);
    const told = erase && new SinkErasures(sink.name, erase, erasures, clock, log);
    const about = { name: sink.name, intake, entriesPerSecond, erasures: told };
    return new Forwarder(about, ledger, setAside, clock, log, (progress) => onProgress(sink.name, progress));
  });
  const look = () => {
    for (const forwarder of forwarders) forwarder.look();
  };
  return {
    erasures,
    mayErase: new Set(sinks.filter(({ name }) => intakes.get(name)?.erase !== undefined).map(({ name }) => name)),
    desk: new SinkDesk({ ledger, setAside, intakes, clock, retentionDays, onChanged: look }),
    wake: () => {
      for (const forwarder of forwarders) forwarder.wake();
    },
    look,
    run: async (signal) => {
      await Promise.all(forwarders.map((forwarder) => forwarder.run(signal)));
    },
  };
}

/**
 * @param here the gateway's own, and a core's beside it. @returns whom kiosks seal for: those, and cores elsewhere that open rows with a key of their
 * own; each once, also where two sinks lead to one core, for a key record names nobody twice.
 */
export function recipientsOf(here: readonly Recipient[], sinks: readonly SinkConfig[]): Recipient[] {
  const far = sinks.flatMap((sink) =>
    sink.kind === 'http' && sink.recipient !== undefined ? [recipientFromPublicKey(sink.recipient)] : [],
  );
  const byId = new Map([...here, ...far].map(({ id, publicKey }) => [Buffer.from(id).toString('hex'), { id, publicKey }]));
  return [...byId.values()];
}

function intakeOf(sink: SinkConfig, { deployment, intake, clock, signal }: SinksOptions): Intake {
  switch (sink.kind) {
    case 'core':
      if (intake === undefined) throw new ConfigError('config.invalid', 'sinks: the core is to be in this process, and is not there');
      return intake;
    case 'http':
      return new HttpSink(sink, deployment, clock, signal);
    case 'mqtt':
      return new MqttSink(sink, deployment, clock, signal);
  }
}

/** What nobody waits for is not counted as lost. One that is named again later starts at the ledger's beginning. */
function forgetOthers(db: Db, sinks: readonly SinkConfig[], log: Log): void {
  const names = new Set(sinks.map(({ name }) => name));
  const kept = translating('ledger', () => db.prepare('SELECT name FROM sinks').pluck().all()) as string[];
  for (const name of kept.filter((name) => !names.has(name))) {
    translating('ledger', () =>
      db.transact(() => {
        db.prepare('DELETE FROM sinks WHERE name = ?').run(name);
        db.prepare('DELETE FROM set_aside WHERE sink = ?').run(name);
        db.prepare('DELETE FROM erasures WHERE sink = ?').run(name);
      }),
    );
    log.warn('sink.forgotten', { sink: name });
  }
}

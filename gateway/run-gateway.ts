/**
 * One gateway, wired: keys, stores, listeners, broker, ingest, triage, forwarding, and what operators see of it. Reads no process.
 */
import '../protocol/buffer-pool.ts';
import type { HolderDoor, Intake, NoticeSource, RevocationSource } from '../core/intake.ts';
import { replaceFile } from '../disk/files.ts';
import { RetentionClock } from '../disk/retention-clock.ts';
import { isSignedBySoon, rawPublicKey } from '../protocol/ed25519.ts';
import type { Recipient } from '../protocol/hpke.ts';
import type { KioskId } from '../protocol/ids.ts';
import type { Log } from '../protocol/log.ts';
import type { Clock } from '../protocol/time.ts';
import { GATEWAY_STATE_TOPIC } from '../protocol/topics.ts';
import { formatTrust, type TrustDocument } from '../protocol/trust.ts';
import { Announcer } from './announce.ts';
import { ResendDesk } from './backup/resend-desk.ts';
import { SecondPlace } from './backup/second-place.ts';
import { type Broker, openBroker } from './broker.ts';
import { Checkpoints } from './checkpoint/checkpoints.ts';
import { Closers, untilAborted } from './closers.ts';
import type { GatewayConfig } from './config.ts';
import { emptyLog, holdLock } from './database.ts';
import { DoubtDesk } from './doubts/doubt-desk.ts';
import { DOUBT_POLICY } from './doubts/doubt-rules.ts';
import { Doubts } from './doubts/doubts.ts';
import { openEnrolment } from './enrol/open-enrolment.ts';
import { type Identity, openIdentity } from './identity.ts';
import { type Decided, Ingest } from './ingest.ts';
import { Ledger, openLedgerFile } from './ledger.ts';
import { type Listener, listenTcp, listenTls } from './listen.ts';
import { NoticeDesk } from './notice/notice-desk.ts';
import { noticeSources } from './notice/notice-sources.ts';
import { BatchOpener } from './open-batch.ts';
import { openDoor } from './open-door.ts';
import { OpenDesk } from './opening/open-desk.ts';
import { OperatorEvents } from './operator-events.ts';
import { gatewayPaths } from './paths.ts';
import { PolicyDesk } from './policy/policy-desk.ts';
import { FEW_AT_ONCE, pruneSome } from './prune.ts';
import { VenueCalendar } from './pseudonym.ts';
import { Quarantine } from './quarantine.ts';
import { Registry } from './registry.ts';
import { Reserve } from './reserve.ts';
import { LedgerEraser } from './revoke/ledger-eraser.ts';
import { revocationSources } from './revoke/revocation-sources.ts';
import { RevokeDesk } from './revoke/revoke-desk.ts';
import { BundleShelf } from './rollout/bundle-shelf.ts';
import { RolloutDesk } from './rollout/rollout-desk.ts';
import { PinDesk } from './rotate/pin-desk.ts';
import { SealDesk } from './rotate/seal-desk.ts';
import { openSinks, recipientsOf } from './sinks/sinks.ts';
import { StateBoard } from './state-board.ts';
import { kiosksSeen, storedTroubleOf } from './stored-trouble.ts';
import { Triage } from './triage.ts';
import { everyHour, everyMinute, everySecond, pruneHourly } from './upkeep.ts';
import { type ProcessDoor, Watching } from './watching.ts';

export interface GatewayDoors {
  readonly clock: Clock;
  readonly log: Log;
  /** The tracing core in this process; needed where the configuration has a sink of the kind `core`. */
  readonly intake?: Intake;
  /** From whom it hears which cards their holders took back. */
  readonly revocations?: RevocationSource;
  /** Where what holders ask at kiosks is answered; left out, at the first core elsewhere. */
  readonly holder?: HolderDoor;
  /** From whom it hears for which cards there are notices, besides cores elsewhere. */
  readonly notices?: NoticeSource;
  /** Whom kiosks seal for besides this gateway: a core that opens rows with a key of its own. */
  readonly recipients?: readonly Recipient[];
  /** Card issuers besides those of the configuration; asked every second, so that one that is made while the gateway runs is told to kiosks. */
  readonly moreIssuers?: () => readonly Uint8Array[];
  /** What only the process can tell or change, for the operators' page and metrics. */
  readonly process?: ProcessDoor;
}

export interface RunningGateway {
  readonly tlsPort: number;
  readonly tcpPort: number;
  /** Of the operators' page; `undefined` where the configuration asks for none. */
  readonly webUrl: string | undefined;
  /** As written to `trust.json` in the gateway's directory. */
  readonly trust: TrustDocument;
  /** Resolves once all is closed after the signal's abort; rejects, all being closed, with the bug that ended it. */
  readonly done: Promise<void>;
}

const MOST_FLAGS_AT_ONCE = 500;
/** As many as a trust document and a policy name. */
const MOST_ISSUERS = 64;

/**
 * Starts a gateway on `config.directory`, making keys and stores at the first start. When it returns, kiosks can connect.
 * @param signal its abort stops all in order; what is not acknowledged by then stays with the kiosks.
 * @throws ConfigError `config.locked` when another gateway runs there, `config.invalid` for unfit files or an address that can
 * not be bound; StoreError as openDatabase does.
 */
export async function runGateway(config: GatewayConfig, doors: GatewayDoors, signal: AbortSignal): Promise<RunningGateway> {
  const identity = await openIdentity(config.directory);
  const opened = new Closers();
  try {
    opened.add(holdLock(gatewayPaths(config.directory).lock));
    return await start(config, identity, doors, opened, signal);
  } catch (error) {
    await opened.closeAll();
    throw error;
  }
}

async function start(
  config: GatewayConfig,
  identity: Identity,
  { clock, log, intake, revocations, holder, notices, recipients = [], moreIssuers = () => [], process }: GatewayDoors,
  opened: Closers,
  signal: AbortSignal,
): Promise<RunningGateway> {
  const paths = gatewayPaths(config.directory);
  const { deployment, receiptKey, holders } = identity;
  const bug = Promise.withResolvers<never>();
  const onBug = (error: unknown) => bug.reject(error);

  const watching = new Watching(config, identity, clock, log);
  opened.add(() => watching.close());
  const registry = new Registry(paths.registry, identity.storeKey);
  opened.add(() => registry.close());
  const db = openLedgerFile(paths.ledger, identity.storeKey);
  opened.add(() => db.close());
  opened.add(() => ledger.close());
  const stopping = new AbortController();
  let loops: Promise<unknown> = Promise.resolve();
  opened.add(async () => {
    stopping.abort();
    await Promise.allSettled([loops]);
  });
  const listeners: Pick<Listener, 'close'>[] = [];
  opened.add(async () => {
    await Promise.all(listeners.map((listener) => listener.close()));
  });
  const ledger = new Ledger(db, paths.segments, identity.storeKey, clock);

  const calendar = new VenueCalendar();
  const quarantine = new Quarantine(db, { mostItems: config.limits.quarantineItems, mostBytes: config.limits.quarantineBytes });
  const triage = new Triage(db, ledger, config.flags, identity, calendar);
  ledger.recover((readings, receivedAtMs) => triage.take(readings, receivedAtMs));
  ledger.skipTo(registry.restoreBook.newest()?.skipTo ?? 0);
  const events = new OperatorEvents(deployment, identity.operatorPseudonymKey, calendar);
  const board = new StateBoard(clock, log, (kiosk) => storedTroubleOf(db, kiosk));
  for (const kiosk of kiosksSeen(db)) board.stored(kiosk);

  const cores = revocationSources(config.sinks, revocations, clock, stopping.signal);
  const retention = new RetentionClock(config.directory, clock, log);
  const enrolment = await openEnrolment({
    directory: config.directory,
    identity,
    registry,
    trust: () => trust,
    ledger: db,
    holder: holder ?? cores.holder,
    piece: (digest, first, last, publicKey) => rollouts.piece(digest, first, last, publicKey),
    leastNowMs: () => retention.leastNowMs,
    clock,
    log,
    onRefused: (code) => board.refused(undefined, code),
    onBug,
  });
  opened.add(() => enrolment.close());
  const door = openDoor(config.limits, board, clock, log);
  const broker: Broker = await openBroker(
    watching.overBroker({
      kiosk: (kiosk) => registry.kiosk(kiosk),
      refuseCertificate: (peer, kiosk) => enrolment.refuse(peer, kiosk),
      isOperator: identity.operator.isAllowed,
      onBatch: (kiosk, message, untilClosed) => door.quota.whenFree(kiosk, untilClosed, () => ingest.take(kiosk, message, untilClosed)),
      onState: (kiosk, report) => {
        policies.heard(kiosk, report);
        resends.heard(kiosk, report);
        pins.heard(kiosk, report);
        rollouts.heard(kiosk, report);
        noticeDesk.heard(kiosk, report);
      },
      onConnected: (kiosk, { hasTakenOver }) => {
        door.log.tell('info', 'kiosk.connected', kiosk, { kiosk, hasTakenOver });
        board.connected(kiosk, hasTakenOver);
        announcer.connected(kiosk);
      },
      onDisconnected: (kiosk) => {
        door.log.tell('info', 'kiosk.disconnected', kiosk, { kiosk });
        board.disconnected(kiosk);
      },
      onRefused: (kiosk, code) => board.refused(kiosk, code),
      onBug,
    }),
    door.guard,
    log,
  );
  opened.add(() => broker.close());

  const { mayTakeUnsigned } = config;
  const issuers = () => [...config.issuers, ...moreIssuers()].slice(0, MOST_ISSUERS);
  const telling = { registry, deployment, receiptKey, publish: broker.publish, clock, log, onBug };
  const policies = new PolicyDesk({ ...telling, issuers, mayTakeUnsigned, stickerLifeMs: config.stickerLifeMs });
  const resends = new ResendDesk({ ...telling, ledger: db });
  const pins = new PinDesk({ registry, generation: identity.tls.generation });
  const seals = new SealDesk({ registry, identity, retentionDays: config.retentionDays });
  const isConnected = (kiosk: KioskId): boolean => board.kiosk(kiosk)?.isConnected === true;
  const rollouts = new RolloutDesk({ ...telling, shelf: new BundleShelf(paths.releases), isConnected });
  const noticeDesk = new NoticeDesk({ ...telling, sources: noticeSources(config.sinks, notices, clock, stopping.signal) });
  const second = new SecondPlace(config.directory, identity.storeKey, clock);
  opened.add(() => second.close());
  const announcer = new Announcer({
    publish: broker.publish,
    hasListeners: broker.hasListeners,
    deployment,
    receiptKey,
    events,
    onEventDropped: () => board.eventDropped(),
    onBug,
  });
  const doubts = new DoubtDesk(new Doubts(DOUBT_POLICY, calendar), ledger, (found) => {
    for (const { row, reason } of found) board.doubted(row.kiosk, reason);
    announcer.doubts(found);
  });
  const sinks = openSinks({
    sinks: config.sinks,
    retentionDays: config.retentionDays,
    deployment,
    intake,
    ledger,
    db,
    clock,
    log,
    onProgress: (sink, progress) => board.sink(sink, progress),
    signal: stopping.signal,
  });
  const deciders = { ledger, quarantine, triage, clinicians: registry.clinicians, erasedCards: registry.erasedCards };
  const onDecided = (decided: readonly Decided[]) => {
    for (const { kiosk, decision } of decided) {
      board.stored(kiosk.kiosk);
      if (decision.kind === 'taken') door.quota.charge(kiosk.kiosk, decision.taken.length);
      if (decision.kind === 'quarantined')
        door.log.tell('warn', 'batch.quarantined', `${kiosk.kiosk} ${decision.reason}`, { kiosk: kiosk.kiosk, code: decision.reason });
    }
    watching.watch.decided(decided);
    seals.decided(decided);
    announcer.decided(decided);
    doubts.decided(decided);
    sinks.wake();
  };
  const checkpoints = new Checkpoints({
    index: paths.ledger,
    ledger,
    key: identity.storeKey,
    clock,
    log,
    onFault: (code) => board.checkpoints(code),
  });
  const revokes = new RevokeDesk({
    sources: cores.sources,
    registry,
    eraser: new LedgerEraser({
      ledger,
      db,
      deployment,
      holders,
      publicKeyOf: (kiosk) => registry.kiosk(kiosk)?.publicKey,
      clock,
      whenLogsRest: checkpoints.whenAtRest,
    }),
    heardUpTo: (kiosk) => policies.erasedToldTo(kiosk),
    sinks: config.sinks.map(({ name }) => name),
    elsewhere: sinks,
    clock,
    log,
  });
  const opening = new OpenDesk({
    here: new BatchOpener(deployment, holders, isSignedBySoon),
    deployment,
    holders,
    clock,
    log,
    onFault: (code) => board.opening(code),
  });
  const ingest = new Ingest(
    opening,
    deciders,
    {
      kiosk: (kiosk) => registry.kioskThisTurn(kiosk),
      onDecided,
      onWithheld: (kiosk, { batches, code }) => board.withheld(kiosk, batches, code),
      onCutOff: (kiosk, code) => {
        door.log.tell('warn', 'kiosk.cut_off', `${kiosk} ${code}`, { kiosk, code });
        board.cutOff(kiosk, code);
      },
    },
    clock,
    log,
  );
  opened.add(() => ingest.close());

  const reserve = new Reserve(paths.reserve);
  board.reserve(reserve.hold());
  const lookAtClock = () => {
    retention.look();
    board.clock(retention.doubt);
  };
  const prune = (isScant: boolean) => pruneSome(db, ledger, config.retentionDays, retention.look(), isScant ? FEW_AT_ONCE : undefined);
  const emptied = () => checkpoints.whenAtRest().then(() => emptyLog(db, 'ledger'));
  let isStateKept = true;
  const publishState = async () => {
    if (!board.hasChanged && isStateKept) return;
    isStateKept = false;
    const state = Buffer.from(`${JSON.stringify(board.snapshot())}\n`);
    await broker.publish(GATEWAY_STATE_TOPIC, state, { qos: 0, retain: true });
    replaceFile(paths.state, state, 0o600);
    isStateKept = true;
  };
  const tick = () => {
    const changes = triage.sweep(clock.wall(), MOST_FLAGS_AT_ONCE);
    announcer.flags(changes);
    if (doubts.keep() || changes.length > 0) sinks.wake();
    sinks.look();
  };

  const onDoorFault = () => log.warn('connection.not_taken');
  const tls = await listenTls(config.tls, identity.tls, door.keeper, broker.accept, enrolment.accept, onDoorFault);
  listeners.push(tls);
  const tcp = await listenTcp(config.tcp, door.keeper, broker.accept, onDoorFault);
  listeners.push(tcp);
  const parts = {
    registry,
    db,
    board,
    deciders,
    sinks: sinks.desk,
    onDecided,
    broker,
    mqttPort: tcp.port,
    secondPlace: () => second.state,
    pins: () => pins.summary(),
    seals,
    rollout: rollouts,
  };
  const web = await watching.listen(parts, process);
  listeners.push(web);

  let trust: TrustDocument = {
    deployment,
    gateway: { host: config.publicHost, port: tls.port, certificatePem: identity.tls.certificatePem },
    receiptKey: rawPublicKey(receiptKey),
    recipients: recipientsOf([identity.recipient, ...recipients], config.sinks),
    issuers: issuers(),
    mayTakeUnsigned,
  };
  const writeTrust = () => replaceFile(paths.trust, Buffer.from(formatTrust(trust)), 0o644);
  writeTrust();
  const learnIssuers = () => {
    if (issuers().length === trust.issuers.length) return;
    trust = { ...trust, issuers: issuers() };
    writeTrust();
    log.info('issuer.added', { issuers: trust.issuers.length });
  };

  loops = Promise.all([
    sinks.run(stopping.signal),
    checkpoints.run(stopping.signal),
    opening.run(stopping.signal),
    everyMinute(() => board.reserve(reserve.hold()), clock, log, stopping.signal, 'reserve'),
    everyMinute(lookAtClock, clock, log, stopping.signal, 'retention_clock'),
    // The state apart from the rest: it must be told when the store fails.
    everySecond(publishState, clock, log, stopping.signal),
    everySecond(tick, clock, log, stopping.signal),
    everySecond(() => policies.look(stopping.signal).then(() => board.policies(policies.summary())), clock, log, stopping.signal),
    everySecond(learnIssuers, clock, log, stopping.signal, 'trust'),
    everySecond(() => resends.look(stopping.signal), clock, log, stopping.signal),
    revokes.run(stopping.signal),
    noticeDesk.run(stopping.signal),
    everySecond(() => board.notices(noticeDesk.summary()), clock, log, stopping.signal, 'notices'),
    everySecond(() => rollouts.look(stopping.signal), clock, log, stopping.signal, 'rollout'),
    everySecond(() => pins.look(), clock, log, stopping.signal, 'gateway_key'),
    everySecond(() => seals.look(), clock, log, stopping.signal, 'seals'),
    everySecond(() => second.look(), clock, log, stopping.signal, 'second_place'),
    everySecond(web.tick, clock, log, stopping.signal),
    enrolment.keepOut(broker.cutOff, stopping.signal),
    everyHour(enrolment.forgetCodes, clock, log, stopping.signal, 'enrolment'),
    pruneHourly(() => reserve.lendTo(prune), emptied, clock, log, stopping.signal),
  ]);

  const done = Promise.race([untilAborted(signal), bug.promise, loops]).then(
    () => opened.closeAll(),
    async (error: unknown) => {
      await opened.closeAll();
      throw error;
    },
  );
  log.info('gateway.started', { tlsPort: tls.port, tcpPort: tcp.port });
  return { tlsPort: tls.port, tcpPort: tcp.port, webUrl: web.url, trust, done };
}

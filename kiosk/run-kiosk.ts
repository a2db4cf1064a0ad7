/**
 * One kiosk, wired: devices, door, outbox, uplink, page. Starts without a gateway, without knowing the time and without devices; a store
 * that refuses is shown and tried again. Reads no process; what it needs is handed in.
 */
import '../protocol/buffer-pool.ts';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { Restarts } from '../hardware/supervise.ts';
import { type ExpectedError, StoreError } from '../protocol/errors.ts';
import type { Happening } from '../protocol/event.ts';
import type { BootId, VisitorUuid } from '../protocol/ids.ts';
import { downState, encodeKioskState } from '../protocol/kiosk-state.ts';
import { readBootId } from '../protocol/time.ts';
import { topicOf } from '../protocol/topics.ts';
import { type Audience, announce, printAnswer, show } from './announce.ts';
import { Answers } from './answers.ts';
import { BUILT_AT_MS, ClockWatch, SYNCED_PATH } from './clock-state.ts';
import type { KioskConfig } from './config.ts';
import { type Credentials, keyPartsOf } from './credentials.ts';
import { waitForDataDir } from './data-lock.ts';
import { DeviceEvents } from './device-events.ts';
import { DevicePlaces } from './device-places.ts';
import { DoctorDoor } from './doctor-door.ts';
import type { Sight } from './doctor-words.ts';
import { runDoorDevices } from './door-devices.ts';
import { doorRules } from './door-rules.ts';
import type { Feedback } from './feedback.ts';
import { type FrontCommand, openFront } from './front.ts';
import { GatewayWord } from './gateway-word.ts';
import { Health, queueOf, reportOf } from './health.ts';
import { askHolder } from './holder-ask.ts';
import { HolderFront, type HolderFrontOptions } from './holder-front.ts';
import { keepHouse } from './housekeeping.ts';
import type { KioskIdentity } from './kiosk-identity.ts';
import { OutboxService } from './outbox-service.ts';
import { type Moment, Recorder } from './recorder.ts';
import { keepFresh } from './renew.ts';
import type { RunKioskOptions } from './run-options.ts';
import { scannerLack } from './scanner-lack.ts';
import { newPage } from './screen/open-page.ts';
import { runInTurns, type Turn } from './setup/in-turns.ts';
import { kindOf, lendDoors, SetupFront } from './setup/setup-doors.ts';
import { openStaff, type Staff, settingsOf } from './staff/open-staff.ts';
import { Notifier } from './systemd.ts';
import { aborted, Tasks } from './tasks.ts';
import { StatusPrinter } from './terminal.ts';
import { type Delivery, deliverTestEvent } from './test-event.ts';
import { boardOf, runUpdates } from './update/open-updater.ts';
import { watchDisk } from './watchdog/disk-watch.ts';
import { roadOf, Watchdog } from './watchdog/watchdog.ts';

export type { KioskReady, RunKioskOptions } from './run-options.ts';

/**
 * Runs until `signal` aborts; then everything is closed and what was promised lies in the outbox.
 * @throws ConfigError config.invalid for a trust document, identity or port that can not be used; config.locked when another process has
 * the data directory. Anything that is no ExpectedError is a bug and ends the kiosk.
 */
export async function runKiosk(config: KioskConfig, options: RunKioskOptions, signal: AbortSignal): Promise<void> {
  mkdirSync(config.dataDir, { recursive: true, mode: 0o700 });
  const unlock = await waitForDataDir(config.dataDir, options, signal);
  try {
    await runInTurns(config, options, signal, (turn, ending) => new Kiosk(turn).run(ending));
  } finally {
    unlock();
  }
}

class Kiosk {
  readonly #config: KioskConfig;
  readonly #options: RunKioskOptions;
  readonly #version: string;
  readonly #identity: KioskIdentity;
  readonly #credentials: Credentials;
  readonly #bootId: BootId;
  readonly #tasks = new Tasks();
  readonly #watch: ClockWatch;
  readonly #health: Health;
  readonly #recorder: Recorder;
  readonly #staff: Staff;
  readonly #front: Staff['front'];
  readonly #word: GatewayWord;
  readonly #deviceEvents: DeviceEvents;
  readonly #places: DevicePlaces;
  readonly #restarts = new Restarts();
  readonly #watchdog: Watchdog;
  readonly #audience: Audience;
  readonly #answers = new Answers();
  readonly #doctorDoor: DoctorDoor;
  readonly #turn: Turn;
  readonly #deliver: (signal: AbortSignal) => Promise<Delivery>;
  readonly #service: OutboxService;

  constructor(turn: Turn) {
    const { config, options, credentials } = turn;
    this.#turn = turn;
    const { clock, log, terminal, notify } = options;
    const { identity, trust } = credentials;
    this.#config = config;
    this.#places = new DevicePlaces(config);
    this.#options = options;
    this.#version = options.version ?? 'unknown';
    this.#identity = identity;
    this.#credentials = credentials;
    // Where the system names no boot, each start of the process is taken for one.
    this.#bootId = (readBootId() ?? new Uint8Array(randomBytes(16))) as BootId;
    const isSynced = options.isClockSynced ?? (() => existsSync(SYNCED_PATH));
    this.#watch = new ClockWatch({ clock, bootId: this.#bootId, isSynced, builtAtMs: BUILT_AT_MS });
    const health = () => this.#health.snapshot();
    const queue = () => queueOf(this.#recorder.outbox, clock.monotonic());
    const hasNoScanner = scannerLack(config, clock, () => this.#audience.page?.isOpen ?? false);
    const gatewayKey = () => credentials.pin.generation;
    this.#health = new Health(
      {
        queue,
        clock: () => this.#watch.state,
        hasNoScanner,
        gatewayKey,
        settings: () => settingsOf(this.#staff),
        faults: () => this.#watchdog.faults,
        faultDetail: () => this.#watchdog.faultDetail,
        board: boardOf(config, options),
        pathOf: (device) => this.#places.of(device),
        now: () => clock.monotonic(),
      },
      () => show(this.#audience, health()),
    );
    this.#recorder = new Recorder({
      dir: config.dataDir,
      limits: config.outbox,
      keyParts: () => keyPartsOf(credentials),
      clock,
      log,
      stamp: (at) => this.#watch.stamp(at),
      onStore: (why) => this.#health.store(why),
      onOutbox: (outbox, salvagedRows) => this.#service.serve(outbox, salvagedRows),
      leaveOutbox: () => this.#service.leave(),
      onAppended: (row) => this.#service.offer(row),
    });
    const door = {
      rules: doorRules(config, trust, undefined),
      direction: config.direction,
      staffCodes: new Set(config.staffCodes),
      append: (happening: Happening, at: Moment) => this.#recorder.append(happening, at),
      isOnline: () => this.#health.isOnline,
      showsNotice: (card: VisitorUuid) => this.#word.notices.show(card),
      toldOfSticker: (sticker: Uint8Array) => this.#word.notices.stickerStanding(sticker),
      clock,
      onFeedback: (feedback: Feedback) => this.#answer(feedback),
    };
    const append = (happening: Happening) => this.#recorder.append(happening, this.#now());
    const outbox = () => this.#recorder.outbox;
    const deliver = (signal: AbortSignal) => deliverTestEvent({ append, outbox, health, clock }, signal);
    const ask: HolderFrontOptions['ask'] = (action, visitor, signal) => askHolder(credentials, action, visitor, signal);
    const front = new HolderFront(openFront(credentials.role, door, config.clinic.windowMs), { ...door, ask });
    this.#staff = openStaff(new SetupFront(front, turn.setup), {
      ...door,
      clock: this.#watch.clock,
      config,
      log,
      knowsTime: () => this.#watch.state !== 'unsynced',
      health,
      deliver: () => deliver(this.#tasks.signal),
      onMenu: () => this.#audience.page?.refreshMenu(),
      onSettings: () => this.#sayState(),
    });
    this.#front = this.#staff.front;
    this.#word = new GatewayWord({
      dir: config.dataDir,
      deployment: trust.deployment,
      kiosk: identity.kiosk,
      receiptKey: trust.receiptKey,
      clock: this.#watch.clock,
      log,
      mayJudgeTime: () => this.#watch.state !== 'unsynced',
      recorder: this.#recorder,
      health: this.#health,
      onPolicy: (policy) => this.#atDoor(() => this.#front.adopt(doorRules(config, trust, policy))),
      onForget: (isGone) => this.#atDoor(() => this.#front.forget(isGone)),
      emptyLog: () => this.#service.emptyLog(),
      onUnsettled: () => this.#service.rewind(),
      onNoticeShown: (card, at) => this.#note({ type: 'notice-shown', card }, at),
      onState: () => this.#sayState(),
    });
    this.#deviceEvents = new DeviceEvents(clock, (event) => this.#note(event));
    this.#watchdog = new Watchdog({
      dir: config.dataDir,
      wifiStatePath: config.wifiStatePath,
      clock,
      log,
      road: () => roadOf(health(), this.#recorder.appended),
      isClockWrong: () => this.#watch.state === 'unsynced',
      redial: () => this.#service.redial(),
      reopenScanners: () => this.#restarts.restart(),
      deliver,
      onChange: () => show(this.#audience, health()),
    });
    this.#service = new OutboxService({
      config,
      credentials,
      version: this.#version,
      bootId: this.#bootId,
      recorder: this.#recorder,
      word: this.#word,
      health: this.#health,
      watch: this.#watch,
      tasks: this.#tasks,
      clock,
      log,
      // What the gateway shows is the Will of the link before, or nothing: it may have been back before anybody looked.
      onUp: () => this.#sayState(),
      onHung: (isHung) => this.#watchdog.hung(isHung),
    });
    this.#doctorDoor = new DoctorDoor({ dir: config.dataDir, log, health, deliver });
    this.#deliver = deliver;
    this.#audience = {
      page: newPage({
        config,
        setup: turn.setup,
        staff: this.#staff,
        onScan: this.#scan,
        onStaff: (command) => this.#command(command),
        onBug: (error) => this.#tasks.add(Promise.reject(error)),
        health,
        isDesk: credentials.role === 'clinic',
      }),
      printer: terminal === undefined ? undefined : new StatusPrinter(terminal),
      notifier: notify === undefined ? undefined : new Notifier(notify, log),
      say: (payload) => this.#service.say(topicOf(identity.kiosk, 'state'), payload),
    };
  }

  async run(signal: AbortSignal): Promise<void> {
    const { page, notifier } = this.#audience;
    let detach = () => {};
    try {
      // First, so that no scan is judged by other rules.
      this.#word.open();
      this.#front.resume(this.#now());
      // Before the store, so that one that can not be opened is shown.
      const pageUrl = await page?.open();
      await this.#recorder.open();
      if (!this.#options.isErrand) this.#note({ type: 'kiosk-state', state: 'started', byMs: 0 });
      this.#startTasks();
      detach = lendDoors(this.#turn, {
        scan: this.#scan,
        deliver: this.#deliver,
        unsent: () => this.#recorder.outbox?.queued ?? 'unknown',
        add: (task) => this.#tasks.add(task),
      });
      if (notifier !== undefined) this.#tasks.add(notifier.ready());
      this.#options.log.info('kiosk.ready', { kiosk: this.#identity.kiosk, queued: this.#health.snapshot().queued });
      this.#options.onReady?.({ kiosk: this.#identity.kiosk, pageUrl });
      await aborted(signal, this.#tasks.signal);
      if (notifier !== undefined) this.#tasks.add(notifier.stopping());
      if (!this.#options.isErrand) this.#note({ type: 'kiosk-state', state: 'stopping', byMs: 0 });
      this.#audience.say(encodeKioskState(downState(this.#version)));
    } finally {
      detach();
      this.#tasks.end();
      this.#deviceEvents.stop();
      this.#word.notices.stop();
      try {
        await this.#tasks.ended();
      } finally {
        await page?.close();
        this.#recorder.close();
      }
    }
  }

  #startTasks(): void {
    const { clock, log } = this.#options;
    const { signal } = this.#tasks;
    const { notifier } = this.#audience;
    this.#tasks.add(this.#recorder.keepOpen(signal));
    this.#tasks.add(this.#front.run(signal));
    for (const task of this.#word.run(signal)) this.#tasks.add(task);
    this.#tasks.add(this.#doctorDoor.run(signal));
    this.#tasks.add(announce(this.#audience, () => this.#health.snapshot(), this.#version, clock, signal));
    if (notifier !== undefined) this.#tasks.add(notifier.keepAlive(() => this.#health.isAlive, clock, signal));
    const { dataDir, outbox } = this.#config;
    const house = {
      dir: dataDir,
      retentionMs: outbox.retentionMs,
      clock,
      watch: this.#watch,
      log,
      outbox: () => this.#recorder.outbox,
      onStep: (byMs: number) => this.#note({ type: 'kiosk-state', state: 'clock-stepped', byMs }),
      onStoreFailed: (error: StoreError) => this.#recorder.failed(error),
    };
    this.#tasks.add(keepHouse(house, signal));
    this.#tasks.add(this.#watchdog.run(signal));
    this.#tasks.add(watchDisk({ ...house, ask: this.#options.askDisk, recorder: this.#recorder }, signal));
    const updates = {
      config: this.#config,
      options: this.#options,
      bootId: this.#bootId,
      credentials: this.#credentials,
      word: this.#word.releases,
      health: this.#health,
      deliver: this.#deliver,
    };
    this.#tasks.add(runUpdates(updates, signal));
    this.#credentials.onRecipients = () => this.#tasks.add(this.#recorder.renewKey());
    this.#credentials.onSeen = (seen) => this.#recorder.heard(seen);
    this.#tasks.add(keepFresh({ credentials: this.#credentials, watch: this.#watch, clock, log, random: Math.random }, signal));
    const door = {
      turn: this.#turn,
      staff: this.#staff,
      health: this.#health,
      watch: this.#watch,
      answers: this.#answers,
      restarts: this.#restarts,
      atDoor: (serve: () => void) => this.#atDoor(serve),
      command: (command: FrontCommand) => this.#command(command),
      note: (happening: Happening) => this.#note(happening),
      onSight: (sight: Sight) => this.#sight(sight),
      onFound: (device: string, path: string) => this.#places.found(device, path),
      onDevice: (device: string, isUp: boolean, why: ExpectedError | undefined) => this.#hearDevice(device, isUp, why),
      now: this.#now,
    };
    this.#tasks.add(runDoorDevices(door, signal));
  }

  #sayState(): void {
    this.#audience.say(encodeKioskState(reportOf(this.#health.snapshot(), this.#version)));
  }

  #sight(sight: Sight): void {
    this.#doctorDoor.tell(sight);
    if (sight.what !== 'no-scan') this.#watchdog.hear(sight.what === 'scan' ? 'scan' : 'witness');
    if (sight.what !== 'no-scan') this.#turn.setup.put({ kind: 'sight', device: sight.device });
  }

  /** A bug at the door ends the kiosk: half done, it would turn everybody away. It is no fault of the device or page that brought a scan. */
  #atDoor(serve: () => void): void {
    try {
      serve();
    } catch (error) {
      this.#tasks.add(Promise.reject(error));
      throw error;
    }
  }

  #command(command: FrontCommand): void {
    this.#atDoor(() => this.#front.command(command, this.#now()));
    this.#audience.page?.refresh();
  }

  #answer(feedback: Feedback): void {
    const { terminal, onFeedback } = this.#options;
    this.#audience.page?.show(feedback);
    this.#answers.tell(feedback);
    printAnswer(this.#audience, terminal, feedback, this.#staff.settings.now.language);
    onFeedback?.(feedback);
    this.#health.answered(feedback.kind);
    this.#front.heard(feedback);
  }

  #hearDevice(device: string, isUp: boolean, why: ExpectedError | undefined): void {
    const isInput = this.#config.scanners.some((scanner) => scanner.kind === 'standard-input' && scanner.name === device);
    // Standard input that ended is no fault: there are other scanners, and nothing to plug in.
    if (!isInput || isUp) this.#turn.setup.put({ kind: 'device', device, as: kindOf(this.#config, device), isUp, why: why?.code });
    if (isInput && !isUp) this.#health.forget(device);
    else if (this.#health.device(device, isUp, why?.code) && !isInput) this.#deviceEvents.note(device, isUp, why?.code);
  }

  /** Appends what nobody waits for; a store that refuses has been told of already. */
  #note(happening: Happening, at = this.#now()): void {
    try {
      this.#recorder.append(happening, at);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
    }
  }

  #scan = (text: string): void => this.#atDoor(() => this.#front.scan(text, this.#now()));

  #now = (): Moment => ({ wallMs: this.#options.clock.wall(), monotonicMs: this.#options.clock.monotonic() });
}

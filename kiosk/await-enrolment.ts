/**
 * A kiosk without identity: shows that it waits for its label, takes the code from any of its own scanners, its page or its terminal, and asks
 * the gateway until it has an answer. Goes on with a code that it was given before it lost power. Takes no card: it could keep none.
 */

import { decodeCode, type EnrolmentCode } from '../protocol/code.ts';
import type { Papers } from '../protocol/enrol.ts';
import { AdmissionError, CodeError, DecodeError, EnrolError, type ErrorCode } from '../protocol/errors.ts';
import { Answers } from './answers.ts';
import type { KioskConfig } from './config.ts';
import { runDevices } from './devices.ts';
import { enrol } from './enrol.ts';
import type { Feedback, FeedbackKind } from './feedback.ts';
import type { HealthSnapshot } from './health.ts';
import type { KioskIdentity } from './kiosk-identity.ts';
import { Page } from './page.ts';
import { readPendingCode } from './papers.ts';
import type { RunKioskOptions } from './run-kiosk.ts';
import type { SetupDesk } from './setup/setup-desk.ts';
import { setupRoutes } from './setup/setup-routes.ts';
import { Notifier } from './systemd.ts';
import { Tasks } from './tasks.ts';
import { printFeedback, StatusPrinter } from './terminal.ts';
import { detailOf, type WifiTrouble, WifiWatch } from './watchdog/wifi-watch.ts';

const LOOK_EVERY_MS = 2_000;

/**
 * @returns the papers, once they are kept; `undefined` on abort.
 * @throws ConfigError config.invalid when the page's port is taken.
 */
export async function awaitEnrolment(
  config: KioskConfig,
  options: RunKioskOptions,
  { identity, setup }: { readonly identity: KioskIdentity; readonly setup: SetupDesk },
  signal: AbortSignal,
): Promise<Papers | undefined> {
  return await new Waiting(config, options, identity, setup).run(signal);
}

class Waiting {
  readonly #config: KioskConfig;
  readonly #options: RunKioskOptions;
  readonly #identity: KioskIdentity;
  readonly #setup: SetupDesk;
  readonly #tasks = new Tasks();
  readonly #answers = new Answers();
  readonly #devices = new Map<string, HealthSnapshot['devices'][number]>();
  readonly #page: Page | undefined;
  readonly #printer: StatusPrinter | undefined;
  readonly #notifier: Notifier | undefined;
  #wifi: WifiTrouble | undefined;
  /** Why the last try came to nothing. */
  #why: ErrorCode | undefined;
  #trying = new AbortController();
  #papers: Papers | undefined;

  constructor(config: KioskConfig, options: RunKioskOptions, identity: KioskIdentity, setup: SetupDesk) {
    const { terminal, notify, log } = options;
    this.#config = config;
    this.#options = options;
    this.#identity = identity;
    this.#setup = setup;
    this.#printer = terminal === undefined ? undefined : new StatusPrinter(terminal);
    this.#notifier = notify === undefined ? undefined : new Notifier(notify, log);
    this.#page = config.page.isOn
      ? new Page({
          port: config.page.port,
          onScan: (text) => this.#take(text),
          onStaff: () => this.#say('not-enrolled'),
          health: () => this.#health(),
          direction: () => config.direction,
          routes: setupRoutes(
            setup,
            () => config.page.language,
            () => false,
          ),
          isSetupAsked: () => setup.isAsked,
          settings: () => ({ language: config.page.language, sound: config.page.sound, isOutOfOrder: false }),
        })
      : undefined;
  }

  async run(signal: AbortSignal): Promise<Papers | undefined> {
    const { log, clock } = this.#options;
    const detach = this.#setup.attach({ scan: (text) => this.#take(text), add: (task) => this.#tasks.add(task) });
    try {
      const pageUrl = await this.#page?.open();
      const pending = readPendingCode(this.#config.dataDir);
      log.info('kiosk.not_enrolled', { kiosk: this.#identity.kiosk, hasCode: pending !== undefined });
      this.#say('not-enrolled');
      if (pageUrl !== undefined) this.#options.terminal?.write(`   ${pageUrl}\n`);
      if (this.#notifier !== undefined) {
        this.#tasks.add(this.#notifier.ready());
        this.#tasks.add(this.#notifier.status('waits for its enrolment code'));
        this.#tasks.add(this.#notifier.keepAlive(() => true, clock, this.#tasks.signal));
      }
      this.#tasks.add(this.#runDevices(this.#tasks.signal));
      this.#tasks.add(this.#watchWifi(this.#tasks.signal));
      if (pending !== undefined) this.#try(pending);
      await eitherAborts(signal, this.#tasks.signal);
      return this.#papers;
    } finally {
      detach();
      this.#trying.abort();
      this.#tasks.end();
      try {
        await this.#tasks.ended();
      } finally {
        await this.#page?.close();
      }
    }
  }

  /** Without a network no label can be shown to the gateway: this is where a wrong passphrase is met. */
  async #watchWifi(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const wifi = new WifiWatch(this.#config.wifiStatePath);
    while (!signal.aborted && this.#config.wifiStatePath !== undefined) {
      const trouble = wifi.look(clock.monotonic());
      const isOther = JSON.stringify(trouble) !== JSON.stringify(this.#wifi);
      this.#wifi = trouble;
      if (isOther) this.#show();
      await clock.sleep(LOOK_EVERY_MS, signal);
    }
  }

  async #runDevices(signal: AbortSignal): Promise<void> {
    const { clock, log, input, hidPlaces } = this.#options;
    const { scanners, boards } = this.#config;
    await runDevices(
      {
        config: { scanners, boards, thermometers: [], sniffers: [] },
        clock,
        log,
        random: Math.random,
        input,
        ...(hidPlaces && { hidPlaces }),
        onScan: ({ text }) => this.#take(text),
        onNoScan: () => this.#say('not-a-card'),
        onReading: () => {},
        onOccupancy: () => {},
        answers: this.#answers,
        rest: () => 'not-set-up',
        onButton: () => {},
        onReport: (report) => {
          this.#devices.set(report.device, { name: report.device, isUp: report.isUp, why: report.isUp ? undefined : report.why.code });
          this.#show();
        },
      },
      signal,
    );
  }

  /** A scanned text: another code takes the place of the one that is tried. */
  #take(text: string): void {
    try {
      const code = decodeCode(text);
      if (code.kind === 'enrolment') {
        this.#try(code);
        return;
      }
      this.#say('not-enrolled');
    } catch (error) {
      if (!(error instanceof CodeError)) throw error;
      this.#say('not-a-card');
    }
    this.#setup.put({ kind: 'not-label' });
  }

  #try(code: EnrolmentCode): void {
    this.#trying.abort();
    this.#trying = new AbortController();
    this.#say('enrolling');
    this.#setup.put({ kind: 'enrolling' });
    this.#tasks.add(this.#enrol(code, AbortSignal.any([this.#tasks.signal, this.#trying.signal])));
  }

  async #enrol(code: EnrolmentCode, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    let hasSaid = false;
    const onUnreached = (why: ErrorCode) => {
      this.#why = why;
      this.#setup.put({ kind: 'not-enrolled', why, isFinal: false });
      if (!hasSaid) this.#say('enrol-unreached');
      hasSaid = true;
      this.#show();
    };
    try {
      const enrolling = { dir: this.#config.dataDir, identity: this.#identity, clock, log, random: Math.random, onUnreached };
      const papers = await enrol(enrolling, code, signal);
      if (papers === undefined) return;
      this.#papers = papers;
      this.#setup.put({ kind: 'enrolled' });
      this.#say('enrolled');
      this.#tasks.end();
    } catch (error) {
      if (!(error instanceof EnrolError || error instanceof AdmissionError || error instanceof DecodeError)) throw error;
      log.error('enrolment.refused', { code: error.code });
      this.#why = error.code;
      this.#setup.put({ kind: 'not-enrolled', why: error.code, isFinal: true });
      this.#say('enrol-refused');
    }
  }

  #say(kind: FeedbackKind): void {
    const { clock, terminal, onFeedback } = this.#options;
    const at = { wallMs: clock.wall(), monotonicMs: clock.monotonic() };
    const feedback: Feedback = { kind, isStoredOffline: false, at, seq: undefined, keyId: undefined };
    this.#page?.show(feedback);
    this.#answers.tell(feedback);
    if (terminal !== undefined) printFeedback(terminal, feedback, this.#config.page.language);
    onFeedback?.(feedback);
    this.#show();
  }

  #show(): void {
    this.#page?.refresh();
    this.#printer?.print(this.#health());
  }

  #health(): HealthSnapshot {
    return {
      state: 'down',
      isOnline: false,
      linkWhy: this.#why,
      storeWhy: undefined,
      isAwaitingCode: true,
      policy: { version: 0, why: undefined },
      sentAgain: 0,
      clock: 'assumed',
      devices: [...this.#devices.values()],
      ...(this.#wifi && { faults: [this.#wifi.fault], faultDetail: detailOf(this.#wifi) }),
      queued: 0,
      oldestQueuedMs: undefined,
      droppedUnsent: 0,
      conflicts: 0,
      quarantined: 0,
      setAside: 0,
      salvagedRows: 0,
    };
  }
}

const eitherAborts = (...signals: readonly AbortSignal[]): Promise<void> =>
  new Promise((resolve) => {
    const any = AbortSignal.any([...signals]);
    if (any.aborted) resolve();
    any.addEventListener('abort', () => resolve(), { once: true });
  });

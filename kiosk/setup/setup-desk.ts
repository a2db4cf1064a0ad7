/**
 * Runs set-up: commands of either face and what devices and gateway say go in; files, questions and a new start with other devices come of it.
 * It outlives the kiosk's parts: one that waits for its code, then a whole one, anew with each change of devices, lend it their doors in turn.
 */
import { ConfigError, codeOf, type ErrorCode } from '../../protocol/errors.ts';
import type { KioskPlace } from '../../protocol/kiosk-place.ts';
import type { Log } from '../../protocol/log.ts';
import type { Clock } from '../../protocol/time.ts';
import { beginReset } from '../reset/wipe.ts';
import type { Delivery } from '../test-event.ts';
import { keepMark, keepSettings, pathOf, readMark, readSettings, type Settings, withPort, withSniffer } from './setup-files.ts';
import { next } from './setup-machine.ts';
import { newSetup, type SetupCommand, type SetupEffect, type SetupInput, type SetupState } from './setup-state.ts';

export interface SetupOptions {
  readonly dir: string;
  readonly isEnrolled: boolean;
  readonly clock: Clock;
  readonly log: Log;
  /** The USB serial port that a device of that name hangs on; `undefined` where there is none now. */
  readonly findPort: (device: string) => Promise<string | undefined>;
  /** @throws ConfigError when the kiosk could not start with them. */
  readonly check: (settings: Settings) => void;
}

export type Unsent = number | 'unknown';

/** What the part that runs now can be asked for. */
export interface SetupDoors {
  /** What a person scanned or typed at a face, as its scanner would have read it. */
  readonly scan: (text: string) => void;
  /** @throws LinkError, AdmissionError, ConfigError config.invalid for a name that is not to be had, DecodeError. */
  readonly askPlace?: (name: string | undefined, signal: AbortSignal) => Promise<KioskPlace>;
  readonly deliver?: (signal: AbortSignal) => Promise<Delivery>;
  /** Rows that no gateway has yet: what a reset destroys; `unknown` while they can not be read. */
  readonly unsent?: () => Unsent;
  /** Runs beside the part's own tasks: a bug in it ends the part. */
  readonly add: (task: Promise<void>) => void;
  /** Starts anew, with the settings as they are kept now. */
  readonly restart?: () => void;
}

/** So long after a person's last word scans are for trying; then a door is a door again. */
const TRYING_MS = 120_000;

export class SetupDesk {
  readonly #options: SetupOptions;
  readonly #listeners = new Set<(state: SetupState) => void>();
  #state: SetupState;
  #doors: SetupDoors | undefined;
  #ending = new AbortController();
  #spokeMs = Number.NEGATIVE_INFINITY;
  #isPutOff = false;

  constructor(options: SetupOptions) {
    this.#options = options;
    const mark = readMark(options.dir);
    // A kiosk that was made a kiosk in another way has nothing to be set up; one that enrolled and was killed goes on behind that.
    const step = options.isEnrolled ? (mark === undefined ? 'done' : mark.step === 'enrol' ? 'name' : mark.step) : 'enrol';
    this.#state = newSetup({ step, name: mark?.name });
    if (mark?.step !== step && step !== 'done') this.#keep({ step, name: mark?.name });
  }

  get state(): SetupState {
    return this.#state;
  }

  /** Whether the page at the door is to show set-up rather than the door. */
  get isAsked(): boolean {
    return this.#state.step !== 'done' && !this.#isPutOff;
  }

  /** Whether what is scanned is for trying the scanner, and nobody is to be checked in. */
  get isTrying(): boolean {
    return this.#state.step === 'devices' && this.#options.clock.monotonic() - this.#spokeMs < TRYING_MS;
  }

  /** Lends it doors, in place of those before; asks what waits for an answer. @returns takes them back. */
  attach(doors: SetupDoors): () => void {
    this.#doors = doors;
    this.#ending = new AbortController();
    this.put({ kind: 'resumed' });
    return () => {
      if (this.#doors !== doors) return;
      this.#doors = undefined;
      this.#ending.abort();
    };
  }

  /** @returns ends it. @param heard is told of each change, and must not throw. */
  listen(heard: (state: SetupState) => void): () => void {
    this.#listeners.add(heard);
    return () => this.#listeners.delete(heard);
  }

  /** What a person says at a face. */
  command(command: SetupCommand): void {
    this.#spokeMs = this.#options.clock.monotonic();
    this.#isPutOff = false;
    this.put(command);
  }

  /** What a reset would destroy; `undefined` where there is no kiosk to reset. */
  get unsent(): Unsent | undefined {
    return this.#doors?.unsent?.();
  }

  /**
   * Makes this a machine without identity again: the present turn ends, and the next begins with what is left to do.
   * @param unsent what the person was shown. @returns false where more waits by now, or there is no kiosk: nothing was done.
   */
  reset(unsent: Unsent): boolean {
    const { dir, log } = this.#options;
    if (this.unsent === undefined || unsent !== this.unsent) return false;
    beginReset(dir, log);
    this.#doors?.restart?.();
    return true;
  }

  /** Begins from the label, in a directory that was wiped. */
  begin(): void {
    this.#isPutOff = false;
    this.#state = newSetup({ step: 'enrol', name: undefined });
    this.#keep({ step: 'enrol', name: undefined });
    this.#tell();
  }

  /** A person wants the door now, and set-up later: at the next start, or when they come back to it. */
  putOff(): void {
    this.#isPutOff = true;
    this.#spokeMs = Number.NEGATIVE_INFINITY;
    this.#tell();
  }

  scan(text: string): void {
    this.#doors?.scan(text);
  }

  put(input: SetupInput): void {
    const { state, effects } = next(this.#state, input);
    this.#state = state;
    for (const effect of effects) this.#do(effect);
    this.#tell();
  }

  #tell(): void {
    for (const heard of this.#listeners) heard(this.#state);
  }

  #do(effect: SetupEffect): void {
    const { signal } = this.#ending;
    switch (effect.kind) {
      case 'keep':
        this.#keep(effect.mark);
        break;
      case 'ask-place':
        this.#ask(this.#doors?.askPlace?.(effect.name, signal), (place) => ({ kind: 'placed', place }), notPlaced);
        break;
      case 'deliver':
        this.#ask(this.#doors?.deliver?.(signal), (delivery) => ({ kind: 'delivered', delivery }), notDelivered);
        break;
      case 'use':
        this.#ask(this.#use(effect.device, effect.as), () => undefined, notUsed);
        break;
      case 'sniffer':
        this.#ask(
          this.#change((settings) => withSniffer(settings, effect.isOn)),
          () => undefined,
          notUsed,
        );
        break;
    }
  }

  /** An answer that comes after the doors were taken back is nobody's: the next ones are asked again. */
  #ask<T>(asked: Promise<T> | undefined, said: (answer: T) => SetupInput | undefined, failed: (why: ErrorCode) => SetupInput): void {
    const { signal } = this.#ending;
    const answered = asked?.then(
      (answer) => {
        const input = signal.aborted ? undefined : said(answer);
        if (input !== undefined) this.put(input);
      },
      (error: unknown) => {
        const code = codeOf(error);
        if (code !== undefined) this.#options.log.warn('setup.not_done', { code });
        if (code === undefined) throw error;
        if (!signal.aborted) this.put(failed(code));
      },
    );
    if (answered !== undefined) this.#doors?.add(answered);
  }

  async #use(device: string, as: Parameters<typeof withPort>[2]): Promise<void> {
    const path = pathOf(readSettings(this.#options.dir), device) ?? (await this.#options.findPort(device));
    if (path === undefined) throw new ConfigError('config.invalid', `set-up: ${device} is on no USB serial port`);
    await this.#change((settings) => withPort(settings, path, as));
  }

  async #change(changed: (before: Settings) => Settings): Promise<void> {
    const { dir, check } = this.#options;
    const settings = changed(readSettings(dir));
    check(settings);
    keepSettings(dir, settings);
    this.#state = { ...this.#state, devices: [] };
    this.#doors?.restart?.();
  }

  /** On a disk that takes nothing it goes on all the same, and begins earlier after the next start. */
  #keep(mark: Parameters<typeof keepMark>[1]): void {
    const { dir, log } = this.#options;
    try {
      keepMark(dir, mark);
      log.debug('setup.kept', () => ({ step: mark.step }));
    } catch (error) {
      if (!(error instanceof Error && 'syscall' in error)) throw error;
      log.warn('setup.not_kept');
    }
  }
}

const notPlaced = (why: ErrorCode): SetupInput => ({ kind: 'not-placed', why });
const notDelivered = (why: ErrorCode): SetupInput => ({ kind: 'delivered', delivery: { outcome: 'waiting', why } });
const notUsed = (why: ErrorCode): SetupInput => ({ kind: 'not-used', why });

/** What a whole kiosk lends to set-up: its gateway, its road, its devices; and the door that lets scans be tried while somebody sets it up. */
import type { VisitorUuid } from '../../protocol/ids.ts';
import { formatPlaceRequest, PLACE_PATH, parsePlaceAnswer } from '../../protocol/kiosk-place.ts';
import type { Direction, RawReading } from '../check-in-state.ts';
import type { KioskConfig } from '../config.ts';
import type { DoorRules } from '../door-rules.ts';
import type { Front, FrontCommand } from '../front.ts';
import type { Moment } from '../recorder.ts';
import type { Delivery } from '../test-event.ts';
import type { Turn } from './in-turns.ts';
import type { SetupDesk, Unsent } from './setup-desk.ts';
import type { DeviceKind } from './setup-state.ts';

/** What is typed into a face of set-up comes from a scanner, too. */
const TYPED = 'typed';

export interface KioskParts {
  readonly scan: (text: string) => void;
  readonly deliver: (signal: AbortSignal) => Promise<Delivery>;
  readonly unsent: () => Unsent;
  readonly add: (task: Promise<void>) => void;
}

/** @returns takes the doors back. */
export function lendDoors({ setup, credentials, restart }: Turn, { scan, deliver, unsent, add }: KioskParts): () => void {
  return setup.attach({
    scan: (text) => {
      if (!setup.isTrying) return scan(text);
      setup.put({ kind: 'device', device: TYPED, as: 'scanner', isUp: true, why: undefined });
      setup.put({ kind: 'sight', device: TYPED });
    },
    askPlace: async (name, signal) => parsePlaceAnswer(await credentials.ask(PLACE_PATH, formatPlaceRequest(name), signal)),
    deliver,
    unsent,
    add,
    restart,
  });
}

/** @returns what a device of that name is for. */
export function kindOf(
  { thermometers, boards, sniffers }: Pick<KioskConfig, 'thermometers' | 'boards' | 'sniffers'>,
  name: string,
): DeviceKind {
  if (boards.some((board) => board.name === name)) return 'board';
  if (sniffers.some((sniffer) => sniffer.name === name)) return 'sniffer';
  const isThermometer = [...thermometers, ...boards.flatMap(({ thermometer }) => thermometer ?? [])].some((one) => one.name === name);
  return isThermometer ? 'thermometer' : 'scanner';
}

/** While devices are tried, nobody is checked in and nothing is kept. */
export class SetupFront implements Front {
  readonly #inner: Front;
  readonly #setup: SetupDesk;

  constructor(inner: Front, setup: SetupDesk) {
    this.#inner = inner;
    this.#setup = setup;
  }

  get direction(): Direction | undefined {
    return this.#inner.direction;
  }

  scan(text: string, at: Moment): void {
    if (!this.#setup.isTrying) this.#inner.scan(text, at);
  }

  noScan(at: Moment): void {
    if (!this.#setup.isTrying) this.#inner.noScan(at);
  }

  command(command: FrontCommand, at: Moment): void {
    this.#inner.command(command, at);
  }

  reading(reading: RawReading, at: Moment): void {
    if (!this.#setup.isTrying) this.#inner.reading(reading, at);
  }

  adopt(rules: DoorRules): void {
    this.#inner.adopt(rules);
  }

  forget(isGone: (card: VisitorUuid) => boolean): void {
    this.#inner.forget(isGone);
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.#inner.run(signal);
  }
}

/**
 * Bluetooth sniffer driver: what was heard, in batches, from an open radio.
 *
 * Room: one open link in, sightings out. Watches that the radio goes on hearing (listening.ts) and has its scan started anew.
 * May not: open, reopen, retry, store, or log what was heard.
 */
import { DeviceError } from '../../protocol/errors.ts';
import type { Clock } from '../../protocol/time.ts';
import type { Sighting } from './advertisement.ts';
import { beginListening, type Fault, nextListening, SILENCE_MS } from './listening.ts';
import { openRadio, type RadioLink, type RadioSettings } from './open-radio.ts';

export interface SnifferSettings {
  readonly clock: Clock;
  /** Told each time the scan is started anew, and why. */
  readonly onRescan?: (fault: NonNullable<Fault>) => void;
}

export interface SnifferBatch {
  /** Advertising reports, those that could not be read or kept among them. */
  readonly reports: number;
  readonly refused: number;
  /** In RAM only. */
  readonly sightings: readonly Sighting[];
}

/**
 * @param adapter index; the first that serves where `undefined`.
 * @returns opens a radio that listens and sends nothing. It throws as openRadio.
 */
export const openSniffer =
  (adapter: number | undefined, settings: RadioSettings): ((signal: AbortSignal) => Promise<RadioLink>) =>
  (signal) =>
    openRadio({ type: 'sniff', adapter }, settings, signal);

/**
 * @param signal on abort it returns.
 * @throws DeviceError `device.timeout` when nothing is heard any more and a new scan did not help, and what the link throws.
 */
export async function* readSightings(
  link: RadioLink,
  { clock, onRescan = () => {} }: SnifferSettings,
  signal: AbortSignal,
): AsyncGenerator<SnifferBatch, void> {
  let listening = beginListening(clock.monotonic());
  const senders = new RecentSenders();
  for await (const answer of link.answers(signal)) {
    if (answer.type !== 'heard') continue;
    const { reports, refused, sightings, isDisturbed } = answer;
    const repeats = sightings.filter((sighting) => senders.isKnown(sighting)).length;
    const { state, remedy, fault } = nextListening(listening, { nowMs: clock.monotonic(), reports, repeats, isDisturbed });
    listening = state;
    if (reports > 0) yield { reports, refused, sightings };
    if (remedy === 'reopen') throw new DeviceError('device.timeout', `sniffer: heard nothing for ${SILENCE_MS} ms, nor in a new scan`);
    if (remedy === 'none') continue;
    senders.forget();
    link.rescan();
    if (fault !== undefined) onRescan(fault);
  }
}

/** Senders of the present scan, as many as it takes to see that some are heard twice. */
const MOST_SENDERS = 256;

class RecentSenders {
  readonly #known = new Set<string>();

  /** @returns whether this sender was heard before; from now on it was. */
  isKnown({ kind, tokenInput }: Sighting): boolean {
    const sender = `${kind} ${Buffer.from(tokenInput).toString('latin1')}`;
    if (this.#known.has(sender)) return true;
    if (this.#known.size >= MOST_SENDERS) this.#known.clear();
    this.#known.add(sender);
    return false;
  }

  forget(): void {
    this.#known.clear();
  }
}

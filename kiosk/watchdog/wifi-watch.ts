/**
 * How the Wi-Fi of our image does, as its unit writes it down in a word (workshop/image/files/root/usr/lib/vestibule/wifi): the kiosk may read neither
 * the file of settings nor what is said of it, which may have the passphrase in it.
 */
import { readFileSync } from 'node:fs';
import type { MonotonicMillis } from '../../protocol/units.ts';
import type { HealthSnapshot } from '../health.ts';
import type { Fault } from './faults.ts';

export const WIFI_FAULTS = ['wifi.refused', 'wifi.wrong_key', 'wifi.not_found'] as const satisfies readonly Fault[];

/** A network that is there is joined within seconds; a card that starts together with its access point waits longer. */
const NOT_FOUND_MS = 60_000;

/** What a line of the file lacks. */
const LACKS: Readonly<Record<string, string>> = {
  passphrase: 'psk wants 8 to 63 characters between straight quotation marks, or 64 hexadecimal digits without',
  name: 'ssid wants the name of the network between straight quotation marks',
  quotes: 'a quotation mark is missing',
  brace: 'the } behind the network is missing',
  line: 'is nothing that may stand there',
};
const REFUSED = /^refused (\d{1,5}) ([a-z]{1,16})$/;

export interface WifiTrouble {
  readonly fault: (typeof WIFI_FAULTS)[number];
  /** Where in which file, and what is wrong with it. */
  readonly detail?: string;
}

/** @returns as health has it. */
export const detailOf = (trouble: WifiTrouble | undefined): HealthSnapshot['faultDetail'] =>
  trouble?.detail === undefined ? undefined : { fault: trouble.fault, text: trouble.detail };

export class WifiWatch {
  readonly #path: string | undefined;
  #lookingSinceMs: MonotonicMillis | undefined;

  /** @param path of the word; left out where the kiosk has no such unit. */
  constructor(path: string | undefined) {
    this.#path = path;
  }

  /** @returns what is wrong, as far as it is known; `undefined` where no Wi-Fi is wanted, or it does, or nobody says. */
  look(nowMs: MonotonicMillis): WifiTrouble | undefined {
    const word = this.#read();
    this.#lookingSinceMs = word === 'looking' ? (this.#lookingSinceMs ?? nowMs) : undefined;
    if (word === 'wrong-key') return { fault: 'wifi.wrong_key' };
    if (this.#lookingSinceMs !== undefined && nowMs - this.#lookingSinceMs >= NOT_FOUND_MS) return { fault: 'wifi.not_found' };
    const [, line, what] = REFUSED.exec(word) ?? [];
    return line === undefined
      ? undefined
      : { fault: 'wifi.refused', detail: `wifi.conf, line ${line}: ${LACKS[what ?? ''] ?? LACKS.line}` };
  }

  #read(): string {
    try {
      return this.#path === undefined ? '' : readFileSync(this.#path, 'utf8').trim();
    } catch {
      // Before its first word, and where the machine has no Wi-Fi.
      return '';
    }
  }
}

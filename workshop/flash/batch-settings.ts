/**
 * What a batch of cards is told: the network of the place, and in which country it is. It takes the place of a file of the config partition on its way
 * to the card, and is kept nowhere else. The passphrase itself is not on the card.
 * Source: wpa_supplicant.conf(5); IEEE 802.11-2020, annex J.4.1 (passphrase to PSK); ISO 3166-1.
 */
import { pbkdf2Sync } from 'node:crypto';
import { ConfigError } from '../../protocol/errors.ts';

export interface BatchSettings {
  /** No passphrase: an open network. */
  readonly wifi?: { readonly ssid: string; readonly passphrase?: string };
  /** ISO 3166-1, two letters: which radio channels are allowed. */
  readonly country?: string;
}

/** As long as the file is in the image, which has a place for it in one piece. */
export const SETTINGS_BYTES = 4_096;
const SSID_BYTES = 32;

/** What an image has there: words for whoever opens it by hand, and line feeds. */
export const NO_SETTINGS = filled(
  '# Wi-Fi of this kiosk: wpa_supplicant.conf(5), such as\n# country=CH\n# network={\n#   ssid="…"\n#   psk="…"\n# }\n',
);

/** @returns undefined when nothing is set. @throws ConfigError `config.invalid` with every fault. */
export function encodeSettings({ wifi, country }: BatchSettings): Uint8Array | undefined {
  const faults = faultsOf({ ...(wifi && { wifi }), ...(country !== undefined && { country }) });
  if (faults.length > 0) throw new ConfigError('config.invalid', `flash: ${faults.join('; ')}`);
  if (country === undefined) return undefined;
  return filled(`country=${country}\n${wifi === undefined ? '' : networkOf(wifi)}`);
}

/** A name in hexadecimal digits may have any character. */
function networkOf({ ssid, passphrase }: NonNullable<BatchSettings['wifi']>): string {
  const key = passphrase === undefined ? 'key_mgmt=NONE' : `psk=${pskOf(ssid, passphrase)}`;
  return `network={\n  ssid=${Buffer.from(ssid).toString('hex')}\n  ${key}\n}\n`;
}

const pskOf = (ssid: string, passphrase: string): string =>
  /^[0-9a-f]{64}$/i.test(passphrase) ? passphrase.toLowerCase() : pbkdf2Sync(passphrase, ssid, 4_096, 32, 'sha1').toString('hex');

function filled(text: string): Uint8Array {
  const bytes = new Uint8Array(SETTINGS_BYTES).fill(0x0a);
  bytes.set(Buffer.from(text));
  return bytes;
}

function faultsOf({ wifi, country }: BatchSettings): string[] {
  const faults: string[] = [];
  const ssidBytes = Buffer.byteLength(wifi?.ssid ?? ' ');
  if (ssidBytes < 1 || ssidBytes > SSID_BYTES) faults.push(`--wifi: a network's name has 1 to ${SSID_BYTES} bytes`);
  if (wifi?.passphrase !== undefined && !/^([ -~]{8,63}|[0-9a-fA-F]{64})$/.test(wifi.passphrase))
    faults.push('the passphrase has 8 to 63 letters, digits and signs of ASCII, or 64 hexadecimal digits');
  if (wifi !== undefined && country === undefined) faults.push('--wifi needs --country: its law says which channels there are');
  if (country !== undefined && !/^[A-Z]{2}$/.test(country)) faults.push(`--country: "${country}" is not two capital letters (ISO 3166)`);
  return faults;
}

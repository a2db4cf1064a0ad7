/** Which packages of Debian a kiosk needs, and why the others that come with them are left out. */
import type { Screen } from './debian-lock.ts';

export const SUITE = 'trixie';

/** With all that they depend on. */
const EVERYWHERE = [
  'base-files',
  'base-passwd',
  'coreutils',
  'dash',
  'e2fsprogs',
  'kmod',
  'libc6',
  'libgcc-s1',
  'libstdc++6',
  'libudev1',
  'libusb-1.0-0',
  'mount',
  'netbase',
  'systemd',
  'systemd-resolved',
  'systemd-timesyncd',
  'udev',
  'util-linux',
  'wpasupplicant',
];

const CHROMIUM = ['cage', 'chromium', 'fonts-dejavu-core', 'libgl1-mesa-dri', 'seatd', 'xkb-data'];

export const INSTALLED: Readonly<Record<Screen, readonly string[]>> = { none: EVERYWHERE, chromium: [...EVERYWHERE, ...CHROMIUM] };

/** Taken apart for their files: their scripts prepare a machine that updates itself in place, which this one never does. */
export const UNPACKED = ['busybox-static', 'firmware-brcm80211', 'linux-image-arm64', 'raspi-firmware', 'wireless-regdb'];

/** Only the scripts of other packages call them, and no script runs; nobody logs in, and nothing speaks over a bus. */
export const LEFT_OUT = new Set([
  'adduser',
  'dbus',
  'dbus-bin',
  'dbus-daemon',
  'dbus-session-bus-common',
  'dbus-system-bus-common',
  'debconf',
  'init-system-helpers',
  'libdb5.3t64',
  'libsemanage-common',
  'libsemanage2',
  'libsepol2',
  'login.defs',
  'openssl-provider-legacy',
  'passwd',
  'sensible-utils',
  'ucf',
]);

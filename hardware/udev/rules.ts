/**
 * The udev rules that let a kiosk without root open its scanners, and nobody's keyboard. Pure: 70-vestibule.rules is what this gives for the
 * table of known scanners, and a test holds them together.
 * Source: udev(7); systemd's 50-udev-default.rules (tty: group dialout), 60-serial.rules (names by id and by path), 73-seat-late.rules (uaccess is
 * heard before it only); ModemManager's "Udev tags" (ID_MM_DEVICE_IGNORE, ID_MM_PORT_IGNORE).
 */
import type { Fingerprint } from '../scanner/fingerprints.ts';

const HEAD = `# Vestibule: who may open scanners. Made by "vestibule doctor --udev-rules"; docs/devices/README.md explains it.
#
#   sudo groupadd --force --system vestibule
#   sudo install -m 644 70-vestibule.rules /etc/udev/rules.d/
#   sudo udevadm control --reload && sudo udevadm trigger
#
# A scanner that is not listed: write its ids, as vestibule doctor tells them, into /etc/udev/rules.d/69-vestibule-own.rules:
#   ATTRS{idVendor}=="1234", ATTRS{idProduct}=="5678", ENV{VESTIBULE_SCANNER}="1"
# Never a person's keyboard: whoever is in the group could read what is typed on it.

ACTION=="remove", GOTO="vestibule_end"

# A Raspberry Pi's bus, for a thermometer. Where a later rule gives it to group i2c, that stands.
SUBSYSTEM=="i2c-dev", ATTR{name}=="bcm2835*", GROUP="vestibule", MODE="0660"

SUBSYSTEM!="hidraw|usb|input|tty", GOTO="vestibule_end"

# What says of itself that it is a barcode scanner (usage page 0x8C, usage 2), of any make.
SUBSYSTEM=="hidraw", PROGRAM=="/usr/bin/od -An -tx1 -N4 $sys$devpath/device/report_descriptor", RESULT=="*05 8c 09 02*", ENV{VESTIBULE_SCANNER}="1"

# Known scanners.
`;

const TAIL = `
ENV{VESTIBULE_SCANNER}!="1", GOTO="vestibule_end"
# HID scanners: read as they are (hidraw, input), or taken from the console whole (usb).
SUBSYSTEM=="hidraw", GROUP="vestibule", MODE="0660", TAG+="uaccess"
SUBSYSTEM=="usb", ENV{DEVTYPE}=="usb_device", GROUP="vestibule", MODE="0660", TAG+="uaccess", ENV{ID_MM_DEVICE_IGNORE}="1"
SUBSYSTEM=="input", KERNEL=="event*", GROUP="vestibule", MODE="0660", TAG+="uaccess"
# Serial ports stay with group dialout, under /dev/serial/by-id and by-path; ModemManager is to leave them alone.
SUBSYSTEM=="tty", TAG+="uaccess", ENV{ID_MM_PORT_IGNORE}="1"

LABEL="vestibule_end"
`;

/** @returns the whole file, one line a scanner, in the order of their ids. */
export function rulesText(known: readonly Fingerprint[]): string {
  const inOrder = known.toSorted((a, b) => idsOf(a).localeCompare(idsOf(b)));
  return `${HEAD}${inOrder.map(ruleOf).join('\n')}\n${TAIL}`;
}

const idsOf = ({ vendorId, productId }: Fingerprint): string => `${vendorId}:${productId}`;

/** A name is a comment, and a comment has a line of its own. */
const ruleOf = ({ vendorId, productId, name }: Fingerprint): string =>
  `# ${name}\nATTRS{idVendor}=="${vendorId}", ATTRS{idProduct}=="${productId}", ENV{VESTIBULE_SCANNER}="1"`;

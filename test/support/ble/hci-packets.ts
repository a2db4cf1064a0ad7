/**
 * HCI packets as a controller sends them, byte for byte.
 * Source: Bluetooth Core Specification 5.4, Vol 4, Part A, 2 (packet indicators); Part E, 5.4 (formats), 7.7.14, 7.7.65.2, 7.7.65.13 (events).
 */
import type { AdvertisingReport } from '../../../hardware/ble/advertisement.ts';

export const EVENT_PACKET = 0x04;
export const COMMAND_PACKET = 0x01;

export const eventPacket = (code: number, parameters: Uint8Array): Buffer =>
  Buffer.concat([Buffer.of(EVENT_PACKET, code, parameters.length), parameters]);

/** @param returned status first. */
export function commandComplete(opcode: number, returned: readonly number[]): Buffer {
  return eventPacket(0x0e, Buffer.of(1, opcode & 0xff, opcode >> 8, ...returned));
}

export const commandStatus = (opcode: number, status: number): Buffer =>
  eventPacket(0x0f, Buffer.of(status, 1, opcode & 0xff, opcode >> 8));

export const metaEvent = (subevent: number, parameters: Uint8Array): Buffer =>
  eventPacket(0x3e, Buffer.concat([Buffer.of(subevent), parameters]));

const reversed = (address: Uint8Array): Buffer => Buffer.from(address).reverse();

/** LE Advertising Report; not connectable and not scannable. All must fit 255 bytes. */
export const advertisingReports = (reports: readonly AdvertisingReport[]): Buffer =>
  metaEvent(
    0x02,
    Buffer.concat([
      Buffer.of(reports.length),
      ...reports.flatMap(({ address, isRandomAddress, bytes, rssi }) => [
        Buffer.of(0x03, isRandomAddress ? 1 : 0),
        reversed(address),
        Buffer.of(bytes.length),
        bytes,
        Buffer.of(rssi & 0xff),
      ]),
    ]),
  );

/** LE Extended Advertising Report. @param eventType 0x0010: legacy, not connectable; 0x0020: more is to come. */
export const extendedReports = (reports: readonly AdvertisingReport[], eventType = 0x0010): Buffer =>
  metaEvent(
    0x0d,
    Buffer.concat([
      Buffer.of(reports.length),
      ...reports.flatMap(({ address, isRandomAddress, bytes, rssi }) => [
        Buffer.of(eventType & 0xff, eventType >> 8, isRandomAddress ? 1 : 0),
        reversed(address),
        // primary and secondary PHY, set, power, RSSI, periodic interval, direct address
        Buffer.of(0x01, 0x00, 0xff, 0x7f, rssi & 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, bytes.length),
        bytes,
      ]),
    ]),
  );

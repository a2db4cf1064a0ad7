/**
 * Input events as Linux gives them. Pure.
 *
 * struct input_event, 24 bytes where a long has 64 bits:  seconds, 8 | microseconds, 8 | type, 2 | code, 2 | value, 4 (signed)
 * In the machine's byte order, which is little endian on both machines that are supported.
 * Source: linux/input.h, linux/input-event-codes.h; Documentation/input/event-codes.rst (SYN_REPORT, SYN_DROPPED, EV_KEY's values).
 */

export const INPUT_EVENT_BYTES = 24;

export const EV_SYN = 0x00;
export const EV_KEY = 0x01;
export const SYN_REPORT = 0;
/** The kernel had no room: events before the next SYN_REPORT are not to be believed, and some are missing. */
export const SYN_DROPPED = 3;

export interface InputEvent {
  readonly type: number;
  readonly code: number;
  /** Of a key: 0 up, 1 down, 2 repeated. */
  readonly value: number;
}

/** Cuts bytes into events, the same however they are chunked; keeps less than one event. */
export class InputEventFramer {
  #rest: Uint8Array = new Uint8Array(0);

  /** @returns what is complete, in order. */
  push(bytes: Uint8Array): InputEvent[] {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const view = new DataView(all.buffer, all.byteOffset, all.byteLength);
    const events: InputEvent[] = [];
    let at = 0;
    for (; at + INPUT_EVENT_BYTES <= all.length; at += INPUT_EVENT_BYTES) {
      events.push({ type: view.getUint16(at + 16, true), code: view.getUint16(at + 18, true), value: view.getInt32(at + 20, true) });
    }
    this.#rest = new Uint8Array(all.subarray(at));
    return events;
  }
}

/** What the kernel would give, at time 0: for tests and whoever builds a stand-in. */
export function encodeInputEvents(events: Iterable<InputEvent>): Uint8Array {
  const parts = Array.from(events, ({ type, code, value }) => {
    const bytes = Buffer.alloc(INPUT_EVENT_BYTES);
    bytes.writeUInt16LE(type, 16);
    bytes.writeUInt16LE(code, 18);
    bytes.writeInt32LE(value, 20);
    return bytes;
  });
  return Buffer.concat(parts);
}

/** @param bits as EVIOCGKEY and EVIOCGBIT give them, bit 0 first. @returns the codes whose bit is set, ascending. */
export function codesOf(bits: Uint8Array): number[] {
  const codes: number[] = [];
  bits.forEach((byte, at) => {
    for (let bit = 0; bit < 8; bit++) if ((byte & (1 << bit)) !== 0) codes.push(at * 8 + bit);
  });
  return codes;
}

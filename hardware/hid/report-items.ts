/** The items of a report descriptor, one after another. Pure. Source: HID 1.11, section 6.2.2.1 to 6.2.2.3. */
import { DecodeError } from '../../protocol/errors.ts';

export interface Item {
  readonly type: 'main' | 'global' | 'local' | 'reserved';
  /** The four bits of bTag. */
  readonly tag: number;
  readonly sizeBytes: number;
  /** The item's data, little endian; 0 where it has none. */
  readonly unsigned: number;
  readonly signed: number;
}

const TYPES = ['main', 'global', 'local', 'reserved'] as const;
const LONG_ITEM = 0xfe;

/** Long items are stepped over: HID 1.11 defines none. @throws DecodeError `decode.truncated`. */
export function* readItems(bytes: Uint8Array): Generator<Item, void> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length; ) {
    const prefix = view.getUint8(at);
    const isLong = prefix === LONG_ITEM;
    const headBytes = isLong ? 3 : 1;
    const sizeBytes = isLong ? (bytes[at + 1] ?? 0) : ([0, 1, 2, 4][prefix & 3] ?? 0);
    const end = at + headBytes + sizeBytes;
    if (end > bytes.length) throw new DecodeError('decode.truncated', `report descriptor: ${bytes.length} of ${end} bytes`);
    if (!isLong) {
      const type = TYPES[(prefix >> 2) & 3] ?? 'reserved';
      yield { type, tag: prefix >> 4, sizeBytes, ...valueAt(view, at + 1, sizeBytes) };
    }
    at = end;
  }
}

function valueAt(view: DataView, at: number, sizeBytes: number): { unsigned: number; signed: number } {
  switch (sizeBytes) {
    case 1:
      return { unsigned: view.getUint8(at), signed: view.getInt8(at) };
    case 2:
      return { unsigned: view.getUint16(at, true), signed: view.getInt16(at, true) };
    case 4:
      return { unsigned: view.getUint32(at, true), signed: view.getInt32(at, true) };
    default:
      return { unsigned: 0, signed: 0 };
  }
}

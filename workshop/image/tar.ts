/**
 * Archives of files, as Debian's packages hold them and as the root of a kiosk is handed to what packs it.
 * Source: POSIX.1-1988 "ustar" and GNU tar's long names (GNU tar manual, "Basic Tar Format").
 */

export interface TarEntry {
  /** Relative, without a slash at either end. */
  readonly path: string;
  readonly type: 'file' | 'directory' | 'link' | 'hard-link';
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Of a file. */
  readonly content: Uint8Array;
  /** Of a link; a hard link's is the path of an entry before it. */
  readonly target: string;
}

const BLOCK_BYTES = 512;
const TYPES: Readonly<Record<string, TarEntry['type']>> = { '0': 'file', '\0': 'file', '1': 'hard-link', '2': 'link', '5': 'directory' };

/** @throws Error for an entry of a kind that no package has: a device, a socket. */
export function readTar(archive: Uint8Array): TarEntry[] {
  const bytes = Buffer.from(archive.buffer, archive.byteOffset, archive.length);
  const entries: TarEntry[] = [];
  let long: { name?: string; target?: string } = {};
  for (let at = 0; at + BLOCK_BYTES <= bytes.length; ) {
    const header = bytes.subarray(at, at + BLOCK_BYTES);
    if (header[0] === 0) break;
    const sizeBytes = octal(header, 124, 12);
    const content = bytes.subarray(at + BLOCK_BYTES, at + BLOCK_BYTES + sizeBytes);
    at += BLOCK_BYTES + Math.ceil(sizeBytes / BLOCK_BYTES) * BLOCK_BYTES;
    const flag = String.fromCharCode(header[156] ?? 0);
    if (flag === 'L') long = { ...long, name: text(content, 0, sizeBytes) };
    else if (flag === 'K') long = { ...long, target: text(content, 0, sizeBytes) };
    else {
      const type = TYPES[flag];
      const prefix = text(header, 345, 155);
      const name = long.name ?? `${prefix === '' ? '' : `${prefix}/`}${text(header, 0, 100)}`;
      if (type === undefined) throw new Error(`${name}: an entry of kind ${flag}`);
      entries.push({
        path: plain(name),
        type,
        mode: octal(header, 100, 8) & 0o7777,
        uid: octal(header, 108, 8),
        gid: octal(header, 116, 8),
        content: type === 'file' ? content : new Uint8Array(),
        target: type === 'hard-link' ? plain(long.target ?? text(header, 157, 100)) : (long.target ?? text(header, 157, 100)),
      });
      long = {};
    }
  }
  return entries;
}

/** @param epochS seconds; when each entry was changed. @returns the archive in parts. */
export function* writeTar(entries: Iterable<TarEntry>, epochS: number): Generator<Uint8Array> {
  for (const entry of entries) {
    const name = entry.type === 'directory' ? `${entry.path}/` : entry.path;
    if (Buffer.byteLength(name) > 100) yield* longName('L', name, epochS);
    if (Buffer.byteLength(entry.target) > 100) yield* longName('K', entry.target, epochS);
    yield headerOf(entry, name, epochS);
    yield* padded(entry.content);
  }
  yield Buffer.alloc(2 * BLOCK_BYTES);
}

function* longName(flag: 'L' | 'K', name: string, epochS: number): Generator<Uint8Array> {
  const content = Buffer.from(`${name}\0`);
  yield headerOf({ type: 'file', mode: 0, uid: 0, gid: 0, content, target: '' }, '././@LongLink', epochS, flag);
  yield* padded(content);
}

function headerOf(entry: Omit<TarEntry, 'path'>, name: string, epochS: number, asFlag?: string): Buffer {
  const flag = asFlag ?? { file: '0', 'hard-link': '1', link: '2', directory: '5' }[entry.type];
  const header = Buffer.alloc(BLOCK_BYTES);
  header.write(name.slice(0, 100), 0);
  const number = (value: number, at: number, digits: number) => header.write(`${value.toString(8).padStart(digits, '0')}\0`, at, 'latin1');
  number(entry.mode, 100, 7);
  number(entry.uid, 108, 7);
  number(entry.gid, 116, 7);
  number(entry.content.length, 124, 11);
  number(epochS, 136, 11);
  header.fill(' ', 148, 156);
  header.write(flag, 156, 'latin1');
  header.write(entry.target.slice(0, 100), 157);
  header.write('ustar  \0', 257, 'latin1');
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}

function* padded(content: Uint8Array): Generator<Uint8Array> {
  if (content.length === 0) return;
  yield content;
  const over = content.length % BLOCK_BYTES;
  if (over > 0) yield Buffer.alloc(BLOCK_BYTES - over);
}

function text(bytes: Uint8Array, at: number, longestBytes: number): string {
  const field = Buffer.from(bytes.subarray(at, at + longestBytes));
  const end = field.indexOf(0);
  return field.toString('utf8', 0, end === -1 ? field.length : end);
}

function octal(bytes: Uint8Array, at: number, lengthBytes: number): number {
  const value = Number.parseInt(text(bytes, at, lengthBytes).trim() || '0', 8);
  if (Number.isNaN(value)) throw new Error('a number that is not octal');
  return value;
}

const plain = (path: string): string =>
  path
    .replace(/^(?:\.?\/)+/, '')
    .replace(/\/+$/, '')
    .replace(/^\.$/, '');

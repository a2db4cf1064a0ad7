/**
 * A Debian package as bytes: an ar archive of two packed tar archives, the same for the same content.
 * Source: deb(5); Debian Policy 4.6, chapters 5 (control fields) and 6 (maintainer scripts).
 */
import { createHash } from 'node:crypto';
import { constants, zstdCompressSync } from 'node:zlib';
import { type TarEntry, writeTar } from '../image/tar.ts';
import { Tree } from '../image/tree.ts';

export interface DebPackage {
  readonly name: string;
  /** Of dpkg: `amd64`, `arm64`, `all`. */
  readonly architecture: string;
  readonly version: string;
  /** Control fields beside those above, in order. */
  readonly fields: Readonly<Record<string, string>>;
  /** `postinst` and the like: what dpkg runs, as root. */
  readonly scripts: Readonly<Record<string, string>>;
  /** Kept as an administrator changed them: absolute paths. */
  readonly conffiles: readonly string[];
  readonly content: Tree;
}

const FAST = { params: { [constants.ZSTD_c_compressionLevel]: 6 } };

/** @param epochS of every file. @returns the file's name and bytes. */
export function makeDeb(deb: DebPackage, epochS: number): { readonly file: string; readonly bytes: Buffer } {
  const entries = deb.content.entries();
  const control = new Tree();
  control.addFile('control', controlOf(deb, entries));
  control.addFile(
    'md5sums',
    entries
      .filter(({ type }) => type === 'file')
      .map(({ path, content }) => `${md5(content)}  ${path}\n`)
      .join(''),
  );
  if (deb.conffiles.length > 0) control.addFile('conffiles', deb.conffiles.map((path) => `${path}\n`).join(''));
  for (const [name, script] of Object.entries(deb.scripts)) control.addFile(name, script, 0o755);
  const members = [
    ['debian-binary', Buffer.from('2.0\n')],
    ['control.tar.zst', packed(control.entries(), epochS)],
    ['data.tar.zst', packed(entries, epochS)],
  ] as const;
  const bytes = Buffer.concat([
    Buffer.from('!<arch>\n'),
    ...members.flatMap(([name, content]) => [headerOf(name, content.length, epochS), content, odd(content)]),
  ]);
  return { file: `${deb.name}_${deb.version}_${deb.architecture}.deb`, bytes };
}

function controlOf({ name, architecture, version, fields }: DebPackage, entries: readonly TarEntry[]): string {
  const kib = Math.ceil(entries.reduce((sum, { content }) => sum + content.length, 0) / 1_024);
  const all = { Package: name, Version: version, Architecture: architecture, 'Installed-Size': String(kib), ...fields };
  return Object.entries(all)
    .map(([field, value]) => `${field}: ${value}\n`)
    .join('');
}

const md5 = (content: Uint8Array): string => createHash('md5').update(content).digest('hex');
/** dpkg wants names that begin with `./`. */
const packed = (entries: readonly TarEntry[], epochS: number): Buffer =>
  zstdCompressSync(
    Buffer.concat([
      ...writeTar(
        entries.map((entry) => ({ ...entry, path: `./${entry.path}` })),
        epochS,
      ),
    ]),
    FAST,
  );

/** ar(5): name, time, owner, group, mode in octal, size, each filled up with blanks. */
const headerOf = (name: string, sizeBytes: number, epochS: number): Buffer =>
  Buffer.from(
    `${name.padEnd(16)}${String(epochS).padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}${String(sizeBytes).padEnd(10)}\`\n`,
    'latin1',
  );
const odd = ({ length }: Buffer): Buffer => Buffer.from(length % 2 === 0 ? '' : '\n');

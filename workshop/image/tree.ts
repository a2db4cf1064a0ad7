/**
 * The files of a kiosk's root, or of its boot partition, in memory: each path once, parents before what is in them, in an order that depends on
 * nothing but the names.
 */
import type { TarEntry } from './tar.ts';

export class Tree {
  readonly #entries = new Map<string, TarEntry>();

  /** Adds what a package holds; what is there already is replaced. @param keeps whether a path is wanted. */
  addArchive(entries: readonly TarEntry[], keeps: (path: string) => boolean): void {
    for (const entry of entries) {
      if (entry.path === '' || !keeps(entry.path)) continue;
      const path = merged(entry.path);
      if (entry.type === 'hard-link') {
        const original = entries.find((other) => other.path === entry.target);
        if (original === undefined) throw new Error(`${path}: a link to nothing`);
        this.#entries.set(path, { ...original, path });
      } else if (entry.type !== 'directory' || !this.#entries.has(path)) this.#entries.set(path, { ...entry, path });
    }
  }

  addFile(path: string, content: Uint8Array | string, mode = 0o644): void {
    this.#set({
      path,
      type: 'file',
      mode,
      uid: 0,
      gid: 0,
      content: typeof content === 'string' ? Buffer.from(content) : content,
      target: '',
    });
  }

  addLink(path: string, target: string): void {
    this.#set({ path, type: 'link', mode: 0o777, uid: 0, gid: 0, content: new Uint8Array(), target });
  }

  addDirectory(path: string, mode = 0o755): void {
    this.#set({ path, type: 'directory', mode, uid: 0, gid: 0, content: new Uint8Array(), target: '' });
  }

  /** Takes away whatever a test says. */
  remove(isUnwanted: (path: string) => boolean): void {
    for (const path of this.#entries.keys()) if (isUnwanted(path)) this.#entries.delete(path);
  }

  /** @throws Error when there is no such file. */
  file(path: string): Uint8Array {
    const entry = this.#entries.get(path);
    if (entry?.type !== 'file') throw new Error(`no file ${path}`);
    return entry.content;
  }

  has(path: string): boolean {
    return this.#entries.has(path);
  }

  /** Every entry, with the directories that nobody named. */
  entries(): TarEntry[] {
    for (const path of [...this.#entries.keys()]) {
      for (let parent = parentOf(path); parent !== '' && !this.#entries.has(parent); parent = parentOf(parent)) this.addDirectory(parent);
    }
    return [...this.#entries.values()].toSorted((one, other) => Buffer.compare(Buffer.from(one.path), Buffer.from(other.path)));
  }

  #set(entry: TarEntry): void {
    this.#entries.set(entry.path, entry);
  }
}

const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')));

/** Debian's root has `/bin`, `/sbin` and `/lib` as links into `/usr`; a package may still name a file by them. */
const merged = (path: string): string => (/^(?:bin|sbin|lib)\//.test(path) ? `usr/${path}` : path);

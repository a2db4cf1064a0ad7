/**
 * A machine with two slots, as files: what a loader does is done by `chooseSlot`. The "root" of a slot is JSON that says which release it is, and
 * whether it is one that can not reach its gateway.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chooseSlot } from '../../kiosk/update/file-slots.ts';
import type { SlotName } from '../../kiosk/update/slots.ts';
import { generateSigningKey, rawPublicKey } from '../../protocol/ed25519.ts';
import { formatReleaseKey } from '../../protocol/release-key.ts';
import { parseVersion } from '../../protocol/release-version.ts';
import { OUR_WIRE, type WireRevisions } from '../../protocol/wire-revision.ts';
import { type MadeBundle, makeBundle } from '../../workshop/release/make-bundle.ts';

export const BOARD = 'test-board';
export const releaseKey = generateSigningKey();

export interface Software {
  readonly version: string;
  /** It starts, and reaches no gateway. */
  readonly isBroken?: true;
}

export class SlotMachine {
  readonly dir: string;

  /** @param software in slot a, from which it starts. */
  constructor(dir: string, software: Software) {
    this.dir = dir;
    for (const slot of ['a', 'b']) mkdirSync(join(dir, 'slots', slot), { recursive: true });
    mkdirSync(join(dir, 'media'), { recursive: true });
    writeFileSync(join(dir, 'release.pub'), formatReleaseKey(rawPublicKey(releaseKey)));
    writeFileSync(this.#root('a'), JSON.stringify(software));
    writeFileSync(join(dir, 'slots', 'b', 'root'), 'nothing that starts');
  }

  /** Of the kiosk's configuration. */
  get updates(): object {
    const paths = (slot: SlotName) => ({ boot: join(this.dir, 'slots', slot, 'boot'), root: this.#root(slot) });
    return {
      board: BOARD,
      keys: [join(this.dir, 'release.pub')],
      slots: { a: paths('a'), b: paths('b') },
      switch: { kind: 'files', directory: join(this.dir, 'slots') },
      media: [join(this.dir, 'media')],
      bytesPerSecond: 100_000_000,
      quietMs: 0,
      trialMs: 1_000,
    };
  }

  /** As a loader does at each start. @returns the slot, and what is in it. */
  start(): { readonly slot: SlotName; readonly software: Software } {
    const slot = chooseSlot(join(this.dir, 'slots'));
    return { slot, software: this.softwareIn(slot) };
  }

  softwareIn(slot: SlotName): Software {
    return JSON.parse(readFileSync(this.#root(slot), 'utf8').split('\n')[0] ?? '') as Software;
  }

  #root(slot: SlotName): string {
    return join(this.dir, 'slots', slot, 'root');
  }
}

/** Makes a bundle of some chunks. */
export async function bundleOf(
  path: string,
  software: Software,
  { board = BOARD, key = releaseKey, wire = OUR_WIRE }: { board?: string; key?: typeof releaseKey; wire?: WireRevisions } = {},
): Promise<MadeBundle> {
  const [boot, root] = [`${path}.boot`, `${path}.root`];
  // Some of it packs well, some not at all.
  const noise = Buffer.from(Array.from({ length: 40_000 }, (_, at) => (at * at * 31 + at * 7 + (at >> 3)) % 251));
  writeFileSync(boot, Buffer.concat([Buffer.alloc(20_000, 7), noise]));
  writeFileSync(root, Buffer.concat([Buffer.from(`${JSON.stringify(software)}\n`), noise, Buffer.alloc(50_000)]));
  const parts = [
    { name: 'boot', path: boot },
    { name: 'root', path: root },
  ];
  return await makeBundle({ version: parseVersion(software.version), board, wire, chunkBytes: 16_384, parts }, key, path);
}

/** What makes an image one that takes releases: whose, for which board, where its slots lie, and how its machine is asked for another. */
import { join } from 'node:path';
import { ConfigError } from '../../protocol/errors.ts';
import { readReleaseKey } from '../../protocol/release-key.ts';
import type { Tree } from './tree.ts';

/** What bundles for this image have to be made for. */
export const IMAGE_BOARD = 'rpi-arm64';

/** @returns what an update brings of an image, beside which it lies. */
export const imageParts = (image: string): { readonly boot: string; readonly root: string } => ({
  boot: join(`${image}.parts`, 'boot.fat'),
  root: join(`${image}.parts`, 'root.squashfs'),
});

/** @returns the bill of materials of an image, beside which it lies. */
export const imageSbom = (image: string): string => `${image}.cdx.json`;

const HOME = 'usr/lib/vestibule';
const UNITS = 'etc/systemd/system';
/** Links that the first program makes (initrd/init). */
const partsOf = (slot: 'a' | 'b') => ({ boot: `/run/vestibule/slots/boot-${slot}`, root: `/run/vestibule/slots/root-${slot}` });

/**
 * @param publicKey in PEM, as `vestibule release key` makes it. The kiosk's unit must be in the tree.
 * @throws ConfigError `config.invalid` for what is no such key.
 */
export function takeReleases(root: Tree, publicKey: string): void {
  try {
    readReleaseKey(publicKey);
  } catch (cause) {
    throw new ConfigError('config.invalid', '--release-key: no public Ed25519 key in PEM (release.pub of "vestibule release key")', {
      cause,
    });
  }
  const updates = {
    board: IMAGE_BOARD,
    keys: [`/${HOME}/release.pub`],
    slots: { a: partsOf('a'), b: partsOf('b') },
    switch: { kind: 'wish', state: '/run/vestibule', wishes: '/run/vestibule-kiosk' },
  };
  root.addFile(`${HOME}/release.pub`, publicKey);
  root.addFile(`${HOME}/kiosk.json`, `${JSON.stringify({ updates }, undefined, 2)}\n`);
  const unit = Buffer.from(root.file(`${UNITS}/vestibule-kiosk.service`)).toString();
  const run = /^ExecStart=(.+)$/m.exec(unit)?.[1];
  if (run === undefined) throw new Error('the unit of the kiosk starts nothing');
  root.addFile(`${UNITS}/vestibule-kiosk.service.d/updates.conf`, `[Service]\nExecStart=\nExecStart=${run} --config /${HOME}/kiosk.json\n`);
}

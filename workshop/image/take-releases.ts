/** What makes an image one that takes releases: whose, for which board, where its slots lie, and how its machine is asked for another. */
import { join } from 'node:path';
import { ConfigError } from '../../protocol/errors.ts';
import { readReleaseKey } from '../../protocol/release-key.ts';
import { HOME } from './kiosk-settings.ts';
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

/** Links that the first program makes (initrd/init). */
const partsOf = (slot: 'a' | 'b') => ({ boot: `/run/vestibule/slots/boot-${slot}`, root: `/run/vestibule/slots/root-${slot}` });

/**
 * @param publicKey in PEM, as `vestibule release key` makes it. @returns what the kiosk's settings have to say of it.
 * @throws ConfigError `config.invalid` for what is no such key.
 */
export function takeReleases(root: Tree, publicKey: string): object {
  try {
    readReleaseKey(publicKey);
  } catch (cause) {
    throw new ConfigError('config.invalid', '--release-key: no public Ed25519 key in PEM (release.pub of "vestibule release key")', {
      cause,
    });
  }
  root.addFile(`${HOME}/release.pub`, publicKey);
  return {
    board: IMAGE_BOARD,
    keys: [`/${HOME}/release.pub`],
    slots: { a: partsOf('a'), b: partsOf('b') },
    switch: { kind: 'wish', state: '/run/vestibule', wishes: '/run/vestibule-kiosk' },
  };
}

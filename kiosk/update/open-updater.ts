/** The updater of one kiosk, wired: slots, keys, switch. */
import { readFileSync } from 'node:fs';
import { ConfigError } from '../../protocol/errors.ts';
import { readReleaseKey } from '../../protocol/release-key.ts';
import type { Clock } from '../../protocol/time.ts';
import type { KioskConfig } from '../config.ts';
import type { Credentials } from '../credentials.ts';
import type { Health } from '../health.ts';
import type { RunKioskOptions } from '../run-options.ts';
import type { Delivery } from '../test-event.ts';
import { FileSlotBytes, FileSwitch } from './file-slots.ts';
import { otherSlot, type SlotSwitch, type Slots } from './slots.ts';
import { releaseVersionOf } from './standing.ts';
import { Updater } from './updater.ts';
import { WishSwitch } from './wish-switch.ts';
import type { WordKeeper } from './word-keeper.ts';

export interface UpdaterParts {
  readonly config: KioskConfig;
  readonly options: Pick<RunKioskOptions, 'clock' | 'log' | 'version' | 'restartMachine'>;
  readonly bootId: Uint8Array;
  readonly credentials: Credentials;
  readonly word: WordKeeper;
  readonly health: Health;
  readonly deliver: (signal: AbortSignal) => Promise<Delivery>;
}

/** @returns for what board this kiosk takes releases; `undefined` for one that takes none. */
export const boardOf = ({ updates }: Pick<KioskConfig, 'updates'>, options: UpdaterParts['options']): string | undefined =>
  options.restartMachine === undefined || releaseVersionOf(options.version ?? '') === undefined ? undefined : updates?.board;

/** Until abort; at once for a kiosk that takes no releases. @throws ConfigError `config.invalid` for a key that can not be read. */
export async function runUpdates(parts: UpdaterParts, signal: AbortSignal): Promise<void> {
  const { config, credentials, health, word, deliver, options, bootId } = parts;
  const { updates, dataDir } = config;
  const { clock, log, restartMachine } = options;
  const version = releaseVersionOf(options.version ?? '');
  if (updates === undefined || restartMachine === undefined || version === undefined) return;
  const updater = new Updater({
    dir: dataDir,
    slots: slotsOf(updates, restartMachine, clock),
    board: updates.board,
    keys: updates.keys.map(readKey),
    version,
    boot: Buffer.from(bootId).toString('hex'),
    limits: updates,
    word,
    fetch: (path, from, lengthBytes, signal) => credentials.fetch(path, from, lengthBytes, signal),
    isOnline: () => health.isOnline,
    queued: () => health.snapshot().queued,
    served: () => health.served,
    deliver,
    clock,
    log,
    onStanding: (standing) => health.update(standing),
  });
  await updater.run(signal);
}

function slotsOf(updates: NonNullable<KioskConfig['updates']>, restartMachine: () => void, clock: Clock): Slots {
  const which = switchOf(updates, restartMachine, clock);
  const bytes = new FileSlotBytes(updates.slots[otherSlot(which.running())]);
  return {
    running: () => which.running(),
    lasting: () => which.lasting(),
    tryOther: () => which.tryOther(),
    keep: () => which.keep(),
    leave: () => which.leave(),
    begin: (releaseParts) => bytes.begin(releaseParts),
    write: (part, offset, plain) => bytes.write(part, offset, plain),
    sync: () => bytes.sync(),
    read: (part, offset, lengthBytes) => bytes.read(part, offset, lengthBytes),
    seal: () => bytes.seal(),
  };
}

function switchOf({ switch: how }: NonNullable<KioskConfig['updates']>, restartMachine: () => void, clock: Clock): SlotSwitch {
  switch (how.kind) {
    case 'files':
      return new FileSwitch(how.directory, restartMachine);
    case 'wish':
      return new WishSwitch({ state: how.state, wishes: how.wishes, clock });
  }
}

function readKey(path: string): Uint8Array {
  try {
    return readReleaseKey(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new ConfigError('config.invalid', `${path}: no public key of releases can be read there`, { cause });
  }
}

/** A core on real files under a clock moved by hand. */
import { join } from 'node:path';
import type { Test } from 'tap';
import { type Core, type CoreOptions, openCore } from '../../core/core.ts';
import { type CoreKeys, makeCoreKeys } from '../../core/keys.ts';
import { type Log, silentLog } from '../../protocol/log.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { DEPLOYMENT } from './kiosk-stub.ts';

export const NOW = Date.UTC(2026, 10, 21, 9);
export const DAY = 86_400_000;

export interface Fixture {
  readonly dir: string;
  readonly keys: CoreKeys;
  readonly clock: ManualClock;
  /** Opens a core under the same keys; closed at the test's end. */
  open(name?: string, more?: Partial<CoreOptions>): Promise<Core>;
}

export async function fixture(t: Test, log: Log = silentLog): Promise<Fixture> {
  const dir = t.testdir();
  const keys = await makeCoreKeys(join(dir, 'keys'));
  const clock = new ManualClock(NOW);
  return {
    dir,
    keys,
    clock,
    async open(name = 'core', more = {}) {
      const core = await openCore({ dir: join(dir, name), deployment: DEPLOYMENT, keys, clock, log, ...more });
      t.teardown(() => core.end());
      return core;
    },
  };
}

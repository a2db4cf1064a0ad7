/** Runs a kiosk turn by turn: with each change of its devices in set-up it is started anew, in the same process and under the same lock. */
import { findPorts } from '../../hardware/discover.ts';
import { listSerialPorts } from '../../hardware/serial-link.ts';
import { type KioskConfig, parseConfig } from '../config.ts';
import { openCredentials, type Start } from '../open-credentials.ts';
import { isEnrolled } from '../papers.ts';
import { finishReset } from '../reset/reset.ts';
import { isResetBegun } from '../reset/wipe.ts';
import type { RunKioskOptions } from '../run-options.ts';
import { SetupDesk } from './setup-desk.ts';

export interface Turn extends Start {
  readonly config: KioskConfig;
  readonly setup: SetupDesk;
  /** Ends this turn, for another with the settings as they are kept then. */
  readonly restart: () => void;
}

/** @param run resolves when its signal aborts. Resolves when `signal` aborts, whichever part runs. */
export async function runInTurns(
  config: KioskConfig,
  options: RunKioskOptions,
  signal: AbortSignal,
  run: (turn: Turn, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const { clock, log, readConfig, onSetup } = options;
  await finishReset(config, { clock, log }, signal);
  const setup = new SetupDesk({
    dir: config.dataDir,
    isEnrolled: config.trustPath !== undefined || isEnrolled(config.dataDir),
    clock,
    log,
    findPort: async (device) => (await findPorts({ list: listSerialPorts, except: [] })).find(({ name }) => name === device)?.path,
    check: (settings) => void parseConfig({ ...config, ...settings }),
  });
  if (options.setupStep !== undefined) setup.command({ kind: 'step', step: options.setupStep });
  onSetup?.(setup);
  let current = config;
  while (!signal.aborted) {
    if (isResetBegun(config.dataDir)) {
      await finishReset(config, { clock, log }, signal);
      setup.begin();
    }
    const turn = new AbortController();
    const ending = AbortSignal.any([signal, turn.signal]);
    const start = await openCredentials(current, options, setup, ending);
    if (start !== undefined) await run({ ...start, config: current, setup, restart: () => turn.abort() }, ending);
    if (!turn.signal.aborted) return;
    current = readConfig?.() ?? current;
  }
}

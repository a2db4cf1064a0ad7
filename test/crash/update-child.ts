/**
 * A kiosk of a machine with two slots. Its software is what the slot that was chosen says: the version, and whether it is one that stops as soon as
 * it starts. A line for each answer at the door, one when it is ready, and one when it has its machine started anew.
 */
import { writeSync } from 'node:fs';
import { parseConfig } from '../../kiosk/config.ts';
import { runKiosk } from '../../kiosk/run-kiosk.ts';
import type { Log } from '../../protocol/log.ts';
import { systemClock } from '../../protocol/time.ts';
import { typingOf } from '../support/typing-of.ts';
import { DeadlyPoints } from './deadly-points.ts';

const [json = '{}', point = '', passed = '0', version = ''] = process.argv.slice(2);
const points = new DeadlyPoints(point, Number(passed));
const stopping = new AbortController();
process.once('SIGTERM', () => stopping.abort());
// Nobody is left to kill it when the test itself has died.
process.stdin.once('end', () => stopping.abort());
/** That a release did not hold is told as an error, and is what some of these lives are for. */
const log: Log = {
  ...points.log,
  error: (event, fields) => {
    if (event !== 'update.failed') points.log.error(event, fields);
  },
};
const say = (line: object): void => void writeSync(1, `${JSON.stringify(line)}\n`);

await runKiosk(
  parseConfig(JSON.parse(json)),
  {
    clock: systemClock,
    log,
    input: typingOf(process.stdin),
    version,
    isClockSynced: () => true,
    restartMachine: () => {
      points.reach('machine.restarting');
      stopping.abort();
    },
    onReady: () => say({ isReady: true }),
    onFeedback: ({ kind, keyId, seq }) => say({ kind, seq, keyId: keyId === undefined ? undefined : Buffer.from(keyId).toString('hex') }),
  },
  stopping.signal,
);
process.stdin.destroy();

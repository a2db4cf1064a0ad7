/** A kiosk whose scanner is standard input. Writes one line for each answer at the door, and one when it is ready. */
import { writeSync } from 'node:fs';
import { parseConfig } from '../../kiosk/config.ts';
import { runKiosk } from '../../kiosk/run-kiosk.ts';
import { systemClock } from '../../protocol/time.ts';
import { typingOf } from '../support/typing-of.ts';
import { DeadlyPoints } from './deadly-points.ts';

const [json = '{}', point = '', passed = '0'] = process.argv.slice(2);
const points = new DeadlyPoints(point, Number(passed));
const stopping = new AbortController();
process.once('SIGTERM', () => stopping.abort());
// Nobody is left to kill it when the test itself has died.
process.stdin.once('end', () => stopping.abort());
/** Standard output itself: what is written has left the process when this returns. */
const say = (line: object): void => void writeSync(1, `${JSON.stringify(line)}\n`);

await runKiosk(
  parseConfig(JSON.parse(json)),
  {
    clock: systemClock,
    log: points.log,
    input: typingOf(process.stdin),
    isClockSynced: () => true,
    onReady: () => say({ isReady: true }),
    onFeedback: ({ kind, keyId, seq }) => {
      points.reach('feedback.giving');
      say({ kind, seq, keyId: keyId === undefined ? undefined : Buffer.from(keyId).toString('hex') });
      points.reach('feedback.given');
    },
  },
  stopping.signal,
);
process.stdin.destroy();

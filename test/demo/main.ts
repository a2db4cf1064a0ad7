/**
 * `npm run demo [-- --json] [--seed N]`: the whole road with real bytes, in about half a minute. Exit status 0 only when nothing was lost or
 * doubled and the flags are right.
 */
import { parseArgs } from 'node:util';
import { isRight, playDemo } from './play.ts';

const { values } = parseArgs({
  options: { json: { type: 'boolean', default: false }, seed: { type: 'string' }, cards: { type: 'string', default: '45' } },
});
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
const say = (line: string): void => void process.stderr.write(`${line}\n`);

say(`Seed ${seed}`);
const count = await playDemo({ seed, cards: Number(values.cards), say });
say(`
${count.promised} promised at the door, ${count.delivered} delivered: ${count.lost} lost, ${count.duplicates} twice.
${count.highReadings} high readings, ${count.flagged} flags (${count.expectedFlags} expected).
${isRight(count) ? 'All is well.' : 'NOT RIGHT.'}`);
if (values.json) process.stdout.write(`${JSON.stringify(count)}\n`);
process.exitCode = isRight(count) ? 0 : 1;

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t from 'tap';
import type { Feedback } from '../../kiosk/feedback.ts';
import { compare, House, NOTHING } from './house.ts';

/** Some dozens of rows in the write-ahead log. */
const LIMIT_BYTES = 400_000;
const ROOT = join(import.meta.dirname, '../..');

t.test('faults: a kiosk process that may write no larger file refuses visibly, lives on, and serves once it may', async (t) => {
  const house = await House.open(t);
  const args = ['kiosk', 'run', '--no-page', '--data', house.paths.root, '--trust', join(house.paths.root, 'trust-by-cable.json')];
  const limited = [`--fsize=${LIMIT_BYTES}:unlimited`, process.execPath, join(ROOT, 'cli/main.ts'), ...args, '--output', 'json'];
  const child = spawn('prlimit', limited, { stdio: ['pipe', 'pipe', 'inherit'] });
  t.teardown(() => void child.kill('SIGKILL'));
  const ended = once(child, 'exit');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => {
    const line = await lines.next();
    if (line.done === true) throw new Error(`the kiosk ended: ${await ended}`);
    return JSON.parse(line.value) as { kind?: string; keyId?: string; seq?: number };
  };
  await next();
  const scan = async (card: number) => {
    child.stdin.write(`${house.cardText(card)}\n`);
    const { kind, keyId, seq } = await next();
    house.feedback.push({ kind, keyId: keyId && Buffer.from(keyId, 'hex'), seq } as Feedback);
    return kind;
  };
  let card = 0;
  let said = await scan(card);
  while (said === 'welcome') said = await scan(++card);
  t.ok(card > 10, `${card} were welcome`);
  t.equal(said, 'refused-store');
  // The checkpoint thread may have moved the log meanwhile: then there is room again, and what is welcome is kept.
  let welcome = card;
  for (let more = 1; more <= 5; more++) {
    const answer = await scan(card + more);
    t.ok(answer === 'refused-store' || answer === 'welcome', 'it lives, and refuses or keeps');
    if (answer === 'welcome') welcome += 1;
  }
  t.equal(spawnSync('prlimit', ['--pid', String(child.pid), '--fsize=unlimited:unlimited']).status, 0);
  for (let more = 10; more < 20; more++) t.equal(await scan(card + more), 'welcome', 'it serves without a restart');
  child.kill('SIGTERM');
  t.strictSame(await ended, [0, null]);
  await house.startGateway();
  await house.startKiosk();
  await house.untilDelivered();
  t.equal(house.promised.length, welcome + 10);
  t.strictSame(compare(house, await house.audit()), NOTHING);
});

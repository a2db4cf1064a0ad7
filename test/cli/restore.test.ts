/** `vestibule gateway restore`, and logs of revocations that it was not given. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { encodeCode } from '../../protocol/code.ts';
import { newKeyCode } from '../../protocol/key-code.ts';
import { VestibuleProcess } from '../support/child.ts';

const { run } = VestibuleProcess;
const PASSPHRASE = 'correct horse battery\n';

t.test(
  'restore: a log of revocations that it was not given is named, in the second place and beside the one that it was given',
  async (t) => {
    const dir = t.testdir();
    const [data, place, backup] = ['data', 'place', 'first.backup'].map((name) => join(dir, name)) as [string, string, string];
    const copy = join(place, 'vestibule-revocations.log');
    const lose = (where: string) => run(['cards', 'lost', '--data', where], `${encodeCode({ kind: 'key', keyCode: newKeyCode() })}\n`);
    const restore = (to: string, ...more: string[]) =>
      run(['gateway', 'restore', '--from', backup, '--data', join(dir, to), ...more], PASSPHRASE);
    const gateway = new VestibuleProcess(['gateway', 'run', '--data', data, '--tls-port', '0', '--tcp-port', '0', '--web-port', '0']);
    t.teardown(() => gateway.end('SIGKILL'));
    await gateway.line((line) => line.startsWith('gateway ready'));
    await gateway.end('SIGTERM');
    await run(['gateway', 'second-place', place, '--data', data]);
    await lose(data);
    await run(['gateway', 'backup', '--to', backup, '--data', data], PASSPHRASE);
    await lose(data);

    const without = await restore('without');
    t.match(without, /enrol anew what enrolled since\n/);
    t.ok(without.includes(`BUT there is one, ${copy}: `), without);
    t.match(
      await restore('with', '--revocations', copy),
      /\n1 change since the backup done again, [^\n]*\nrestored into /,
      'nothing lies beside it',
    );

    // Used all the same, as by whoever did not read.
    await lose(join(dir, 'without'));
    const late = await restore('late', '--revocations', copy);
    t.ok(late.includes(`NOT done again is what only ${copy}.1 says`), late);
    t.match(await restore('right', '--revocations', `${copy}.1`), /\n1 change since the backup done again, [^\n]*\nrestored into /);
  },
);

t.test(
  'backup: what is not there is said before a passphrase is asked for, and a directory that is not there is made by nobody',
  async (t) => {
    const dir = t.testdir();
    const [data, missing, unmounted] = ['data', 'missing.backup', 'unmounted/'].map((name) => join(dir, name)) as [string, string, string];
    const gateway = new VestibuleProcess(['gateway', 'run', '--data', data, '--tls-port', '0', '--tcp-port', '0', '--web-port', '0']);
    t.teardown(() => gateway.end('SIGKILL'));
    await gateway.line((line) => line.startsWith('gateway ready'));
    await t.rejects(run(['gateway', 'restore', '--from', missing, '--data', join(dir, 'restored')]), /missing\.backup: is not there/);
    await t.rejects(run(['gateway', 'backup', '--verify', missing]), /missing\.backup: is not there/);
    await t.rejects(run(['gateway', 'backup', '--to', unmounted, '--data', data], PASSPHRASE), /unmounted\/: no directory is there/);
    t.strictSame(readdirSync(dir), ['data'], 'nothing lies where a disk will be mounted');
  },
);

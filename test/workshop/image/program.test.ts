import t from 'tap';
import { findPrograms, runProgram } from '../../../workshop/image/program.ts';

const { signal } = new AbortController();

t.test('programs: what is missing is named with the packages that bring it', async (t) => {
  t.throws(() => findPrograms(t.testdir({})), { code: 'config.invalid', message: /sqfstar.*sudo apt-get install .*squashfs-tools/ });
});

t.test('programs: one that fails is told with its words, one that is fed writes', async (t) => {
  await t.rejects(runProgram('sh', ['-c', 'echo broken >&2; exit 3'], { signal }), /ended with 3: broken/);
  t.equal((await runProgram('tr', ['a-z', 'A-Z'], { input: [Buffer.from('ab'), Buffer.from('cd')], signal })).toString(), 'ABCD');
  t.equal((await runProgram('sh', ['-c', 'echo $TZ $OWN'], { env: { OWN: 'words' }, signal })).toString(), 'UTC words\n');
});

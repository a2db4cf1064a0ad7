/** Two who change a rollout at one moment: whoever comes second sees what the first did, though it was done after the second had begun. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Db, openDatabase } from '../../gateway/database.ts';
import { REGISTRY_STEPS } from '../../gateway/registry-schema.ts';
import { RolloutBook } from '../../gateway/rollout/rollout-book.ts';
import type { EpochMillis } from '../../protocol/units.ts';

const ORDER = {
  ...{ digest: 'ab'.repeat(32), version: '1.1.0', board: 'test-board', lengthBytes: 1_000, percent: 100 },
  ...{ kiosks: [], venues: [], mostFailed: 0, atOnce: 1 },
};
const NOW = 0 as EpochMillis;

/** @returns a book, and another one of which each change is preceded, once, by what `first` does. */
function open(t: Test) {
  const [path, key] = [join(t.testdir(), 'registry.db'), randomBytes(32)];
  const [own, other] = [openDatabase({ path, key, steps: REGISTRY_STEPS }), openDatabase({ path, key, steps: REGISTRY_STEPS })];
  t.teardown(() => {
    own.close();
    other.close();
  });
  const book = new RolloutBook(own, () => {});
  let first = (): unknown => undefined;
  const late = {
    prepare: (sql: string) => other.prepare(sql),
    // The write lock is had only when whoever holds it lets go.
    transact: <T>(work: () => T): T => {
      first();
      return other.transact(work);
    },
  } as Db;
  const second = new RolloutBook(late, () => {});
  return {
    book,
    second,
    count: () => Number(own.prepare('SELECT count(*) FROM rollouts').pluck().get()),
    before: (work: () => unknown) => {
      first = () => {
        first = () => undefined;
        work();
      };
    },
  };
}

t.test('rollout book: of two that are started at one moment one is, and the other is refused', async (t) => {
  const { book, second, before, count } = open(t);
  before(() => book.start(ORDER, NOW));
  t.throws(() => second.start({ ...ORDER, version: '1.2.0' }, NOW), { code: 'config.invalid' });
  t.equal(count(), 1);
  t.match(book.newest(), { version: '1.1.0', state: 'running' });
});

t.test('rollout book: one that is stopped stays stopped, whatever comes at the same moment', async (t) => {
  for (const change of ['goOn', 'pause'] as const) {
    const { book, second, before } = open(t);
    book.start(ORDER, NOW);
    before(() => book.stop());
    t.throws(() => second[change](undefined), { code: 'config.invalid' }, change);
    t.equal(book.newest()?.state, 'stopped', change);
  }
});

t.test('rollout book: what was meant for one rollout is not done to the next', async (t) => {
  const { book, second, before } = open(t);
  const { number } = book.start(ORDER, NOW);
  before(() => {
    book.stop();
    book.start({ ...ORDER, version: '1.2.0' }, NOW);
  });
  t.throws(() => second.stop(number), { code: 'config.invalid' });
  t.throws(() => second.pause(number, 'release.too_many_failed'), { code: 'config.invalid' });
  t.match(book.newest(), { version: '1.2.0', state: 'running', why: undefined });
});

t.test('rollout book: each change of the one that is under way gives it as it is then', async (t) => {
  const { book } = open(t);
  const { number } = book.start(ORDER, NOW);
  t.match(book.pause(number), { number, state: 'paused' });
  t.match(book.goOn(50, number), { number, state: 'running', percent: 50 });
  t.match(book.stop(number), { number, state: 'stopped' });
});

import { getEventListeners } from 'node:events';
import t from 'tap';
import { Ending } from '../../hardware/until-abort.ts';

t.test('Ending: aborts with any of the others, by itself, and at once where one has aborted', async (t) => {
  const [first, second] = [new AbortController(), new AbortController()];
  const ending = new Ending(first.signal, second.signal);
  t.notOk(ending.signal.aborted);
  second.abort();
  t.ok(ending.signal.aborted);
  t.notOk(first.signal.aborted, 'not the other way round');
  t.ok(new Ending(first.signal, second.signal).signal.aborted);
  const alone = new Ending(first.signal);
  alone.end();
  alone.end();
  t.ok(alone.signal.aborted);
});

t.test('Ending: leaves nothing on a signal that lives on', async (t) => {
  const { signal } = new AbortController();
  for (let round = 0; round < 100; round++) new Ending(signal).release();
  t.equal(getEventListeners(signal, 'abort').length, 0);
});

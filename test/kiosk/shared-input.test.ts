import { PassThrough } from 'node:stream';
import t from 'tap';
import { shareInput } from '../../kiosk/shared-input.ts';

const nextOf = async (reader: AsyncIterator<unknown>): Promise<string | undefined> => {
  const { done, value } = await reader.next();
  return done === true ? undefined : String(value);
};

t.test('shared input: what one reader was waiting for when it left is the next one’s, in order', async (t) => {
  const input = new PassThrough();
  const shared = shareInput<unknown>(input);
  const first = shared.read()[Symbol.asyncIterator]();
  input.write('one');
  t.equal(await nextOf(first), 'one');
  const waiting = nextOf(first);
  shared.leave();
  const second = shared.read()[Symbol.asyncIterator]();
  input.write('two');
  t.equal(await waiting, undefined, 'who has left is told nothing');
  t.equal(await nextOf(second), 'two');
  input.end('three');
  t.equal(await nextOf(second), 'three');
  t.equal(await nextOf(second), undefined);
});

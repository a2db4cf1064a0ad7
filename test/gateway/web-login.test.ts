/** Passwords that are guessed at by many requests at once. */
import t from 'tap';
import { addPerson, PASSWORD, WEB } from '../support/busy-gateway.ts';
import { startTestGateway } from '../support/test-gateway.ts';

t.test('web: of guesses that come at one moment no more are looked at than one after the other', async (t) => {
  const gateway = await startTestGateway(t, { config: WEB });
  await addPerson(gateway, 'ann', 'manager');
  const guess = async (password = 'wrong wrong wrong'): Promise<number> => {
    const body = JSON.stringify({ account: 'ann', password });
    return (
      await fetch(`${gateway.running.webUrl}/api/1/session`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    ).status;
  };
  for (let n = 0; n < 5; n++) t.equal(await guess(), 401);
  await gateway.clock.advance(2_000);
  const statuses = await Promise.all(Array.from({ length: 6 }, () => guess()));
  t.strictSame(statuses.sort(), [401, 429, 429, 429, 429, 429]);
  await gateway.clock.advance(4_000);
  t.equal(await guess(PASSWORD), 200, 'who knows it waits as long, and is let in');
  t.equal(await guess(), 401, 'and has tries again');
});

import { createSecretKey } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { CheckDesk } from '../../gateway/check-desk.ts';
import { generateSigningKey, publicKeyFromRaw, rawPublicKey, signBytes } from '../../protocol/ed25519.ts';

const signingKey = generateSigningKey();
const publicKey = publicKeyFromRaw(rawPublicKey(signingKey));

t.test('check desk: says of each signature what is true of it, in the order in which it was asked, whichever was quicker', async () => {
  const kinds = { good: 0, wrong: 1, short: 2, long: 3 } as const;
  const asked = fc.constantFrom(...Object.keys(kinds).map((kind) => kind as keyof typeof kinds));
  await fc.assert(
    fc.asyncProperty(fc.array(asked, { maxLength: 40 }), async (all) => {
      const desk = new CheckDesk();
      const told: number[] = [];
      const answers = await Promise.all(
        all.map(async (kind, index) => {
          // A long message takes many times as long as a short one, and a signature of the wrong length no time.
          const message = new Uint8Array(kind === 'long' ? 1_000_000 : 10).fill(index);
          const signature = kind === 'short' ? new Uint8Array(63) : signBytes(message, signingKey);
          if (kind === 'wrong') signature[3] = (signature[3] ?? 0) ^ 1;
          const isGood = await desk.check(message, signature, publicKey);
          told.push(index);
          return isGood;
        }),
      );
      const isOrdered = told.every((index, at) => index === at);
      return isOrdered && answers.every((isGood, index) => isGood === (all[index] === 'good' || all[index] === 'long'));
    }),
    { numRuns: 15 },
  );
});

t.test('check desk: what can not be asked about fails alone, and those behind it are answered', async (t) => {
  const desk = new CheckDesk();
  const message = new Uint8Array(10);
  const signature = signBytes(message, signingKey);
  const failed = desk.check(message, signature, createSecretKey(message));
  const good = desk.check(message, signature, publicKey);
  await t.rejects(failed, { name: 'TypeError' });
  t.ok(await good);
});

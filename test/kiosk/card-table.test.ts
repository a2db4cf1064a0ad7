import { randomBytes } from 'node:crypto';
import { getHeapSnapshot } from 'node:v8';
import t from 'tap';
import { CardTable } from '../../kiosk/card-table.ts';
import type { Seen } from '../../kiosk/check-in-state.ts';
import fc from '../support/properties.ts';
import { mono } from './fixtures.ts';

t.test('CardTable: does as a plain map of bounded size does, and leaves every earlier table as it was', async () => {
  const change = fc.record({ key: fc.integer({ min: 0, max: 40 }), isOut: fc.boolean() });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 1_000, size: 'max' }), fc.integer({ min: 1, max: 10 }), (changes, most) => {
      let table = new CardTable();
      const model = new Map<string, Seen>();
      for (const [index, { key, isOut }] of changes.entries()) {
        const name = (key * 7).toString(16).padStart(2, '0').repeat(16);
        const before = table;
        const held = before.get(name);
        const seen = isOut ? undefined : { isIn: true, atMs: mono(index) };
        table = table.with(name, seen, most);
        model.delete(name);
        if (seen !== undefined) model.set(name, seen);
        const [oldest] = model.keys();
        if (model.size > most && oldest !== undefined) model.delete(oldest);
        if (table.size !== model.size) throw new Error(`${table.size} of ${model.size}`);
        if (before.get(name) !== held) throw new Error('an earlier table changed');
      }
      for (const [name, seen] of model) if (table.get(name) !== seen) throw new Error('lost');
      const late = table.filter(({ atMs }) => atMs >= 40);
      if (late.size !== [...model.values()].filter(({ atMs }) => atMs >= 40).length) throw new Error('filtered wrongly');
    }),
    { numRuns: 300 },
  );
});

/** @returns which of those words stand anywhere in this process's memory; given backwards, so that they do not stand here. */
async function inMemory(backwards: readonly string[]): Promise<string[]> {
  const chunks: Buffer[] = [];
  for await (const chunk of getHeapSnapshot()) chunks.push(Buffer.from(chunk));
  const memory = Buffer.concat(chunks);
  return backwards.filter((word) => memory.includes(Buffer.from(word).reverse()));
}

const backwardsOf = (word: string): string => [...word].reverse().join('');
const newKey = (): string => randomBytes(16).toString('hex');

/** Two cards came, and one was taken back by its visitor at once. @returns the table after a look, and the cards backwards. */
function looked(look: (table: CardTable) => CardTable): { table: CardTable; stayed: string; undone: string } {
  const [stays, leaves] = [newKey(), newKey()];
  const both = new CardTable().with(stays, { isIn: true, atMs: mono(1) }, 10).with(leaves, { isIn: true, atMs: mono(2) }, 10);
  return { table: look(both.with(leaves, undefined, 10)), stayed: backwardsOf(stays), undone: backwardsOf(leaves) };
}

t.test('CardTable: nothing of a card that it does not hold is in memory after the next look', async (t) => {
  for (const [name, look] of [
    ['filter', (table: CardTable) => table.filter(() => true)],
    ['without', (table: CardTable) => table.without(() => false)],
  ] as const) {
    const { table, stayed, undone } = looked(look);
    t.strictSame(await inMemory([stayed, undone]), [stayed], name);
    t.equal(table.size, 1);
  }
});

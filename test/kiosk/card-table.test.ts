import fc from 'fast-check';
import t from 'tap';
import { CardTable } from '../../kiosk/card-table.ts';
import type { Seen } from '../../kiosk/check-in-state.ts';
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

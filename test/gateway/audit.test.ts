import { appendFileSync, copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parseHead, refuseAltered } from '../../disk/audit-chain.ts';
import { AuditLog, type Deed } from '../../gateway/audit.ts';
import { openDatabase } from '../../gateway/database.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import fc from '../support/properties.ts';

const KEY = new Uint8Array(32).fill(7);
const pathsIn = (dir: string) => ({ log: join(dir, 'audit.db'), head: join(dir, 'audit.head') });

const deed = (n: number, more: Partial<Deed> = {}): Deed => ({
  atMs: (1_000 + n) as EpochMillis,
  who: 'ann',
  via: 'web',
  action: 'look.overview',
  about: '',
  detail: `${n}`,
  ...more,
});

/** A log of `entries` entries, and somebody with its key who does `harm` to the table. */
function harmed(dir: string, entries: number, harm: (run: (sql: string) => void) => void): AuditLog {
  const paths = pathsIn(dir);
  for (const path of [paths.log, `${paths.log}-wal`, `${paths.log}-shm`, paths.head]) rmSync(path, { force: true });
  const log = new AuditLog(paths, KEY);
  for (let n = 1; n <= entries; n++) log.append(deed(n));
  log.close();
  const db = openDatabase({ path: paths.log, key: KEY, steps: [''] });
  for (const trigger of ['deeds_stay', 'deeds_stay_whole']) db.prepare(`DROP TRIGGER ${trigger}`).run();
  harm((sql) => db.prepare(sql).run());
  db.close();
  return new AuditLog(paths, KEY);
}

t.test('audit: what one turn notes is one commit, and nobody is answered before it', async (t) => {
  const paths = pathsIn(t.testdir());
  const [log, other] = [new AuditLog(paths, KEY), new AuditLog(paths, KEY)];
  const noted = [1, 2, 3].map((n) => log.note(deed(n)));
  t.equal(other.head().entries, 0);
  await noted[0];
  t.equal(other.head().entries, 3, 'all of them with the first');
  await Promise.all(noted);
  t.match(log.verify(), { kind: 'whole', head: { entries: 3 } });
  log.close();
  await t.rejects(log.note(deed(4)), 'what is not written down is not answered');
  t.equal(other.head().entries, 3);
  other.close();
});

t.test('audit: entries come back newest first, and the log is whole, also after it is opened again', async (t) => {
  const paths = pathsIn(t.testdir());
  const log = new AuditLog(paths, KEY);
  t.strictSame(log.verify(), { kind: 'whole', head: { entries: 0, hash: '0'.repeat(64) } });
  for (let n = 1; n <= 5; n++) log.append(deed(n));
  t.strictSame(
    log.entries(2).map(({ entry, detail }) => [entry, detail]),
    [
      [5, '5'],
      [4, '4'],
    ],
  );
  t.strictSame(
    log.entries(2, 4).map(({ entry }) => entry),
    [3, 2],
  );
  const head = log.head();
  log.close();
  const again = new AuditLog(paths, KEY);
  t.strictSame(again.verify(head), { kind: 'whole', head });
  t.strictSame(refuseAltered(again.verify(), 'audit'), head);
  again.append(deed(6));
  t.equal(again.verify(head).kind, 'whole', 'a head of before is still on the chain');
  again.close();
});

t.test('audit: nothing is changed or taken out by a slip', async (t) => {
  const paths = pathsIn(t.testdir());
  const log = new AuditLog(paths, KEY);
  log.append(deed(1));
  const db = openDatabase({ path: paths.log, key: KEY, steps: [''] });
  t.throws(() => db.prepare("UPDATE deeds SET who = 'bob'").run(), /append only/);
  t.throws(() => db.prepare('DELETE FROM deeds').run(), /append only/);
  db.close();
  log.close();
});

t.test('audit: an entry changed in any of its columns is found, whichever it is', async (t) => {
  const dir = t.testdir();
  const changes = [
    "who = 'eve'",
    "via = 'mqtt'",
    "action = 'look.flags'",
    "about = 'x'",
    "detail = ''",
    'at_ms = at_ms + 1',
    `hash = '${'1'.repeat(64)}'`,
  ];
  for (const [index, change] of changes.entries()) {
    const log = harmed(dir, 7, (run) => run(`UPDATE deeds SET ${change} WHERE entry = ${index + 1}`));
    t.strictSame(log.verify(), { kind: 'broken', entry: index + 1 }, change);
    t.throws(() => refuseAltered(log.verify(), 'audit'), { code: 'store.altered' });
    log.close();
  }
});

t.test('audit: an entry removed, put in, exchanged with another, and an end cut off are found', async (t) => {
  const dir = t.testdir();
  const swap = (a: number, b: number) => [
    `UPDATE deeds SET entry = -1 WHERE entry = ${a}`,
    `UPDATE deeds SET entry = ${a} WHERE entry = ${b}`,
    `UPDATE deeds SET entry = ${b} WHERE entry = -1`,
  ];
  const check = (name: string, sql: readonly string[], expected: object) => {
    const log = harmed(dir, 9, (run) => sql.forEach(run));
    t.match(log.verify(), expected, name);
    log.close();
  };
  check('first removed', ['DELETE FROM deeds WHERE entry = 1'], { kind: 'broken', entry: 1 });
  check('one removed', ['DELETE FROM deeds WHERE entry = 4'], { kind: 'broken', entry: 4 });
  check('removed, and those behind moved up', ['DELETE FROM deeds WHERE entry = 4', 'UPDATE deeds SET entry = entry - 1 WHERE entry > 4'], {
    kind: 'broken',
    entry: 4,
  });
  check('exchanged', swap(3, 6), { kind: 'broken', entry: 3 });
  check('put in', ['INSERT INTO deeds SELECT 10, at_ms, who, via, action, about, detail, hash FROM deeds WHERE entry = 9'], {
    kind: 'broken',
    entry: 10,
  });
  check('the last cut off', ['DELETE FROM deeds WHERE entry = 9'], { kind: 'cut', entries: 8, expected: 9 });
  check('all cut off', ['DELETE FROM deeds'], { kind: 'cut', entries: 0, expected: 9 });
});

t.test('audit: the file that says how far the log goes can not be taken away, altered or put back', async (t) => {
  const dir = t.testdir();
  const { head } = pathsIn(dir);
  const log = harmed(dir, 3, () => {});
  const third = readFileSync(head);
  rmSync(head);
  t.equal(log.verify().kind, 'cut', 'gone');
  writeFileSync(head, third.toString('latin1').replace(/^3/, '2'));
  t.equal(log.verify().kind, 'cut', 'altered');
  writeFileSync(head, third);
  t.equal(log.verify().kind, 'whole');
  appendFileSync(head, ' ');
  t.equal(log.verify().kind, 'cut', 'damaged');
  log.append(deed(4));
  t.equal(log.verify().kind, 'whole', 'the next entry writes it anew');
  copyFileSync(head, `${head}.old`);
  log.append(deed(5));
  copyFileSync(`${head}.old`, head);
  t.equal(log.verify().kind, 'whole', 'an older one is as after a crash between the two writes');
  log.close();
});

t.test('audit: written anew by somebody with the key, it is found by a head that was kept elsewhere', async (t) => {
  const dir = t.testdir();
  const log = harmed(dir, 4, () => {});
  const kept = parseHead(`${log.head().entries}:${log.head().hash}`);
  log.close();
  const other = harmed(dir, 0, () => {});
  for (let n = 1; n <= 5; n++) other.append(deed(n, { who: n === 2 ? 'nobody' : 'ann' }));
  t.equal(other.verify().kind, 'whole', 'in itself it is');
  t.match(other.verify(kept), { kind: 'broken', entry: 4 });
  other.close();
  t.equal(parseHead('4:abc'), undefined);
});

t.test('audit: two processes that write at once make one chain', async (t) => {
  const paths = pathsIn(t.testdir());
  const logs = [new AuditLog(paths, KEY), new AuditLog(paths, KEY)] as const;
  for (let n = 0; n < 40; n++) logs[n % 2]!.append(deed(n, { via: n % 2 === 0 ? 'web' : 'command-line' }));
  for (const log of logs) t.match(log.verify(), { kind: 'whole', head: { entries: 40 } });
  for (const log of logs) log.close();
});

t.test('audit: any text of a deed is kept and bound, and no two deeds are bound alike', async (t) => {
  const paths = pathsIn(t.testdir());
  const log = new AuditLog(paths, KEY);
  const text = fc.string({ maxLength: 40 });
  fc.assert(
    fc.property(text, text, text, (who, about, detail) => {
      const added = log.append(deed(1, { who, about, detail }));
      t.match(log.entries(1)[0], { who, about, detail, hash: added.hash });
    }),
    { numRuns: 60 },
  );
  t.equal(log.verify().kind, 'whole');
  t.equal(new Set(log.entries(1_000).map(({ hash }) => hash)).size, log.head().entries);
  log.close();
});

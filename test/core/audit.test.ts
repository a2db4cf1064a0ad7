/** The core's audit log: what was changed, taken out, put in or cut off shows. */

import { createHash } from 'node:crypto';
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { AuditLog, type Deed } from '../../core/audit.ts';
import { type Db, inStore, openEncrypted } from '../../core/sqlite.ts';
import { refuseAltered } from '../../disk/audit-chain.ts';
import { NOW } from './core-fixture.ts';

const KEY = new Uint8Array(32).fill(7);
const DEED: Deed = {
  atMs: NOW,
  who: 'vera',
  role: 'health-officer',
  purpose: 'contact-tracing',
  action: 'look.overlaps',
  about: '',
  outcome: 'done',
  rows: 3,
  detail: '',
};

function opened(t: Test, deeds: number, dir = t.testdir()) {
  const audit = new AuditLog(dir, KEY);
  t.teardown(() => audit.close());
  for (let i = 0; i < deeds; i++) audit.append({ ...DEED, rows: i });
  return { dir, audit };
}

/** As whoever holds the store key. */
function intruder(t: Test, dir: string): Db {
  const db = openEncrypted(join(dir, 'audit.db'), {
    subject: 'audit.db',
    key: KEY,
    schema: ['', ''],
    mode: 'write',
    ifUnreadable: 'store.wrong_key',
  });
  t.teardown(() => db.close());
  return db;
}

t.test('audit: entries come newest first, and the chain is whole', async (t) => {
  const { audit, dir } = opened(t, 5);
  t.strictSame(
    audit.entries(2).map(({ entry, rows }) => [entry, rows]),
    [
      [5, 4],
      [4, 3],
    ],
  );
  t.strictSame(
    audit.entries(9, 3).map(({ entry }) => entry),
    [2, 1],
  );
  const { entries, hash } = refuseAltered(audit.verify(), 'audit');
  t.equal(entries, 5);
  t.equal(hash, audit.entries(1)[0]?.hash);
  t.equal(audit.verify({ entries: 3, hash: audit.entries(1, 4)[0]?.hash ?? '' }).kind, 'whole', 'a head that was noted');
  t.strictSame(audit.verify({ entries: 3, hash: 'f'.repeat(64) }), { kind: 'broken', entry: 3 });
  t.strictSame(audit.verify({ entries: 6, hash: 'f'.repeat(64) }), { kind: 'cut', entries: 5, expected: 6 });
  const again = opened(t, 0, dir).audit;
  t.equal(again.append(DEED).entry, 6, 'it goes on after a start');
});

t.test('audit: an entry changed, moved, taken out or put in shows, where it is', async (t) => {
  const { dir, audit } = opened(t, 5);
  const db = intruder(t, dir);
  db.exec('DROP TRIGGER deed_stays; DROP TRIGGER deed_stays_whole');
  const within = (sql: string, entry: number) =>
    inStore('audit.db', () => {
      db.exec('SAVEPOINT before');
      db.exec(sql);
      db.exec('RELEASE before');
      t.strictSame(audit.verify(), { kind: 'broken', entry }, sql);
      t.throws(() => refuseAltered(audit.verify(), 'audit'), { code: 'store.altered' });
    });
  const columns = 'at_ms, who, role, purpose, action, about, outcome, rows, detail, hash';
  within(`INSERT INTO deed SELECT 6, ${columns} FROM deed WHERE entry = 5`, 6);
  within("DELETE FROM deed WHERE entry = 6; UPDATE deed SET purpose = 'another' WHERE entry = 4", 4);
  within('DELETE FROM deed WHERE entry = 2', 2);
  within('UPDATE deed SET entry = entry - 1 WHERE entry > 2', 2);
});

t.test('audit: a program of ours can neither change nor take out an entry', async (t) => {
  const { dir } = opened(t, 2);
  const db = intruder(t, dir);
  t.throws(() => db.exec('DELETE FROM deed'), /append only/);
  t.throws(() => db.exec("UPDATE deed SET who = 'nobody'"), /append only/);
});

t.test('audit: an end that was cut off shows, and a head that is gone or altered', async (t) => {
  const { dir, audit } = opened(t, 5);
  const head = join(dir, 'audit.head');
  const kept = readFileSync(head);
  const db = intruder(t, dir);
  db.exec('DROP TRIGGER deed_stays_whole; DELETE FROM deed WHERE entry > 3');
  t.strictSame(audit.verify(), { kind: 'cut', entries: 3, expected: 5 });
  audit.append(DEED);
  audit.append(DEED);
  t.equal(audit.verify().kind, 'whole', 'the head is written by whoever adds');
  writeFileSync(head, kept);
  t.strictSame(audit.verify(), { kind: 'broken', entry: 5 }, 'one that was kept shows it');
  rmSync(head);
  t.equal(audit.verify().kind, 'cut');
  writeFileSync(head, `5 ${'0'.repeat(64)} ${'0'.repeat(64)}\n`);
  t.equal(audit.verify().kind, 'cut');
  copyFileSync(join(dir, 'audit.db'), head);
  t.equal(audit.verify().kind, 'cut');
});

t.test('audit: looks of the first version stay, in one chain with what comes after', async (t) => {
  const dir = t.testdir();
  const first = openEncrypted(join(dir, 'audit.db'), {
    subject: 'audit.db',
    key: KEY,
    schema: [
      `CREATE TABLE look (entry INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, who TEXT NOT NULL, purpose TEXT NOT NULL, question TEXT NOT NULL,
       minimum_overlap_ms INTEGER NOT NULL, contacts INTEGER NOT NULL, unreadable_days INTEGER NOT NULL, hash TEXT NOT NULL) STRICT`,
    ],
    mode: 'write',
    ifUnreadable: 'store.wrong_key',
  });
  let before = '0'.repeat(64);
  for (const entry of [1, 2]) {
    const text = JSON.stringify([before, entry, NOW, 'vera', 'a reason', 'overlaps', 900_000, 4, 0]);
    before = createHash('sha256').update(text).digest('hex');
    first
      .prepare('INSERT INTO look VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)')
      .run(entry, NOW, 'vera', 'a reason', 'overlaps', 900_000, 4, 0, before);
  }
  first.close();
  const { audit } = opened(t, 0, dir);
  t.equal(audit.verify().kind, 'whole');
  t.equal(audit.append(DEED).entry, 3);
  t.match(audit.entries(9), [{ entry: 3 }, { entry: 2, action: 'look.overlaps', rows: 4, role: 'operator' }, { entry: 1 }]);
  t.equal(audit.verify().kind, 'whole');
  intruder(t, dir).exec("UPDATE look SET purpose = 'another' WHERE entry = 2");
  t.strictSame(audit.verify(), { kind: 'broken', entry: 2 });
});

/**
 * Kiosk and gateway, killed again and again at seeded points and at any instant, while cards are scanned. In the end: every row that the
 * kiosk's lines promised is in ledger and core, once; no card counts twice; no nonce was used twice; what the kiosk took for settled is in
 * the ledger. `npm run test:crash -- --full --seed N`.
 */
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { auditRoad, type LedgerRow, type RoadAudit } from '../support/audit-road.ts';
import { type KeptRow, readOutbox } from '../support/read-outbox.ts';
import { seededRandom, suiteSize } from '../support/suite-size.ts';
import { KINDS, planDeaths, type Role } from './kill-plan.ts';
import { Mortals } from './mortals.ts';

const { isFull, seed } = suiteSize();
/** A chapter is one kiosk and one gateway from their first start to their last, with a count at its end. */
const CHAPTERS = isFull ? 10 : 1;
const DEATHS = isFull ? 100 : 40;

const ROLES: readonly Role[] = ['kiosk', 'gateway'];

const seqOf = ({ name }: { name: string }): number => Number(name.slice(name.lastIndexOf('/') + 1));
const namesOf = (rows: readonly { readonly name: string }[]): string[] => rows.map(({ name }) => name);

function twiceIn(names: readonly string[]): string[] {
  const seen = new Set<string>();
  return names.filter((name) => seen.size === seen.add(name).size);
}

const cardsOf = (rows: readonly LedgerRow[]): string[] =>
  rows.flatMap(({ event }) => (event.type === 'check-in' ? [Buffer.from(event.card).toString('hex')] : []));

/** @returns nonces under which two different rows lie. */
function nonceTwice(rows: readonly { readonly name: string; readonly nonce: string }[]): string[] {
  const rowOf = new Map<string, string>();
  return rows.flatMap(({ name, nonce }) => {
    const other = rowOf.get(nonce) ?? name;
    rowOf.set(nonce, other);
    return other === name ? [] : [nonce];
  });
}

function assertRoad(t: Test, mortals: Mortals, audit: RoadAudit, outbox: readonly KeptRow[]): void {
  const inLedger = new Map(audit.rows.map((row) => [row.name, row.event]));
  const isThere = ({ name, card }: { name: string; card: string }): boolean => {
    const event = inLedger.get(name);
    return event?.type === 'check-in' && Buffer.from(event.card).toString('hex') === card;
  };
  t.strictSame(
    namesOf(mortals.promised.filter((promise) => !isThere(promise))),
    [],
    'nothing promised is lost: it is in the ledger, as scanned',
  );
  t.strictSame(twiceIn(namesOf(audit.rows)), [], 'no row is in the ledger twice');
  t.strictSame(twiceIn(cardsOf(audit.rows)), [], 'no card counts twice in the ledger');
  const checkIns = audit.rows.filter(({ event }) => event.type === 'check-in');
  t.strictSame(namesOf(audit.scans).toSorted(), namesOf(checkIns).toSorted(), 'the core has every check-in of the ledger, once');
  t.strictSame(twiceIn(audit.scans.map(({ card }) => card)), [], 'no card counts twice in the core');
  t.strictSame(nonceTwice([...audit.rows, ...outbox]), [], 'no nonce is used twice, in ledger or outbox');
  const settled = outbox.filter(({ isSettled }) => isSettled);
  t.strictSame(namesOf(settled.filter(({ name }) => !inLedger.has(name))), [], 'what the kiosk took for settled is in the ledger');
  t.ok(settled.length >= mortals.promised.length, 'and that is all of it');
  t.equal(audit.quarantined, 0, 'nothing is set aside');
  const seqs = audit.rows.map(seqOf).toSorted((a, b) => a - b);
  t.strictSame(
    seqs,
    Array.from(seqs, (_, at) => at + 1),
    'sequence numbers have neither gap nor double',
  );
}

for (let chapter = 0; chapter < CHAPTERS; chapter++) {
  const from = seed + 100 * chapter;
  t.test(
    `chapter ${chapter + 1} of ${CHAPTERS}: a kiosk and its gateway, killed ${DEATHS} times, lose no promise and count nothing twice (seed ${seed})`,
    async (t) => {
      const mortals = await Mortals.open(t.testdir(), seededRandom(from + 2));
      t.teardown(() => mortals.destroy());
      const startedMs = performance.now();
      await Promise.all(ROLES.map((role, at) => mortals.liveThrough(role, planDeaths(role, DEATHS / 2, seededRandom(from + at)))));
      await mortals.drain();
      const audit = await auditRoad(mortals.data);
      const outbox = readOutbox(join(mortals.data, 'kiosk', 'outbox.db'), mortals.kiosk);
      const seconds = Math.round((performance.now() - startedMs) / 1_000);
      const unsaid = cardsOf(audit.rows).length - mortals.promised.length;
      t.comment(
        `seed ${seed}: ${seconds} s, ${mortals.scanned} scans, ${mortals.promised.length} promised, ${unsaid} kept but not answered for`,
      );
      for (const [death, times] of [...mortals.deaths].toSorted()) t.comment(`  ${death}: ${times}`);
      t.strictSame(mortals.faults, [], 'every process died as it was to, and answered every scan with a welcome');
      const wanted = ROLES.flatMap((role) => KINDS[role].map((kind) => `${role} ${kind}`));
      t.strictSame(
        wanted.filter((kind) => !mortals.deaths.has(kind)),
        [],
        'every kind of death was died',
      );
      t.ok(mortals.promised.length >= DEATHS, 'there was something to lose');
      assertRoad(t, mortals, audit, outbox);
    },
  );
}

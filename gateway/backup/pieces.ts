/**
 * What of a gateway's directory goes into a backup, as files that stand still, while the gateway goes on writing. Each database is copied as
 * it is at one moment; the order of the moments is such that what they disagree about is mended by the next start:
 * the ledger's index before its entries (what it lacks is made again of them), the audit log's head before the log, the log of revocations before
 * what it is about, codes before kiosks.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf } from '../../protocol/errors.ts';
import { copyDatabase, translating } from '../database.ts';
import { openLedgerFile } from '../ledger.ts';
import { gatewayPaths } from '../paths.ts';

export interface Piece {
  /** In the backup. */
  readonly name: string;
  /** Read when its turn comes, and not needed after that. */
  readonly path: string;
}

const SEGMENT = /^\d{8}\.db$/;
const KEY_FILE = /^[a-z0-9][a-z0-9.-]{0,40}$/;

/** @param staging an empty directory for copies, which are taken away as soon as they are used. @throws StoreError. */
export function* gatewayPieces(directory: string, storeKey: Uint8Array, staging: string): Generator<Piece> {
  const paths = gatewayPaths(directory);
  yield* plain('gateway', directory, ['operator.txt', 'trust.json', 'second-place']);
  yield* plain('gateway/keys', join(directory, 'keys'), namesIn(join(directory, 'keys'), KEY_FILE));
  const copy = (name: string, path: string) => copied(name, path, storeKey, staging);
  for (const name of ['revocations.db', 'enrolment.db', 'registry.db', 'accounts.db'])
    if (existsSync(join(directory, name))) yield* copy(`gateway/${name}`, join(directory, name));
  yield* plain('gateway', directory, ['audit.head']);
  if (existsSync(paths.audit)) yield* copy('gateway/audit.db', paths.audit);
  if (existsSync(paths.ledger)) yield* ledgerPieces(directory, storeKey, staging);
}

function* ledgerPieces(directory: string, storeKey: Uint8Array, staging: string): Generator<Piece> {
  const paths = gatewayPaths(directory);
  const index = join(staging, 'gateway.db');
  copyDatabase(paths.ledger, storeKey, index);
  const copiedNos: number[] = [];
  for (const name of namesIn(paths.segments, SEGMENT)) {
    for (const piece of copied(`gateway/ledger/${name}`, join(paths.segments, name), storeKey, staging)) {
      copiedNos.push(Number(name.slice(0, -3)));
      yield piece;
    }
  }
  forgetDropped(index, storeKey, copiedNos);
  yield { name: 'gateway/gateway.db', path: index };
  rmSync(index);
}

/** Retention may have ended a file between the two looks; the index is not to miss it. */
function forgetDropped(index: string, storeKey: Uint8Array, nos: readonly number[]): void {
  const db = openLedgerFile(index, storeKey);
  try {
    translating('backup', () => {
      const known = db.prepare('SELECT no FROM segments').pluck().all() as number[];
      for (const no of known.filter((one) => !nos.includes(one))) db.prepare('DELETE FROM segments WHERE no = ?').run(no);
      // All into the one file that is taken along.
      db.pragma('wal_checkpoint(TRUNCATE)');
    });
  } finally {
    db.close();
  }
}

function* copied(name: string, path: string, storeKey: Uint8Array, staging: string): Generator<Piece> {
  const to = join(staging, 'copy.db');
  rmSync(to, { force: true });
  try {
    copyDatabase(path, storeKey, to);
  } catch (error) {
    // A day's file that retention took away just now.
    if (codeOf(error) === 'store.failed' && !existsSync(path)) return;
    throw error;
  }
  yield { name, path: to };
  rmSync(to);
}

function* plain(name: string, directory: string, names: readonly string[]): Generator<Piece> {
  for (const one of names) if (existsSync(join(directory, one))) yield { name: `${name}/${one}`, path: join(directory, one) };
}

const namesIn = (directory: string, form: RegExp): string[] =>
  existsSync(directory)
    ? readdirSync(directory)
        .filter((name) => form.test(name))
        .toSorted()
    : [];

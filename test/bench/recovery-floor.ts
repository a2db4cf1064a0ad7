/**
 * The floor of recovery.bench.ts: a process that opens the same SQLite files and reads a table of each, which is what has SQLite bring a log back
 * that nobody closed. It is killed like the gateway, so that the files are as they were.
 */
import Database from 'better-sqlite3';
import { answering } from './bench-process.ts';

export interface EncryptedFile {
  readonly path: string;
  /** In hex. */
  readonly key: string;
}

export type FloorTalk = {
  open: { ask: { readonly files: readonly EncryptedFile[] }; answer: object };
  /** The first number that each statement gives, on the files in their order. */
  numbers: { ask: { readonly sql: readonly string[] }; answer: { readonly numbers: readonly number[] } };
};

answering<FloorTalk, object>(() => {
  let opened: Database.Database[] = [];
  return {
    open({ files }) {
      opened = files.map(({ path, key }) => {
        const db = new Database(path, { fileMustExist: true });
        db.pragma("cipher = 'aegis'");
        db.pragma(`key = "x'${key}'"`);
        db.prepare('SELECT count(*) FROM sqlite_schema').get();
        return db;
      });
      return {};
    },
    numbers: ({ sql }) => ({ numbers: sql.map((one, at) => Number(opened[at]?.prepare(one).pluck().get())) }),
  };
});

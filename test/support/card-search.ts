/**
 * Looks for one card in everything that a house keeps: every store opened with its key, free pages, logs and cells of columns included; every
 * sealed row opened; and every backup unpacked and searched in the same way. What a row's bytes were is remembered, so that a row that nobody
 * can open any more is found where it was left behind.
 */
import { createSecretKey } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import Database from 'better-sqlite3';
import { openCoreDb } from '../../core/core-db.ts';
import { DayKeys } from '../../core/day-keys.ts';
import { readCoreKeys } from '../../core/keys.ts';
import { CardNames } from '../../core/pseudonym.ts';
import { unpack } from '../../gateway/backup/backup-file.ts';
import type { Opening } from '../../gateway/backup/locks.ts';
import { type Identity, openIdentity } from '../../gateway/identity.ts';
import { indexPseudonym } from '../../gateway/pseudonym.ts';
import { decodeBatch, listOf } from '../../protocol/batch.ts';
import { decodeCbor } from '../../protocol/cbor.ts';
import { publicKeyFromRaw } from '../../protocol/ed25519.ts';
import { codeOf } from '../../protocol/errors.ts';
import { decodeEvent } from '../../protocol/event-codec.ts';
import type { KioskId, Seq } from '../../protocol/ids.ts';
import { openContentKey, verifyKeyRecord } from '../../protocol/key-record.ts';
import { lostDigestOf } from '../../protocol/lost-card.ts';
import { noticeDigestOf } from '../../protocol/notice.ts';
import { RowOpener } from '../../protocol/row.ts';
import type { Visitor } from '../../protocol/visitor.ts';
import { bytesSecret, type Secret, searchTree } from './leak-search.ts';
import { searchOpened } from './opened-search.ts';

interface SealedRows {
  readonly where: string;
  readonly kiosk: KioskId;
  readonly kioskPublicKey: Uint8Array;
  readonly record: Uint8Array;
  readonly seqs: readonly Seq[];
  readonly rows: readonly Uint8Array[];
}

export class CardSearch {
  readonly #visitor: Visitor;
  readonly #opening: Opening | undefined;
  /** By their bytes, as text. */
  readonly #sealed = new Map<string, Uint8Array>();

  /** @param opening of backups, where there are any. */
  constructor(visitor: Visitor, opening?: Opening) {
    this.#visitor = visitor;
    this.#opening = opening;
  }

  /**
   * @param data a data directory, `gateway`, `core` and kiosks below it; or one that a backup was unpacked into. Backups end in `.backup`.
   * @returns where it was found and as what, sorted, each once.
   */
  async find(data: string): Promise<string[]> {
    const found = new Set<string>();
    const identity = existsSync(join(data, 'gateway', 'keys')) ? await openIdentity(join(data, 'gateway')) : undefined;
    if (identity !== undefined) for (const where of await this.#openRows(data, identity)) found.add(`${where}: an opened row`);
    const secrets = await this.#secretsOf(data, identity);
    const backups = filesIn(data).filter((path) => path.endsWith('.backup'));
    for (const { where, secret } of searchTree(data, secrets, () => false)) found.add(`${where}: ${secret}`);
    for (const [path, key] of await keysOf(data, identity))
      for (const { secret } of searchOpened(path, key, secrets)) found.add(`${relative(data, path)}: ${secret}`);
    for (const path of backups) for (const line of await this.#findIn(path)) found.add(`${basename(path)}/${line}`);
    return [...found].sort();
  }

  async #findIn(backup: string): Promise<string[]> {
    if (this.#opening === undefined) throw new Error('a backup, and nothing to open it with');
    const dir = mkdtempSync(join(tmpdir(), 'backup-'));
    try {
      await unpack(backup, this.#opening, join(dir, 'all'));
      return await this.find(join(dir, 'all'));
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  }

  async #secretsOf(data: string, identity: Identity | undefined): Promise<Secret[]> {
    const { card, publicKey } = this.#visitor;
    const coreKeys = join(data, 'core', 'keys');
    return [
      bytesSecret('UUID', card),
      bytesSecret('public key', publicKey),
      bytesSecret('digest for notices', noticeDigestOf(card)),
      bytesSecret('digest of lost cards', lostDigestOf(card)),
      ...(identity === undefined
        ? []
        : [bytesSecret("the gateway's name", indexPseudonym(createSecretKey(identity.indexPseudonymKey), card))]),
      ...(existsSync(coreKeys)
        ? [bytesSecret("the core's name", new CardNames((await readCoreKeys(coreKeys)).pseudonymKey).of(card))]
        : []),
      ...[...this.#sealed.values()].map((row): Secret => ({ name: 'a sealed row', forms: [Buffer.from(row)] })),
    ];
  }

  /** @returns where rows of the card lie. */
  async #openRows(data: string, identity: Identity): Promise<string[]> {
    const places: string[] = [];
    for (const sealed of sealedIn(data, identity)) {
      const opener = await openerOf(sealed, identity);
      if (opener === undefined) continue;
      for (const row of sealed.rows) {
        if (!sealed.seqs.some((seq) => isOf(opener, row, seq, this.#visitor.card))) continue;
        places.push(sealed.where);
        this.#sealed.set(Buffer.from(row).toString('latin1'), row);
      }
    }
    return places;
  }
}

const filesIn = (directory: string): string[] =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

/** Every encrypted store there is, with its key. */
async function keysOf(data: string, identity: Identity | undefined): Promise<(readonly [path: string, key: Uint8Array])[]> {
  const databases = filesIn(data).filter((path) => path.endsWith('.db'));
  const inGateway = databases.filter((path) => relative(data, path).startsWith('gateway/'));
  const known = identity === undefined ? [] : inGateway.map((path) => [path, identity.storeKey] as const);
  if (!existsSync(join(data, 'core', 'core.db'))) return known;
  const { storeKey } = await readCoreKeys(join(data, 'core', 'keys'));
  const db = openCoreDb(join(data, 'core', 'core.db'), storeKey, 'read');
  const dayKeys = new DayKeys(db);
  const days = dayKeys.days().flatMap((day) => {
    const path = join(data, 'core', 'days', `${day}.db`);
    const key = dayKeys.find(day)?.key;
    return key === undefined || !existsSync(path) ? [] : [[path, key] as const];
  });
  db.close();
  const others = ['core.db', 'audit.db'].map((name) => join(data, 'core', name)).filter((path) => existsSync(path));
  return [...known, ...days, ...others.map((path) => [path, storeKey] as const)];
}

/** Ledger, quarantine and outboxes. */
function* sealedIn(data: string, identity: Identity): Generator<SealedRows> {
  const gateway = join(data, 'gateway');
  const publicKeys = new Map<string, Uint8Array>();
  for (const path of existsSync(join(gateway, 'ledger')) ? filesIn(join(gateway, 'ledger')) : []) {
    if (!path.endsWith('.db')) continue;
    const db = opened(path, identity.storeKey);
    const sql =
      'SELECT kiosk, kiosk_public_key, sign1, record, rows FROM entries JOIN sources USING (source_no) JOIN key_records USING (record_no)';
    for (const entry of db.prepare(sql).all() as {
      kiosk: KioskId;
      kiosk_public_key: Buffer;
      sign1: Buffer;
      record: Buffer;
      rows: Buffer;
    }[]) {
      publicKeys.set(entry.kiosk, entry.kiosk_public_key);
      const rows = decodeCbor(entry.rows, 'rows', 1_000_000) as Uint8Array[];
      const seqs = listOf(entry.sign1).listed.map(({ seq }) => seq);
      const { kiosk, record } = entry;
      yield { where: relative(data, path), kiosk, kioskPublicKey: entry.kiosk_public_key, record, seqs, rows };
    }
    db.close();
  }
  if (existsSync(join(gateway, 'registry.db'))) {
    const db = opened(join(gateway, 'registry.db'), identity.storeKey);
    for (const row of db.prepare('SELECT kiosk, public_key FROM kiosks').all() as { kiosk: string; public_key: Buffer }[])
      publicKeys.set(row.kiosk, row.public_key);
    db.close();
  }
  if (existsSync(join(gateway, 'gateway.db'))) {
    const db = opened(join(gateway, 'gateway.db'), identity.storeKey);
    const all = db.prepare('SELECT kiosk, seq, key_record, content FROM quarantine').all();
    for (const { kiosk, seq, key_record, content } of all as {
      kiosk: KioskId;
      seq: Seq | null;
      key_record: Buffer | null;
      content: Buffer;
    }[]) {
      const kioskPublicKey = publicKeys.get(kiosk);
      if (kioskPublicKey === undefined) continue;
      const where = 'gateway/gateway.db quarantine';
      if (seq !== null && key_record !== null) yield { where, kiosk, kioskPublicKey, record: key_record, seqs: [seq], rows: [content] };
      else {
        const batch = decodeBatch(content);
        const seqs = listOf(batch.sign1).listed.map((listed) => listed.seq);
        yield { where, kiosk, kioskPublicKey, record: batch.keyRecord, seqs, rows: batch.rows };
      }
    }
    db.close();
  }
  for (const path of filesIn(data).filter((file) => basename(file) === 'outbox.db')) {
    const db = new Database(path, { readonly: true });
    const records = db.prepare('SELECT key, record FROM keys').all() as { key: number; record: Buffer }[];
    for (const { key, record } of records) {
      const rows = db.prepare('SELECT seq, row FROM rows WHERE key = ?').all(key) as { seq: Seq; row: Buffer }[];
      // Whose it is, the record says itself: one of the kiosks that are known.
      for (const [kiosk, kioskPublicKey] of publicKeys)
        for (const { seq, row } of rows)
          yield { where: relative(data, path), kiosk: kiosk as KioskId, kioskPublicKey, record, seqs: [seq], rows: [row] };
    }
    db.close();
  }
}

async function openerOf({ kiosk, kioskPublicKey, record }: SealedRows, identity: Identity): Promise<RowOpener | undefined> {
  const place = { deployment: identity.deployment, kiosk };
  try {
    const verified = verifyKeyRecord(record, { ...place, publicKey: publicKeyFromRaw(kioskPublicKey) });
    const { epoch, keyId } = verified;
    return new RowOpener({ ...place, epoch, keyId }, await openContentKey(verified, place, identity.holders));
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return undefined;
  }
}

function isOf(opener: RowOpener, row: Uint8Array, seq: Seq, card: Uint8Array): boolean {
  try {
    const event = decodeEvent(opener.open(row, seq));
    return 'card' in event && Buffer.compare(event.card, card) === 0;
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return false;
  }
}

function opened(path: string, key: Uint8Array): Database.Database {
  const db = new Database(path, { readonly: true });
  db.pragma("cipher = 'aegis'");
  db.pragma(`key = "x'${Buffer.from(key).toString('hex')}'"`);
  return db;
}

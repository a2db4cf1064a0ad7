/** The file that a backup is: whole, or refused by a name. */
import { existsSync, openSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { readBackup, unpack, writeBackup } from '../../gateway/backup/backup-file.ts';
import { type Locking, makeHead, type Opening } from '../../gateway/backup/locks.ts';
import { CHUNK_BYTES, SealedReader, SealedWriter } from '../../gateway/backup/sealed-file.ts';
import { generateRecipient } from '../../protocol/hpke.ts';
import type { DeploymentId } from '../../protocol/ids.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import fc from '../support/properties.ts';

const ABOUT = { createdAtMs: 1_795_251_600_000 as EpochMillis, deployment: 'd3p10ym3nt000001' as DeploymentId };
const { recipient, privateKey } = await generateRecipient();
/** Opens in a millisecond: a passphrase takes half a second, by design. */
const LOCKING: Locking = { kind: 'key', recipient };
const OPENING: Opening = { kind: 'key', privateKey };

const bytesOf = (length: number, seed: number): Buffer =>
  Buffer.from(Array.from({ length }, (_, at) => (at * 31 + seed * 7 + (at >> 8)) & 255));

async function write(t: Test, files: readonly Buffer[], lockings: readonly Locking[] = [LOCKING]): Promise<string> {
  const dir = t.testdir();
  const pieces = files.map((bytes, at) => {
    const path = join(dir, `piece-${at}`);
    writeFileSync(path, bytes);
    return { name: `gateway/ledger/${at}.db`, path };
  });
  const to = join(dir, 'a.backup');
  await writeBackup(to, lockings, ABOUT, pieces);
  return to;
}

async function readAll(path: string, opening = OPENING): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  await readBackup(path, opening, (name) => {
    const parts: Uint8Array[] = [];
    return { take: (bytes) => parts.push(new Uint8Array(bytes)), end: () => files.set(name, Buffer.concat(parts)) };
  });
  return files;
}

t.test('backup file: any files come back as they were, at every length around a chunk', async (t) => {
  const lengths = fc.constantFrom(0, 1, 100, CHUNK_BYTES - 60, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES + 5);
  await fc.assert(
    fc.asyncProperty(fc.array(lengths, { maxLength: 4 }), async (wanted) => {
      await t.test('one', async (t) => {
        const files = wanted.map((length, at) => bytesOf(length, at));
        const read = await readAll(await write(t, files));
        t.strictSame(
          [...read.values()].map((bytes) => bytes.toString('base64')),
          files.map((bytes) => bytes.toString('base64')),
        );
      });
    }),
    { numRuns: 12 },
  );
});

t.test('backup file: cut off anywhere it is refused by name, and nothing of it is taken for whole', async (t) => {
  const path = await write(t, [bytesOf(700, 1), bytesOf(CHUNK_BYTES, 2)]);
  const whole = readFileSync(path);
  const cut = join(t.testdir(), 'cut');
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.integer({ min: 0, max: 400 }), fc.integer({ min: 0, max: whole.length - 1 })), async (length) => {
      writeFileSync(cut, whole.subarray(0, length));
      const code = await readAll(cut).then(
        () => 'read',
        (error: { code: string }) => error.code,
      );
      return code === 'backup.truncated' || (length === 0 && code === 'backup.not_one');
    }),
    { numRuns: 200 },
  );
});

t.test('backup file: any altered byte is refused by name', async (t) => {
  const path = await write(t, [bytesOf(700, 1), bytesOf(CHUNK_BYTES, 2)]);
  const whole = readFileSync(path);
  const altered = join(t.testdir(), 'altered');
  const codes = new Set(['backup.altered', 'backup.wrong_key', 'backup.truncated', 'backup.not_one', 'backup.version']);
  const anyByte = fc.oneof(fc.integer({ min: 0, max: 160 }), fc.integer({ min: 0, max: whole.length - 1 }));
  await fc.assert(
    fc.asyncProperty(anyByte, fc.integer({ min: 1, max: 255 }), async (at, by) => {
      const bytes = Buffer.from(whole);
      bytes.writeUInt8((bytes.readUInt8(at) ^ by) & 255, at);
      writeFileSync(altered, bytes);
      return await readAll(altered).then(
        () => false,
        (error: { code: string }) => codes.has(error.code),
      );
    }),
    { numRuns: 400 },
  );
});

t.test('backup file: chunks left out, doubled, moved, and bytes behind the end are refused', async (t) => {
  const dir = t.testdir();
  const head = await makeHead([LOCKING]);
  const path = join(dir, 'sealed');
  const writer = new SealedWriter(openSync(path, 'w'), head);
  writer.write(bytesOf(3 * CHUNK_BYTES + 10, 3));
  writer.end();
  const whole = readFileSync(path);
  const at = head.bytes.length;
  const one = CHUNK_BYTES + 20;
  const [first, second, third, last] = [0, 1, 2, 3].map((chunk) => whole.subarray(at + chunk * one, at + (chunk + 1) * one));
  const refusal = (...chunks: (Buffer | undefined)[]): string => {
    writeFileSync(join(dir, 'moved'), Buffer.concat(chunks.map((chunk) => chunk ?? Buffer.alloc(0))));
    const reader = new SealedReader(openSync(join(dir, 'moved'), 'r'), head);
    try {
      reader.readExactly(3 * CHUNK_BYTES + 10);
      reader.end();
      return 'read';
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
  t.equal(refusal(first, second, third, last), 'read');
  t.equal(refusal(first, third, last), 'backup.altered');
  t.equal(refusal(first, first, second, third, last), 'backup.altered');
  t.equal(refusal(second, first, third, last), 'backup.altered');
  t.equal(refusal(first, second, third), 'backup.truncated');
  t.equal(refusal(first, second, third, last, Buffer.of(0)), 'backup.altered');
  t.equal(refusal(first, second, last), 'backup.altered');
});

t.test('backup file: opens with a passphrase or any key it was made for, and with no other', async (t) => {
  const other = await generateRecipient();
  const passphrase = 'correct horse battery';
  const path = await write(t, [bytesOf(10, 0)], [{ kind: 'passphrase', passphrase }, { kind: 'key', recipient: other.recipient }, LOCKING]);
  for (const opening of [OPENING, { kind: 'key', privateKey: other.privateKey } as const, { kind: 'passphrase', passphrase } as const])
    t.equal((await readAll(path, opening)).size, 1);
  await t.rejects(readAll(path, { kind: 'passphrase', passphrase: 'correct horse batterie' }), { code: 'backup.wrong_key' });
  await t.rejects(readAll(path, { kind: 'key', privateKey: (await generateRecipient()).privateKey }), { code: 'backup.wrong_key' });
  await t.rejects(write(t, [], [{ kind: 'passphrase', passphrase: 'too short' }]), { code: 'backup.weak_passphrase' });
});

t.test('backup file: a later version, and another file, are told apart', async (t) => {
  const path = await write(t, []);
  const bytes = readFileSync(path);
  bytes[16] = 2;
  writeFileSync(path, bytes);
  await t.rejects(readAll(path), { code: 'backup.version' });
  writeFileSync(path, 'SQLite format 3');
  await t.rejects(readAll(path), { code: 'backup.not_one' });
  truncateSync(path);
  await t.rejects(readAll(path), { code: 'backup.not_one' });
  await t.rejects(readAll(join(t.testdir(), 'none')), { code: 'config.invalid' });
});

t.test('backup file: says nothing of what is in it', async (t) => {
  const bytes = readFileSync(await write(t, [Buffer.from('a secret that is easily found')])).toString('latin1');
  for (const told of ['secret', 'gateway', 'ledger', ABOUT.deployment]) t.notMatch(bytes, told);
});

t.test('backup file: is whole under its name, or not there; one that is there is not written over', async (t) => {
  const dir = t.testdir();
  const to = join(dir, 'a.backup');
  const torn = function* () {
    yield { name: 'gateway/registry.db', path: import.meta.filename };
    throw new Error('torn');
  };
  await t.rejects(writeBackup(to, [LOCKING], ABOUT, torn()), /torn/);
  t.strictSame(readdirSync(dir), [], 'no draft is left');
  writeFileSync(to, 'here before');
  await t.rejects(writeBackup(to, [LOCKING], ABOUT, []), { code: 'backup.exists' });
  t.equal(readFileSync(to, 'utf8'), 'here before');
});

t.test('backup file: no name in it leads out of the directory', async (t) => {
  const dir = t.testdir();
  const bad = ['../gateway/a', 'gateway/../../a', '/etc/passwd', 'gateway/.ssh', 'kiosk/kiosk.key', 'gateway/a/b/c', 'gateway', ''];
  for (const [at, name] of bad.entries()) {
    const to = join(dir, `${at}`);
    await t.rejects(writeBackup(to, [LOCKING], ABOUT, [{ name, path: import.meta.filename }]), name);
    t.notOk(existsSync(to));
  }
  await t.rejects(unpack(await write(t, []), OPENING, dir), { code: 'backup.exists' }, 'nor over one that is there');
});

import { createHash } from 'node:crypto';
import t from 'tap';
import { generateSigningKey, privateKeyFromSeed, publicKeyFromRaw, rawPublicKey } from '../../protocol/ed25519.ts';
import {
  bundleStart,
  encodeReleaseHead,
  judgeRelease,
  LONGEST_HEAD_BYTES,
  openReleaseHead,
  type ReleaseManifest,
  readBundleStart,
  releaseDigest,
  releaseKeyId,
  START_BYTES,
} from '../../protocol/release.ts';
import { layoutOf, openChunk, packChunk } from '../../protocol/release-chunk.ts';
import { compareVersions, parseVersion, type ReleaseVersion, versionText } from '../../protocol/release-version.ts';
import { encodeReleaseWord, openReleaseWord, type ReleaseWord } from '../../protocol/release-word.ts';
import { commonRevision } from '../../protocol/wire-revision.ts';
import fc from '../support/properties.ts';
import { bitFlipsOf, bytesOf, hexOf, outcomeOf, prefixesOf, readWireVectors } from '../support/wire.ts';

const vectors = readWireVectors('release.json');
const [{ manifest, hex: headHex, digest }] = vectors.heads;
const signingKey = privateKeyFromSeed(vectors.releaseSeed);
const keys = [rawPublicKey(generateSigningKey()), bytesOf(vectors.releasePublicKey)];
const bundle = bytesOf(vectors.bundle);

t.test('release: the head is written and read as the vector says, and refused when cut', (t) => {
  t.equal(hexOf(encodeReleaseHead(manifest, signingKey)), headHex);
  t.strictSame(openReleaseHead(bytesOf(headHex), keys), manifest);
  t.equal(hexOf(releaseKeyId(bytesOf(vectors.releasePublicKey))), vectors.keyId);
  t.equal(hexOf(releaseDigest(bytesOf(headHex))), digest);
  for (const prefix of prefixesOf(bytesOf(headHex)))
    if (outcomeOf(() => openReleaseHead(prefix, keys)) !== 'decode.truncated') t.fail(`${prefix.length} bytes`);
  t.strictSame(openReleaseHead(bytesOf(vectors.passable.hex), keys), manifest, vectors.passable.name);
  t.end();
});

t.test('release: a bundle is its start, its head, and the chunks one after the other', (t) => {
  const headBytes = readBundleStart(bundle.subarray(0, START_BYTES));
  const head = bundle.subarray(START_BYTES, START_BYTES + headBytes);
  t.equal(hexOf(head), headHex);
  t.equal(hexOf(bundleStart(head)), hexOf(bundle.subarray(0, START_BYTES)));
  const { chunks, lengthBytes } = layoutOf(openReleaseHead(head, keys), headBytes);
  t.equal(lengthBytes, bundle.length);
  for (const [name, hex] of Object.entries(vectors.unpacked)) {
    const plain = Buffer.concat(
      chunks.filter(({ part }) => part === name).map((chunk) => openChunk(bundle.subarray(chunk.at, chunk.at + chunk.storedBytes), chunk)),
    );
    t.equal(plain.toString('hex'), hex, `${name}, unpacked`);
  }
  t.end();
});

for (const { name, hex, error } of vectors.refused) {
  t.test(`release: ${name} is refused as ${error}`, (t) => {
    t.equal(
      outcomeOf(() => openReleaseHead(bytesOf(hex), keys)),
      error,
    );
    t.end();
  });
}

t.test('release: any flipped bit of head or chunk is refused by code, before anything is unpacked', (t) => {
  const taken: number[] = [];
  for (const { bit, flipped } of bitFlipsOf(bytesOf(headHex)))
    if (!/^(seal|decode|release)\./.test(outcomeOf(() => openReleaseHead(flipped, keys)))) taken.push(bit);
  t.strictSame(taken, []);
  const [chunk] = layoutOf(manifest, bytesOf(headHex).length).chunks;
  for (const { bit, flipped } of bitFlipsOf(bundle.slice(chunk!.at, chunk!.at + chunk!.storedBytes)))
    if (outcomeOf(() => openChunk(flipped, chunk!)) !== 'release.altered') t.fail(`bit ${bit}`);
  t.end();
});

t.test('release: a start that is cut, none, or names a head too long is refused', (t) => {
  for (const prefix of prefixesOf(bundle.subarray(0, START_BYTES)))
    t.equal(
      outcomeOf(() => readBundleStart(prefix)),
      'release.truncated',
    );
  t.equal(
    outcomeOf(() => readBundleStart(new Uint8Array(START_BYTES))),
    'decode.malformed',
  );
  const long = bundle.slice(0, START_BYTES);
  new DataView(long.buffer).setUint32(8, LONGEST_HEAD_BYTES + 1);
  t.equal(
    outcomeOf(() => readBundleStart(long)),
    'decode.overlong',
  );
  t.end();
});

t.test('release: a chunk that was signed but does not unpack to its length is refused', (t) => {
  const [chunk] = layoutOf(manifest, bytesOf(headHex).length).chunks;
  for (const plainBytes of [4_095, 4_097])
    t.equal(
      outcomeOf(() => openChunk(bundle.subarray(chunk!.at, chunk!.at + chunk!.storedBytes), { ...chunk!, plainBytes })),
      'release.altered',
    );
  const stored = new TextEncoder().encode('no zstd');
  const signed = { ...chunk!, storedBytes: stored.length, digest: new Uint8Array(createHash('sha256').update(stored).digest()) };
  t.equal(
    outcomeOf(() => openChunk(stored, signed)),
    'release.altered',
  );
  t.end();
});

t.test('release: what is packed comes back, and is never longer than it was', (t) => {
  const plain = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 5_000 }),
    fc.integer({ min: 1, max: 5_000 }).map((n) => new Uint8Array(n)),
  );
  fc.assert(
    fc.property(plain, (bytes) => {
      const { stored, chunk } = packChunk(bytes);
      t.ok(stored.length <= bytes.length);
      t.strictSame(hexOf(openChunk(stored, { ...chunk, part: 'root', offset: 0, plainBytes: bytes.length, at: 0 })), hexOf(bytes));
      t.equal(hexOf(packChunk(bytes).stored), hexOf(stored), 'the same each time');
    }),
    { numRuns: 50 },
  );
  t.end();
});

const number = fc.integer({ min: 0, max: 65_535 });
const version = fc.tuple(number, number, number) as fc.Arbitrary<ReleaseVersion>;
const digests = fc.uint8Array({ minLength: 32, maxLength: 32 });
const wire = fc
  .tuple(fc.integer({ min: 1, max: 65_535 }), fc.nat(9))
  .map(([least, more]) => ({ least, greatest: Math.min(65_535, least + more) }));
const part = fc
  .record({ name: fc.stringMatching(/^[a-z0-9-]{1,16}$/), sizeBytes: fc.integer({ min: 1, max: 40_000 }), digest: digests, chunk: digests })
  .map(({ name, sizeBytes, digest, chunk }) => ({
    name,
    sizeBytes,
    digest,
    chunks: Array.from({ length: Math.ceil(sizeBytes / 4_096) }, (_, at) => ({
      storedBytes: Math.max(1, Math.min(4_096, sizeBytes - 4_096 * at) - (at % 3)),
      digest: chunk,
    })),
  }));
const anyManifest = fc.record(
  {
    version,
    board: fc.stringMatching(/^[a-z0-9-]{1,32}$/),
    wire,
    chunkBytes: fc.constant(4_096),
    parts: fc.uniqueArray(part, { minLength: 1, maxLength: 8, selector: ({ name }) => name }),
  },
  { noNullPrototype: true },
) as fc.Arbitrary<ReleaseManifest>;

t.test('release: every manifest comes back', (t) => {
  fc.assert(
    fc.property(anyManifest, (any) => {
      t.strictSame(openReleaseHead(encodeReleaseHead(any, signingKey), keys), any);
    }),
    { numRuns: 50 },
  );
  t.end();
});

t.test('release: the longest fits', (t) => {
  const chunks = Array.from({ length: 8_192 }, () => ({ storedBytes: 1_048_575, digest: new Uint8Array(32).fill(7) }));
  const whole = { name: 'root', sizeBytes: 8_192 * 1_048_576, digest: new Uint8Array(32), chunks };
  const longest = { ...manifest, chunkBytes: 1_048_576, parts: [whole] } as ReleaseManifest;
  const head = encodeReleaseHead(longest, signingKey);
  t.ok(head.length <= LONGEST_HEAD_BYTES, `${head.length} bytes`);
  t.strictSame(openReleaseHead(head, keys).parts[0]?.chunks.length, 8_192);
  t.end();
});

t.test('release: judged by board, version and revisions', (t) => {
  const here = { version: [1, 3, 9], board: 'rpi-arm64', peer: { least: 1, greatest: 2 } } as const;
  const verdict = (change: object, at: object = {}) => outcomeOf(() => judgeRelease({ ...manifest, ...change }, { ...here, ...at }));
  t.equal(verdict({}), 'nothing thrown');
  t.equal(verdict({ board: 'pc-x64' }), 'release.wrong_board');
  t.equal(verdict({ version: [1, 3, 9] }), 'release.older', 'what runs already is no update');
  t.equal(verdict({ version: [1, 2, 10] }), 'release.older');
  t.equal(verdict({ version: [1, 3, 10] }), 'nothing thrown', 'numbers, not text');
  t.equal(verdict({ wire: { least: 3, greatest: 4 } }), 'release.wire_new', 'the gateway is to be updated first');
  t.equal(verdict({}, { peer: { least: 3, greatest: 4 } }), 'release.wire_old');
  t.equal(verdict({ wire: { least: 2, greatest: 3 } }), 'nothing thrown', 'one release apart');
  t.equal(commonRevision({ least: 2, greatest: 3 }, { least: 1, greatest: 2 }), 2);
  t.end();
});

t.test('release: versions are read, written and ordered as numbers', (t) => {
  fc.assert(
    fc.property(version, version, (one, other) => {
      t.strictSame(parseVersion(versionText(one)), one);
      const byText = one.map((n, at) => Math.sign(n - other[at]!)).find((sign) => sign !== 0) ?? 0;
      t.equal(Math.sign(compareVersions(one, other)), byText);
    }),
  );
  t.strictSame(parseVersion('1.4.0-rc.1'), [1, 4, 0]);
  for (const text of ['', '1.4', '1.4.0.1', 'v1.4.0', '01.4.0', '1.4.65536', '1.4.100000'])
    t.equal(
      outcomeOf(() => parseVersion(text)),
      'decode.malformed',
      text,
    );
  t.end();
});

const signer = { ...vectors.place, publicKey: publicKeyFromRaw(bytesOf(vectors.receiptPublicKey)) };
const receiptKey = privateKeyFromSeed(vectors.receiptSeed);
const withOffered = (word: ReleaseWord): ReleaseWord => ({ ...word, offered: word.offered });

for (const { name, hex, word } of [...vectors.words, vectors.passableWord]) {
  t.test(`release word: ${name} is read as the vector says, and refused when cut`, (t) => {
    if (name !== vectors.passableWord.name) t.equal(hexOf(encodeReleaseWord(word, vectors.place, receiptKey)), hex);
    t.strictSame(openReleaseWord(bytesOf(hex), signer), withOffered(word));
    for (const prefix of prefixesOf(bytesOf(hex)))
      if (outcomeOf(() => openReleaseWord(prefix, signer)) !== 'decode.truncated') t.fail(`${prefix.length} bytes`);
    t.end();
  });
}

for (const { name, hex, error } of vectors.refusedWords) {
  t.test(`release word: ${name} is refused as ${error}`, (t) => {
    t.equal(
      outcomeOf(() => openReleaseWord(bytesOf(hex), signer)),
      error,
    );
    t.end();
  });
}

t.test('release word: every word comes back, and arbitrary bytes are refused by code', (t) => {
  const offered = fc.record({ digest: digests, lengthBytes: fc.integer({ min: 1, max: 2 ** 34 }), version }, { noNullPrototype: true });
  const anyWord = fc
    .record({
      number: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
      issuedAtMs: fc.integer({ min: 0, max: 2 ** 42 }),
      lastsMs: fc.integer({ min: 1, max: 2 ** 40 }),
      wire,
      offered: fc.option(offered, { nil: undefined }),
    })
    .map(({ lastsMs, number, issuedAtMs, wire, offered }) => ({ number, issuedAtMs, expiresAtMs: issuedAtMs + lastsMs, wire, offered }));
  fc.assert(
    fc.property(anyWord, (any) => {
      const word = any as unknown as ReleaseWord;
      t.strictSame(openReleaseWord(encodeReleaseWord(word, vectors.place, receiptKey), signer), word);
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => /^(seal|decode)\./.test(outcomeOf(() => openReleaseWord(bytes, signer)))),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) =>
      /^(seal|decode|release)\./.test(outcomeOf(() => openReleaseHead(bytes, keys))),
    ),
  );
  t.end();
});

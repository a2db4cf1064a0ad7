/** docs/protocol.md against the vectors, and so against the code: a stranger has nothing else. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type CborValue, decodeCbor } from '../../protocol/cbor.ts';
import { DELIVERY } from '../../protocol/topics.ts';
import { Cddl } from '../support/cddl.ts';
import { bytesOf, hexOf, outcomeOf, readWireVectors } from '../support/wire.ts';

const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/protocol.md'), 'utf8');
const blocks = (kind: string): { info: string; text: string }[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${kind} ?(.*)\n([^]*?)^\`\`\`$`, 'gm'))].map(([, info, text]) => ({ info: info!, text: text! }));

const cddl = new Cddl(
  blocks('cddl')
    .map(({ text }) => text)
    .join('\n'),
);
const decoded = (hex: string): CborValue => decodeCbor(bytesOf(hex), 'vector', 100_000);
/** The payload within a COSE_Sign1. */
const payloadOf = (hex: string): CborValue => decodeCbor((decoded(hex) as readonly Uint8Array[])[2]!, 'payload', 100_000);

const vectors = {
  event: readWireVectors('event.json'),
  row: readWireVectors('row.json'),
  keyRecord: readWireVectors('key-record.json'),
  batch: readWireVectors('batch.json'),
  receipt: readWireVectors('receipt.json'),
  policy: readWireVectors('policy.json'),
  notice: readWireVectors('notice.json'),
  command: readWireVectors('command.json'),
  time: readWireVectors('signed-time.json'),
  release: readWireVectors('release.json'),
};
const hexes = (list: readonly { hex: string }[]): string[] => list.map(({ hex }) => hex);

t.test('page: each block of hexadecimal is the vector that it names', (t) => {
  const shown = blocks('hex');
  t.ok(shown.length >= 20, `${shown.length} blocks`);
  for (const { info, text } of shown) {
    const [file, path] = info.split(' ') as [string, string];
    const value = path
      .replaceAll(/\[(\d+)\]/g, '.$1')
      .split('.')
      .reduce((at, key) => at?.[key], readWireVectors(file));
    t.equal(text.replaceAll(/\s/g, ''), value instanceof Uint8Array ? hexOf(value) : value, info);
  }
  t.end();
});

const MATCHES: readonly [string, readonly CborValue[]][] = [
  ['event', hexes(vectors.event.events).map(decoded)],
  ['encrypt0', hexes(vectors.row.rows).map(decoded)],
  ['row-aad', vectors.row.rows.map(({ externalAad }: { externalAad: string }) => decoded(externalAad))],
  ['sign1', [...hexes(vectors.keyRecord.records), ...hexes(vectors.receipt.receipts)].map(decoded)],
  ['key-record-payload', hexes(vectors.keyRecord.records).map(payloadOf)],
  ['key-record-aad', [decoded(vectors.keyRecord.externalAad)]],
  ['hpke-info', [decoded(vectors.keyRecord.info)]],
  ['batch', hexes(vectors.batch.batches).map(decoded)],
  ['list-payload', vectors.batch.batches.map(({ sign1 }: { sign1: string }) => payloadOf(sign1))],
  ['list-aad', [decoded(vectors.batch.externalAad)]],
  ['receipt-payload', hexes(vectors.receipt.receipts).map(payloadOf)],
  ['receipt-aad', [decoded(vectors.receipt.externalAad)]],
  ['policy-payload', hexes(vectors.policy.policies).map(payloadOf)],
  ['policy-aad', [decoded(vectors.policy.externalAad)]],
  ['notice-payload', hexes(vectors.notice.documents).map(payloadOf)],
  ['notice-aad', [decoded(vectors.notice.externalAad)]],
  ['command-payload', hexes(vectors.command.commands).map(payloadOf)],
  ['command-aad', [decoded(vectors.command.externalAad)]],
  ['time-payload', hexes(vectors.time.times).map(payloadOf)],
  ['time-aad', [decoded(vectors.time.externalAad)]],
  ['release-head', hexes(vectors.release.heads).map(decoded)],
  ['release-manifest', vectors.release.heads.map(({ payload }: { payload: string }) => decoded(payload))],
  ['release-aad', [decoded(vectors.release.externalAad)]],
  ['release-word-payload', hexes(vectors.release.words).map(payloadOf)],
  ['release-word-aad', [decoded(vectors.release.wordAad)]],
];

for (const [name, values] of MATCHES) {
  t.test(`page: every vector of ${name} is what its CDDL says, and nothing but it`, (t) => {
    t.ok(values.length > 0);
    for (const value of values) {
      t.ok(cddl.matches(name, value));
      t.notOk(cddl.matches(name, [value]));
    }
    t.end();
  });
}

t.test('page: the CDDL of an event refuses what the vectors say must be refused', (t) => {
  let tried = 0;
  for (const { name, hex } of vectors.event.refused) {
    if (outcomeOf(() => decoded(hex)) !== 'nothing thrown') continue;
    tried += 1;
    t.notOk(cddl.matches('event', decoded(hex)), name);
  }
  t.ok(tried > 25, `${tried} refused by their content, not their encoding`);
  t.end();
});

t.test('page: every code that it names is one, and every topic of a kiosk is in its table', (t) => {
  const codes = readFileSync(join(root, 'protocol/errors.ts'), 'utf8');
  for (const [, code] of page.matchAll(/`((?:decode|seal|ingest|enrol|admission|release(?!\.json)|policy(?!\.(?:json|why)))\.[a-z_]+)`/g))
    t.match(codes, `'${code}'`);
  for (const [leaf, { qos, retain }] of Object.entries(DELIVERY)) {
    const row = page.split('\n').find((line) => line.startsWith('| `vestibule/1/kiosk/<kiosk>/') && line.includes(leaf));
    t.match(row, `| ${qos} | ${retain ? 'yes' : 'no'} |`, leaf);
  }
  t.end();
});

t.test('page: its links lead to headings that are there', (t) => {
  const anchors = [...page.matchAll(/^## (.*)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replaceAll(/[^a-z0-9 -]/g, '')
      .replaceAll(' ', '-'),
  );
  for (const [, anchor] of page.matchAll(/\]\(#([^)]*)\)/g)) t.ok(anchors.includes(anchor!), `#${anchor}`);
  t.end();
});

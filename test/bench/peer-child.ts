/**
 * The subscribers that stand behind Mosquitto in gateway.bench.ts. `json`: verifies one signed JSON message an event and writes it to
 * SQLite. `batches`: the gateway's own verifying, opening, deciding and committing. Either commits each message before it acknowledges it, as the
 * gateway does; MQTT.js hands over one at a time, so that nothing shares its commit. Or, `isAckedFirst`, it acknowledges at once and commits what
 * one turn of the event loop brings: cheaper, and what a crash takes is lost.
 */
import { type KeyObject, verify } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { connectAsync } from 'mqtt';
import { publicKeyFromRaw } from '../../protocol/ed25519.ts';
import { parseTopic } from '../../protocol/topics.ts';
import { type Arrived, BareIngest } from './bare-ingest.ts';
import type { Target } from './bench-kiosk.ts';
import { answering, type Usage, usage } from './bench-process.ts';
import type { AdmittedKiosk } from './gateway-child.ts';

export type PeerTalk = {
  open: { ask: object; answer: { readonly target: Target } };
  admit: { ask: { readonly kiosks: readonly AdmittedKiosk[] }; answer: object };
  connect: { ask: { readonly port: number }; answer: object };
  /** Answers once this many rows were taken in all. */
  drained: { ask: { readonly rows: number }; answer: Usage };
  usage: { ask: object; answer: Usage };
};

export interface PeerOptions {
  readonly directory: string;
  readonly kind: 'json' | 'batches';
  readonly isAckedFirst: boolean;
}

type Take = (group: readonly Arrived[]) => Promise<number>;

answering<PeerTalk, PeerOptions>(({ directory, kind, isAckedFirst }) => {
  const keys = new Map<string, KeyObject>();
  let ingest: BareIngest | undefined;
  let taken = 0;
  let fault: unknown;
  let waiting: Arrived[] = [];
  let last: Promise<void> = Promise.resolve();

  mkdirSync(directory, { recursive: true });
  const takeJson = openJson(join(directory, `peer-${kind}.db`), keys);
  const take: Take = (group) => (kind === 'json' ? takeJson(group) : (ingest as BareIngest).take(group));
  const takeWaiting = () => {
    last = last
      .then(async () => {
        const group = waiting;
        waiting = [];
        taken += await take(group);
      })
      .catch((error: unknown) => {
        fault ??= error;
      });
  };

  return {
    async open() {
      ingest = await BareIngest.open(join(directory, `peer-${kind}`));
      return { target: ingest.target };
    },
    admit({ kiosks }) {
      for (const { kiosk, publicKey } of kiosks) {
        keys.set(kiosk, publicKeyFromRaw(new Uint8Array(Buffer.from(publicKey, 'base64url'))));
        ingest?.admit(kiosk, publicKey);
      }
      return {};
    },
    async connect({ port }) {
      const client = await connectAsync({ host: '127.0.0.1', port, clientId: 'subscriber' });
      client.handleMessage = ({ topic, payload }, done) => {
        const isFirst = waiting.push({ kiosk: parseTopic(topic)?.kiosk ?? '', message: Buffer.from(payload) }) === 1;
        if (isAckedFirst) {
          if (isFirst) setImmediate(takeWaiting);
          return done();
        }
        takeWaiting();
        last.then(() => done(), done);
      };
      await client.subscribeAsync('vestibule/1/kiosk/+/batch', { qos: 1 });
      return {};
    },
    async drained({ rows }) {
      while (taken < rows && fault === undefined) await new Promise((resolve) => setTimeout(resolve, 20));
      if (fault !== undefined) throw fault;
      return usage();
    },
    usage: () => usage(),
  };
});

const SIGNATURE = /,"signature":"([A-Za-z0-9+/=]+)"}$/;

function openJson(path: string, keys: ReadonlyMap<string, KeyObject>): Take {
  const db = new Database(path);
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = FULL');
  db.exec(
    'CREATE TABLE events (kiosk TEXT, seq INTEGER, at_ms INTEGER, type TEXT, card TEXT, event TEXT, PRIMARY KEY (kiosk, seq)) WITHOUT ROWID',
  );
  const insert = db.prepare('INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?, ?)');
  const insertAll = db.transaction((texts: readonly string[]) => {
    let rows = 0;
    for (const text of texts) {
      const { kiosk, seq, atMs, type, card } = JSON.parse(text) as Record<string, string | number>;
      rows += insert.run(kiosk, seq, atMs, type, card, text).changes;
    }
    return rows;
  });
  return (group) => {
    const texts = group.map(({ kiosk, message }) => {
      const text = Buffer.from(message).toString('utf8');
      const signature = SIGNATURE.exec(text)?.[1];
      const key = keys.get(kiosk);
      const body = text.replace(SIGNATURE, '');
      if (key === undefined || signature === undefined || !verify(null, Buffer.from(body), key, Buffer.from(signature, 'base64')))
        throw new Error('bench: a message whose signature does not fit');
      return text;
    });
    return Promise.resolve(insertAll(texts));
  };
}

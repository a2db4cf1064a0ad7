/**
 * The load of gateway.bench.ts, in a process of its own: kiosks that seal (or have sealed ahead) and sign live and keep a window of batches unanswered, as fast as
 * they are answered or at a given pace. A batch that is paced counts from when it was due, whether the window let it go or not.
 */

import { makeCertificate } from '../../protocol/certificate.ts';
import { BenchKiosk, type Target } from './bench-kiosk.ts';
import { answering, type Usage, usage } from './bench-process.ts';
import { quantile } from './figures.ts';
import { LoadConnection, type Papers } from './load-connection.ts';

export interface Load {
  /** Rows in a batch; 0 for one signed JSON message an event. */
  readonly rows: number;
  /** Batches each kiosk keeps unanswered: 8 is what a kiosk's uplink does. */
  readonly window: number;
  readonly kiosks: number;
  readonly seconds: number;
  /** `undefined`: as fast as they are answered. */
  readonly rowsPerSecond: number | undefined;
}

export interface LoadFigures {
  readonly batches: number;
  readonly rows: number;
  readonly lastedMs: number;
  readonly ackP50Ms: number;
  readonly ackP99Ms: number;
  readonly ackLongestMs: number;
  readonly cpuUs: number;
}

export type LoadTalk = {
  /** Kiosks of the load, made anew. */
  make: { ask: { readonly kiosks: number; readonly target: Target }; answer: { readonly kiosks: { kiosk: string; publicKey: string }[] } };
  connect: { ask: { readonly port: number; readonly isOneCertificate: boolean }; answer: object };
  /** Seals this many rows of each kiosk ahead of the next run. */
  seal: { ask: { readonly rows: number }; answer: object };
  run: { ask: Load; answer: LoadFigures };
  /** Connected, each by its own key, and silent. */
  idle: { ask: { readonly port: number; readonly kiosks: number }; answer: object };
  makeIdle: { ask: { readonly kiosks: number }; answer: { readonly kiosks: { kiosk: string; publicKey: string }[] } };
  certificate: { ask: object; answer: { readonly pem: string } };
  usage: { ask: object; answer: Usage };
  /** Seals, lists and signs batches for nobody, this share of the time, until asked to rest. */
  work: { ask: { readonly rows: number; readonly share: number; readonly target: Target }; answer: object };
  rest: { ask: object; answer: object };
};

const HANDSHAKES_AT_ONCE = 16;
/** Of work and rest, in turns. */
const TURN_MS = 10;

answering<LoadTalk, object>(() => {
  let kiosks: BenchKiosk[] = [];
  let connections: LoadConnection[] = [];
  let idle: Papers[] = [];
  const silent: LoadConnection[] = [];
  // Where a broker wants certificates of an authority, this one certificate is it, and all connect with it.
  const shared = new BenchKiosk();
  let sharedPem = '';
  let turns: NodeJS.Timeout | undefined;

  const run = ({ rows, window, kiosks: count, seconds, rowsPerSecond }: Load): Promise<LoadFigures> =>
    new Promise((resolve, reject) => {
      const own = connections.slice(0, count);
      const tookMs: number[] = [];
      const startedMs = performance.now();
      const endMs = startedMs + seconds * 1_000;
      const before = usage().cpuUs;
      const batchRows = Math.max(1, rows);
      const everyMs = rowsPerSecond === undefined ? 0 : (batchRows * own.length * 1_000) / rowsPerSecond;
      const nextDueMs = own.map((_, index) => startedMs + (everyMs * index) / own.length);
      let unanswered = 0;
      let timer: NodeJS.Timeout | undefined;
      const finish = () => {
        if (unanswered > 0 || performance.now() < endMs) return;
        clearTimeout(timer);
        const lastedMs = performance.now() - startedMs;
        resolve({
          batches: tookMs.length,
          rows: tookMs.length * batchRows,
          lastedMs,
          ackP50Ms: quantile(tookMs, 0.5),
          ackP99Ms: quantile(tookMs, 0.99),
          ackLongestMs: quantile(tookMs, 1),
          cpuUs: usage().cpuUs - before,
        });
      };
      const send = (index: number): void => {
        const connection = own[index] as LoadConnection;
        const kiosk = kiosks[index] as BenchKiosk;
        for (let nowMs = performance.now(); nowMs < endMs && connection.unanswered < window; nowMs = performance.now()) {
          const dueMs = everyMs === 0 ? nowMs : (nextDueMs[index] as number);
          if (dueMs > nowMs) return;
          nextDueMs[index] = dueMs + everyMs;
          unanswered += 1;
          connection.publish(rows === 0 ? kiosk.signedJson() : kiosk.batch(rows), dueMs);
        }
      };
      for (const [index, connection] of own.entries())
        connection.listen(
          (took) => {
            unanswered -= 1;
            tookMs.push(took);
            if (performance.now() < endMs) send(index);
            else finish();
          },
          () => reject(new Error('bench: the connection was closed')),
        );
      const sendAll = () => {
        for (const index of own.keys()) send(index);
        finish();
        timer = setTimeout(sendAll, 2);
      };
      sendAll();
    });

  return {
    async make({ kiosks: count, target }) {
      kiosks = Array.from({ length: count }, () => new BenchKiosk());
      for (const kiosk of kiosks) await kiosk.sealFor(target);
      return { kiosks: kiosks.map(({ kiosk, publicKey }) => ({ kiosk, publicKey })) };
    },
    async connect({ port, isOneCertificate }) {
      for (const connection of connections) connection.close();
      connections = await Promise.all(
        kiosks.map(({ kiosk, signingKey, topic }) =>
          LoadConnection.connect(
            port,
            isOneCertificate
              ? { clientId: kiosk, key: shared.signingKey, certificatePem: sharedPem }
              : { clientId: kiosk, key: signingKey },
            topic,
          ),
        ),
      );
      return {};
    },
    seal({ rows }) {
      for (const kiosk of kiosks) kiosk.sealAhead(rows);
      return {};
    },
    run,
    makeIdle({ kiosks: count }) {
      const made = Array.from({ length: count }, () => new BenchKiosk());
      idle = made.map(({ kiosk, signingKey }) => ({ clientId: kiosk, key: signingKey }));
      return { kiosks: made.map(({ kiosk, publicKey }) => ({ kiosk, publicKey })) };
    },
    async idle({ port }) {
      const waiting = [...idle];
      const one = async () => {
        for (let papers = waiting.pop(); papers !== undefined; papers = waiting.pop())
          silent.push(await LoadConnection.connect(port, papers, 'none'));
      };
      await Promise.all(Array.from({ length: HANDSHAKES_AT_ONCE }, one));
      return {};
    },
    async certificate() {
      sharedPem = await makeCertificate(shared.signingKey, 'load');
      return { pem: sharedPem };
    },
    usage: () => usage(),
    async work({ rows, share, target }) {
      // A kiosk of its own: the others' sequence numbers go on where they were.
      const hand = new BenchKiosk();
      await hand.sealFor(target);
      const turn = () => {
        const startedMs = performance.now();
        while (performance.now() - startedMs < share * TURN_MS) hand.batch(rows);
      };
      turns = setInterval(turn, TURN_MS);
      return {};
    },
    rest() {
      clearInterval(turns);
      return {};
    },
  };
});

/** Bytes for the fuzzer: packets that a client might send, and what can be done to them. Everything comes from one seed. */
import type { TestKiosk } from '../support/test-kiosk.ts';
import * as mqtt from './packets.ts';

export type Random = () => number;

export const upTo = (random: Random, most: number): number => Math.floor(random() * most);
const one = <T>(random: Random, of: readonly T[]): T => of[upTo(random, of.length)] as T;
const noise = (random: Random, most: number): Buffer => Buffer.from(Array.from({ length: upTo(random, most) }, () => upTo(random, 256)));

/** Marks all that nobody may ever be told, kept or not. */
export const MARK = 'FUZZ-MARK';

const STATE = Buffer.from(
  '{"isUp":true,"state":"up","queued":0,"clock":"synced","devices":[{"name":"scanner","isUp":true}],"version":"1"}',
);
const TOPICS = [
  '#',
  '+',
  '',
  'a',
  '/',
  '$SYS/x',
  'vestibule/1/events/x/check-in',
  'vestibule/1/gateway/state',
  'x/'.repeat(300),
  '\u0000',
  '\ud800',
  'é',
];

export function topic(random: Random, kiosks: readonly TestKiosk[]): string {
  const leaf = one(random, ['batch', 'state', 'receipt', 'policy', 'notice', 'command', '+', '#', 'batch/x', '']);
  return random() < 0.3 ? one(random, TOPICS) : `vestibule/1/kiosk/${random() < 0.1 ? '+' : one(random, kiosks).kiosk}/${leaf}`;
}

type Make = (random: Random, kiosks: readonly TestKiosk[], own: readonly Uint8Array[]) => Buffer;

const mine = (kiosks: readonly TestKiosk[], leaf: string): string => `vestibule/1/kiosk/${kiosks[0]?.kiosk ?? ''}/${leaf}`;
const idOf = (random: Random): number => upTo(random, 65_536);
const topics = (random: Random, kiosks: readonly TestKiosk[]): string[] =>
  Array.from({ length: 1 + upTo(random, 4) }, () => topic(random, kiosks));

/** What is taken, or answered at least: it leads to what lies deeper. */
const TAKEN: readonly Make[] = [
  (random, kiosks, own) => mqtt.publish(mine(kiosks, 'batch'), mutate(random, one(random, own)), idOf(random)),
  (random, kiosks, own) => mqtt.publish(mine(kiosks, 'batch'), one(random, own), idOf(random)),
  (random, kiosks) => mqtt.publish(mine(kiosks, 'batch'), noise(random, 400), idOf(random)),
  (random, kiosks) => mqtt.publish(mine(kiosks, 'state'), mutate(random, STATE), idOf(random), 0b0011),
  (random, kiosks) => mqtt.publish(mine(kiosks, 'state'), Buffer.from(`{"isUp":true,"version":"${MARK}"}`), idOf(random), 0b0011),
  (random, kiosks) => mqtt.subscribe([mine(kiosks, 'receipt'), 'vestibule/1/events/#'], idOf(random)),
  (random, kiosks) => mqtt.unsubscribe([mine(kiosks, 'receipt')], idOf(random)),
  (random) => mqtt.packet(one(random, [0x40, 0x50, 0x62, 0x70]), Buffer.from([upTo(random, 256), upTo(random, 256)])),
  () => mqtt.PINGREQ,
];

/** What mostly ends the connection. */
const REFUSED: readonly Make[] = [
  (random, kiosks, own) => mqtt.publish(topic(random, kiosks), one(random, own), idOf(random), upTo(random, 16)),
  (random, kiosks) =>
    mqtt.publish(topic(random, kiosks), Buffer.concat([Buffer.from(MARK), noise(random, 300)]), idOf(random), upTo(random, 16)),
  (random, kiosks) => mqtt.subscribe(topics(random, kiosks), idOf(random)),
  (random, kiosks) => mqtt.unsubscribe(topics(random, kiosks), idOf(random)),
  (random) => mqtt.packet(upTo(random, 256), noise(random, 64)),
  () => mqtt.DISCONNECT,
  (random, kiosks) =>
    mqtt.connect(one(random, [one(random, kiosks).kiosk, 'x', '', '\u0000', 'y'.repeat(300)]), {
      keepAliveS: idOf(random),
      ...(random() < 0.4 ? { will: { topic: topic(random, kiosks), payload: Buffer.from(MARK) } } : {}),
      ...(random() < 0.4 ? { account: 'operator' } : {}),
      ...(random() < 0.4 ? { secret: MARK } : {}),
    }),
];

/** @param own batches that are well-formed and signed by nobody who is admitted. */
const packet: Make = (random, kiosks, own) => one(random, random() < 0.85 ? TAKEN : REFUSED)(random, kiosks, own);

/** One to three changes: bits, lengths, cuts, insertions, repetitions. */
export function mutate(random: Random, given: Uint8Array): Buffer {
  let bytes = Buffer.from(given);
  for (let changes = 1 + upTo(random, 3); changes > 0 && bytes.length > 0; changes--) {
    const at = upTo(random, bytes.length);
    switch (upTo(random, 7)) {
      case 0:
        bytes[at] = (bytes[at] ?? 0) ^ (1 << upTo(random, 8));
        break;
      case 1:
        bytes[at] = one(random, [0x00, 0x01, 0x7f, 0x80, 0xff]);
        break;
      case 2:
        bytes = bytes.subarray(0, at);
        break;
      case 3:
        bytes = Buffer.concat([bytes.subarray(0, at), noise(random, 32), bytes.subarray(at)]);
        break;
      case 4:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + upTo(random, 8))]);
        break;
      case 5:
        bytes = Buffer.concat([bytes, bytes.subarray(at)]);
        break;
      default:
        // The lengths of the fixed header and of what follows.
        bytes[Math.min(bytes.length - 1, 1 + upTo(random, 4))] = upTo(random, 256);
    }
  }
  return bytes;
}

/** A handful of packets, some of them changed, cut into chunks of any length. */
export function chunks(random: Random, kiosks: readonly TestKiosk[], own: readonly Uint8Array[]): Buffer[] {
  const packets = Array.from({ length: 1 + upTo(random, 8) }, () => {
    const whole = packet(random, kiosks, own);
    return random() < 0.15 ? mutate(random, whole) : whole;
  });
  let rest = Buffer.concat(packets);
  const cut: Buffer[] = [];
  while (rest.length > 0) {
    const length = random() < 0.7 ? rest.length : 1 + upTo(random, rest.length);
    cut.push(rest.subarray(0, length));
    rest = rest.subarray(length);
  }
  return cut;
}

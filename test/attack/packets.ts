/** MQTT packets as an attacker makes them: right unless told otherwise. Source: MQTT 3.1.1, sections 1.5.3, 2.2 and 3. */

export const text = (value: string | Uint8Array): Buffer => {
  const bytes = Buffer.from(value as string);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]);
};

export function packet(first: number, ...parts: readonly Uint8Array[]): Buffer {
  const rest = Buffer.concat(parts);
  const length: number[] = [];
  for (let left = rest.length; length.length === 0 || left > 0; left >>= 7) length.push((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
  return Buffer.concat([Buffer.from([first, ...length]), rest]);
}

const id = (packetId: number): Buffer => Buffer.from([packetId >> 8, packetId & 0xff]);

export interface ConnectOptions {
  readonly keepAliveS?: number;
  readonly account?: string;
  readonly secret?: string;
  readonly will?: { readonly topic: string; readonly payload: Uint8Array };
}

export function connect(clientId: string, { keepAliveS = 60, account, secret, will }: ConnectOptions = {}): Buffer {
  const flags = 2 | (account === undefined ? 0 : 0x80) | (secret === undefined ? 0 : 0x40) | (will === undefined ? 0 : 0x2c);
  return packet(
    0x10,
    text('MQTT'),
    Buffer.from([4, flags]),
    id(keepAliveS),
    text(clientId),
    ...(will === undefined ? [] : [text(will.topic), text(will.payload)]),
    ...[account, secret].filter((part) => part !== undefined).map(text),
  );
}

export const publish = (topic: string, payload: Uint8Array, packetId = 1, flags = 0b0010): Buffer =>
  packet(0x30 | flags, text(topic), (flags & 0b0110) === 0 ? Buffer.alloc(0) : id(packetId), payload);

export const subscribe = (filters: readonly string[], packetId = 1): Buffer =>
  packet(0x82, id(packetId), ...filters.map((filter) => Buffer.concat([text(filter), Buffer.from([1])])));

export const unsubscribe = (filters: readonly string[], packetId = 1): Buffer => packet(0xa2, id(packetId), ...filters.map(text));

export const puback = (packetId: number): Buffer => packet(0x40, id(packetId));
export const PINGREQ = Buffer.from([0xc0, 0]);
export const DISCONNECT = Buffer.from([0xe0, 0]);

/** @returns the whole packets in what came from the gateway, by type and body. */
export function parse(bytes: Buffer): { readonly type: number; readonly body: Buffer }[] {
  const packets: { type: number; body: Buffer }[] = [];
  for (let at = 0; at < bytes.length; ) {
    let length = 0;
    let from = at + 1;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[from++];
      if (byte === undefined) return packets;
      length += (byte & 0x7f) << shift;
      if ((byte & 0x80) === 0) break;
    }
    if (from + length > bytes.length) return packets;
    packets.push({ type: (bytes[at] ?? 0) >> 4, body: bytes.subarray(from, from + length) });
    at = from + length;
  }
  return packets;
}

/** @returns the topics of the messages in it. */
export const topicsIn = (bytes: Buffer): string[] =>
  parse(bytes)
    .filter(({ type }) => type === 3)
    .map(({ body }) => body.subarray(2, 2 + body.readUInt16BE(0)).toString());

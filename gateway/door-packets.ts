/**
 * What an MQTT packet may be before anything of it is parsed: which types a client may send, with which flags, how long, and in
 * which order. Source: MQTT 3.1.1, table 2.1 (types), table 2.2 (flags), sections 3.1 and 3.1.0-2 (CONNECT first, and once).
 */
import { AdmissionError } from '../protocol/errors.ts';

export const CONNECT = 1;
export const PUBLISH = 3;
const PUBACK = 4;
const PUBREC = 5;
const PUBREL = 6;
const PUBCOMP = 7;
const SUBSCRIBE = 8;
const UNSUBSCRIBE = 10;
const PINGREQ = 12;
const DISCONNECT = 14;

/** A client id, a topic, an account, a secret and a Will of 8,192 bytes. */
const LONGEST_CONNECT_BYTES = 9_216;
/** Some hundred filters of our topics. */
const LONGEST_FILTERS_BYTES = 8_192;
const PACKET_ID_BYTES = 2;
/** Name and level of 3.1.1, and the name of 3.1 (MQTT 3.1.1, sections 3.1.2.1 and 3.1.2.2; MQTT 3.1, section 3.1). */
const OUR_VERSION = Buffer.from('\0\u0004MQTT\u0004', 'latin1');
const KNOWN_NAMES = [OUR_VERSION.subarray(0, -1), Buffer.from('\0\u0006MQIsdp', 'latin1')];
/** CONNACK, return code 1: "unacceptable protocol version" (table 3.1). */
export const UNACCEPTABLE_VERSION = Buffer.from([0x20, 2, 0, 1]);

interface PacketRule {
  /** `undefined` where they carry meaning. */
  readonly flags: number | undefined;
  /** Behind the fixed header; `undefined` for as long as any packet may be. */
  readonly longestBytes: number | undefined;
}

const RULES: ReadonlyMap<number, PacketRule> = new Map([
  [CONNECT, { flags: 0, longestBytes: LONGEST_CONNECT_BYTES }],
  [PUBLISH, { flags: undefined, longestBytes: undefined }],
  [PUBACK, { flags: 0, longestBytes: PACKET_ID_BYTES }],
  [PUBREC, { flags: 0, longestBytes: PACKET_ID_BYTES }],
  [PUBREL, { flags: 2, longestBytes: PACKET_ID_BYTES }],
  [PUBCOMP, { flags: 0, longestBytes: PACKET_ID_BYTES }],
  [SUBSCRIBE, { flags: 2, longestBytes: LONGEST_FILTERS_BYTES }],
  [UNSUBSCRIBE, { flags: 2, longestBytes: LONGEST_FILTERS_BYTES }],
  [PINGREQ, { flags: 0, longestBytes: 0 }],
  [DISCONNECT, { flags: 0, longestBytes: 0 }],
]);

const QOS_BITS = 0b0110;

/**
 * @param firstByte of the fixed header. @param isFirst whether it is the connection's first packet.
 * @param longestPacketBytes of any packet, without its fixed header.
 * @returns how long it may be. @throws AdmissionError `admission.malformed` when it may not come at all.
 */
export function longestOf(firstByte: number, isFirst: boolean, longestPacketBytes: number): number {
  const type = firstByte >> 4;
  const flags = firstByte & 0x0f;
  const rule = RULES.get(type);
  if (rule === undefined) throw new AdmissionError('admission.malformed', `MQTT packet: type ${type} from a client`);
  if (isFirst !== (type === CONNECT))
    throw new AdmissionError('admission.malformed', `MQTT packet: type ${type} ${isFirst ? 'before' : 'after'} CONNECT`);
  if (rule.flags === undefined ? (flags & QOS_BITS) === QOS_BITS : flags !== rule.flags)
    throw new AdmissionError('admission.malformed', `MQTT packet: type ${type} with flags ${flags}`);
  return rule.longestBytes === undefined ? longestPacketBytes : Math.min(rule.longestBytes, longestPacketBytes);
}

/**
 * @param body of a CONNECT, behind its fixed header. @returns whether it is of another version of MQTT than ours, which must be told so
 * [MQTT-3.1.2-2]; what is no MQTT at all is the parser's to refuse.
 */
export const isOtherVersion = (body: Buffer): boolean =>
  KNOWN_NAMES.some((name) => body.subarray(0, name.length).equals(name)) && !body.subarray(0, OUR_VERSION.length).equals(OUR_VERSION);

/** The part of the gateway's configuration that says to whom its ledger is forwarded. Secrets are named by the files they lie in. */
import { z } from 'zod';
import { isSealable } from '../../protocol/hpke.ts';

const LOOPBACK = /^(127(\.\d{1,3}){3}|\[?::1\]?|localhost)$/;
export const CORE = 'core';
export const MOST_SINKS = 16;
/** A key record has room for eight: these, the gateway and the core in its process. */
const MOST_RECIPIENTS_HERE = 6;

const key32 = z
  .string()
  .regex(/^[A-Za-z0-9_-]{43}$/, 'expected 32 bytes in base64url')
  .transform((text) => new Uint8Array(Buffer.from(text, 'base64url')));

const name = z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, 'expected 1 to 32 of a-z, 0-9 and -, a letter first');
const path = z.string().min(1);

/** How the other end is known, and how this gateway makes itself known to it. */
const peer = {
  /** SHA-256 of the public key (SubjectPublicKeyInfo) of its certificate: that key and no other; name, dates and issuer are not asked. */
  pin: key32.optional(),
  /** PEM of the authority, or of the very certificate; left out, as is the pin: the authorities that this system trusts. */
  caPath: path.optional(),
  /** PEM: this gateway's own certificate and key, where the other end asks for one. The key's file is its owner's alone. */
  certificatePath: path.optional(),
  keyPath: path.optional(),
  /** At most, sustained: one that comes back after days is not flooded. */
  entriesPerSecond: z.int().min(1).max(100_000).default(2_000),
  /** Of one exchange, from the first byte sent to the last received. */
  timeoutMs: z.int().min(1_000).max(300_000).default(30_000),
};
const isPaired = ({
  certificatePath,
  keyPath,
}: {
  readonly certificatePath?: string | undefined;
  readonly keyPath?: string | undefined;
}): boolean => (certificatePath === undefined) === (keyPath === undefined);
const PAIRED = 'certificatePath and keyPath go together';

/** The core in this process. */
const coreSink = z.strictObject({ kind: z.literal('core'), name: z.literal(CORE).default(CORE) });

/** A core elsewhere, or whatever takes CloudEvents as it does. */
const httpSink = z
  .strictObject({
    kind: z.literal('http'),
    name,
    /** Paths of the intake are put behind it. Without TLS on the loopback only. */
    url: z.url({ protocol: /^https?$/ }).refine((text) => {
      const { protocol, hostname, search, hash, username } = new URL(text);
      return (protocol === 'https:' || LOOPBACK.test(hostname)) && `${search}${hash}${username}` === '';
    }, 'expected https, or http on a loopback address, without account, query or fragment'),
    /** Holds the bearer token; its owner's alone. */
    tokenPath: path.optional(),
    /** That core's X25519 key: kiosks seal for it besides this gateway. Left out: it can open nothing that comes from then on. */
    recipient: key32.refine(isSealable, 'expected an X25519 public key').optional(),
    ...peer,
  })
  .refine(isPaired, PAIRED);

/** Another broker. */
const mqttSink = z
  .strictObject({
    kind: z.literal('mqtt'),
    name,
    host: z.string().min(1).max(253),
    port: z.int().min(1).max(65_535).default(8_883),
    /** Without TLS, on the loopback only. */
    isPlain: z.boolean().default(false),
    /** Topics are `<prefix>/batch`, `<prefix>/flag` and `<prefix>/doubt`. */
    prefix: z.string().regex(/^[^\s#+/$][^\s#+]{0,127}(?<!\/)$/, 'expected 1 to 128 characters of a topic, without wildcards'),
    clientId: z
      .string()
      .regex(/^[A-Za-z0-9-]{1,64}$/)
      .optional(),
    username: z.string().min(1).max(128).optional(),
    /** Holds the password; its owner's alone. */
    passwordPath: path.optional(),
    /** Publishes that wait for their PUBACK at a time. */
    window: z.int().min(1).max(256).default(32),
    ...peer,
  })
  .refine(isPaired, PAIRED)
  .refine(({ isPlain, host }) => !isPlain || LOOPBACK.test(host), 'isPlain: only on a loopback address');

export const sinksSchema = z
  .array(z.discriminatedUnion('kind', [coreSink, httpSink, mqttSink]))
  .min(1)
  .max(MOST_SINKS)
  .refine((sinks) => new Set(sinks.map((sink) => sink.name)).size === sinks.length, 'two sinks of one name')
  .refine((sinks) => sinks.every((sink) => sink.kind === 'core' || sink.name !== CORE), `the name ${CORE} is the embedded core's`)
  .refine(
    (sinks) => sinks.filter((sink) => sink.kind === 'http' && sink.recipient !== undefined).length <= MOST_RECIPIENTS_HERE,
    `more than ${MOST_RECIPIENTS_HERE} recipients`,
  )
  .default([{ kind: 'core', name: CORE }]);

export type SinkConfig = Readonly<z.infer<typeof sinksSchema>[number]>;
export type HttpSinkConfig = Extract<SinkConfig, { readonly kind: 'http' }>;
export type MqttSinkConfig = Extract<SinkConfig, { readonly kind: 'mqtt' }>;

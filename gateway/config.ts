/** The gateway's configuration: one JSON file, every fault listed at once. */
import { isIP } from 'node:net';
import { z } from 'zod';
import { STICKER_LIFE_MS } from '../protocol/clinic.ts';
import { ConfigError } from '../protocol/errors.ts';
import { sinksSchema } from './sinks/sink-config.ts';

const MOST_RETENTION_DAYS = 21;
const LOOPBACK = /^(127(\.\d{1,3}){3}|::1|localhost)$/;

const rawKey = z
  .string()
  .regex(/^[A-Za-z0-9_-]{43}$/, 'expected 32 bytes in base64url')
  .transform((text) => new Uint8Array(Buffer.from(text, 'base64url')));

/** Source: RFC 1123, section 2.1; an underscore is no part of a host's name, and is found in many. */
const isHost = (text: string): boolean =>
  isIP(text) !== 0 || /^(?=.*[a-z])[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/i.test(text);

const port = z.int().min(0).max(65_535);

const schema = z.strictObject({
  /** Everything the gateway keeps is in here. */
  directory: z.string().min(1),
  /** The name or address at which kiosks reach this machine; it goes into the trust document. */
  publicHost: z.string().min(1).max(253).refine(isHost, 'expected a name or an address, without port'),
  /** For kiosks. Port 0 takes any that is free. */
  tls: z.strictObject({ host: z.string().min(1).default('0.0.0.0'), port: port.default(8_883) }).prefault({}),
  /** For operators. Their secret crosses it in the clear, so that it stays on this machine. */
  tcp: z
    .strictObject({ host: z.string().regex(LOOPBACK, 'expected a loopback address').default('127.0.0.1'), port: port.default(1_883) })
    .prefault({}),
  /** For operators' browsers, scripts and Prometheus; left out: no such listener. */
  web: z
    .strictObject({
      host: z.string().min(1).default('127.0.0.1'),
      port: port.default(8_443),
      /** Without TLS, on the loopback only: passwords would cross the network in the clear. */
      isPlain: z.boolean().default(false),
      /** Further names and addresses at which the page is reached. */
      names: z.array(z.string().min(1).max(253)).max(16).default([]),
      /** PEM files of a certificate that was made elsewhere; left out: one signed by itself. */
      certificatePath: z.string().min(1).optional(),
      keyPath: z.string().min(1).optional(),
    })
    .refine(({ isPlain, host }) => !isPlain || LOOPBACK.test(host), 'isPlain: only on a loopback address')
    .refine(
      ({ certificatePath, keyPath }) => (certificatePath === undefined) === (keyPath === undefined),
      'certificatePath and keyPath go together',
    )
    .optional(),
  /** Raw Ed25519 public keys of the card issuers that kiosks are to know. */
  issuers: z.array(rawKey).max(64).default([]),
  /** Whether cards without an issuer's signature are taken. */
  mayTakeUnsigned: z.boolean().default(false),
  retentionDays: z.int().min(1).max(MOST_RETENTION_DAYS).default(MOST_RETENTION_DAYS),
  /** How long after its link a result may be recorded for a test sticker. */
  stickerLifeMs: z.int().min(STICKER_LIFE_MS.least).max(STICKER_LIFE_MS.most).default(STICKER_LIFE_MS.usual),
  flags: z
    .strictObject({
      /** How long a second reading is waited for. */
      confirmWithinMs: z.int().min(1_000).max(86_400_000).default(300_000),
      /** Whether a confirmed flag makes a suspected case of its card; else it is told as the weaker notice alone. Of the core in this process. */
      areSuspected: z.boolean().default(false),
      ageOffMs: z
        .int()
        .min(60_000)
        .max(MOST_RETENTION_DAYS * 86_400_000)
        .default(172_800_000),
    })
    .prefault({}),
  /** To whom the ledger is forwarded, each at its own pace; left out: the core in this process. */
  sinks: sinksSchema,
  /** Of each kiosk. */
  limits: z
    .strictObject({
      quarantineItems: z.int().min(1).default(1_000),
      quarantineBytes: z.int().min(1).default(8_388_608),
      unansweredBatches: z.int().min(1).default(64),
      unansweredBytes: z.int().min(1).default(1_048_576),
      /** Of each kiosk and operator's program, sustained; ten seconds' worth at once. An address has twenty times that. */
      packetsPerSecond: z.int().min(1).default(200),
      bytesPerSecond: z.int().min(1_024).default(1_048_576),
      /** Of each address, sustained; ten seconds' worth at once. */
      connectionsPerSecond: z.int().min(1).default(20),
      /** Of each address: connections on which nobody is admitted yet. */
      waitingConnections: z.int().min(1).default(64),
      /** Valid rows of each kiosk; three weeks' worth at once, for one that was away. */
      rowsPerDay: z.int().min(1).default(50_000),
    })
    .prefault({}),
});

export type GatewayConfig = Readonly<z.infer<typeof schema>>;
/** As written in the file: keys as text, defaults left out. */
export type GatewayConfigInput = z.input<typeof schema>;

/** @param value what the JSON file holds. @throws ConfigError `config.invalid` with every fault; unknown keys are faults. */
export function parseGatewayConfig(value: unknown): GatewayConfig {
  const parsed = schema.safeParse(value);
  if (parsed.success) return Object.freeze(parsed.data);
  const faults = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'config'}: ${issue.message}${meantBy(issue)}`);
  throw new ConfigError('config.invalid', `gateway config: ${faults.join('; ')}`);
}

/** A key that is one letter short or long of one that there is, at the top of the file. */
function meantBy({ code, path, ...issue }: z.core.$ZodIssue): string {
  if (code !== 'unrecognized_keys' || path.length > 0 || !('keys' in issue)) return '';
  const known = Object.keys(schema.shape);
  const meant = issue.keys.flatMap((key) => known.find((name) => name.startsWith(key) || key.startsWith(name)) ?? []);
  return meant.length === 0 ? '' : ` (did you mean ${meant.map((name) => `"${name}"`).join(', ')}?)`;
}

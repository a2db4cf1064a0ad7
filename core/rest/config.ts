/** The settings of the core's REST listener, as a configuration file says them under `rest`. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { ConfigError } from '../../protocol/errors.ts';
import { PEOPLE } from './roles.ts';
import { ALGORITHMS, type Issuer } from './tokens.ts';

export interface RestConfig {
  readonly host: string;
  /** 0 for any that is free; `undefined` where nobody said one. */
  readonly port: number | undefined;
  /** By which it is reached, besides the loopback's. */
  readonly names: readonly string[];
  readonly tls: { readonly certificatePath: string; readonly keyPath: string } | undefined;
  readonly issuers: readonly Issuer[];
}

export const REST_PORT = 8_445;

const text = z.string().min(1).max(512);
const claim = z.string().min(1).max(64);
const httpsUrl = z.url({ protocol: /^https$/ }).max(512);

const issuer = z
  .strictObject({
    issuer: httpsUrl,
    audience: text,
    jwksUri: httpsUrl.optional(),
    caPath: text.optional(),
    algorithms: z.array(z.enum(ALGORITHMS)).min(1).default(['ES256', 'EdDSA', 'PS256', 'RS256']),
    roleClaim: claim.default('vestibule_roles'),
    roles: z.record(claim, z.enum(PEOPLE)).default({}),
    regionClaim: claim.default('vestibule_regions'),
    clockToleranceS: z.int().min(0).max(300).default(30),
    longestAgeS: z.int().min(60).max(86_400).default(43_200),
  })
  .transform(({ caPath, ...rest }): Issuer => ({ ...rest, caPem: caPath === undefined ? undefined : readCa(caPath) }));

const rest = z
  .strictObject({
    host: z.string().min(1).max(255).default('127.0.0.1'),
    port: z.int().min(0).max(65_535).optional(),
    names: z.array(z.string().min(1).max(253)).max(16).default([]),
    certificatePath: text.optional(),
    keyPath: text.optional(),
    issuers: z.array(issuer).max(8).default([]),
  })
  .refine(
    ({ certificatePath, keyPath }) => (certificatePath === undefined) === (keyPath === undefined),
    'certificatePath and keyPath go together',
  )
  .refine(({ issuers }) => new Set(issuers.map((one) => one.issuer)).size === issuers.length, 'an issuer is there twice')
  .transform(
    ({ host, port, names, certificatePath, keyPath, issuers }): RestConfig => ({
      host,
      port,
      names,
      tls: certificatePath === undefined || keyPath === undefined ? undefined : { certificatePath, keyPath },
      issuers,
    }),
  );

/** @throws ConfigError `config.invalid` with every fault at once. */
export function parseRestConfig(settings: unknown = {}): RestConfig {
  const parsed = rest.safeParse(settings);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(({ path, message }) => `${['rest', ...path].join('.')}: ${message}`);
  throw new ConfigError('config.invalid', faults.join('; '));
}

function readCa(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new ConfigError('config.invalid', `rest: ${path}: can not be read`, { cause });
  }
}

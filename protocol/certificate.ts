/**
 * X.509 certificates of Ed25519 keys: the self-signed ones that only carry a key into a TLS handshake, and those that a gateway's own
 * authority issues. Reads dates and names, and decides nothing by them: a kiosk that boots in 1970 must still be able to connect.
 * The only importer of @peculiar/x509 (its tsyringe wants Reflect's metadata loaded first).
 * Source: RFC 8410 (Ed25519 in X.509); RFC 5280, section 4.1.2.5 (99991231235959Z: no well-defined expiration date), 4.2.1 (extensions).
 */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { Extension } from '@peculiar/x509';
import { publicKeyFromRaw, rawPublicKey } from './ed25519.ts';
import { DecodeError } from './errors.ts';
import type { EpochMillis } from './units.ts';

const NOT_BEFORE = new Date(0);
const NOT_AFTER = new Date(Date.UTC(9999, 11, 31, 23, 59, 59));
const ED25519 = { name: 'Ed25519' };

/** Loaded where a certificate is made: a kiosk makes one in its life and reads some each day, and the library takes 6 MiB. */
async function loadLibrary() {
  await import('reflect-metadata');
  return await import('@peculiar/x509');
}

type Library = Awaited<ReturnType<typeof loadLibrary>>;

/**
 * @param privateKey an Ed25519 private key.
 * @param commonName what a person sees in a handshake trace: a kiosk's id, `vestibule-gateway`; nothing trusts it.
 * @param uri said of its holder besides (RFC 5280, section 4.2.1.6). @returns a self-signed certificate in PEM, valid from 1970 to the end of 9999.
 * Two calls give two certificates of one key.
 */
export async function makeCertificate(privateKey: KeyObject, commonName: string, uri?: string): Promise<string> {
  const { BasicConstraintsExtension, SubjectAlternativeNameExtension, X509CertificateGenerator } = await loadLibrary();
  const publicKey = createPublicKey(privateKey);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [commonName] }],
    notBefore: NOT_BEFORE,
    notAfter: NOT_AFTER,
    signingAlgorithm: ED25519,
    keys: {
      privateKey: privateKey.toCryptoKey(ED25519, false, ['sign']),
      publicKey: publicKey.toCryptoKey(ED25519, true, ['verify']),
    },
    // OpenSSL takes a self-signed certificate as its own anchor (`ca: [pem]`) only when it may act as one.
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      ...(uri === undefined ? [] : [new SubjectAlternativeNameExtension([{ type: 'url', value: uri }])]),
    ],
  });
  return `${certificate.toString('pem')}\n`;
}

const P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/**
 * For a page that browsers load: they take no Ed25519.
 * @param keyPem an ECDSA key on P-256. @param order.names DNS names and addresses.
 * @returns a certificate in PEM, signed by its own key. Source: RFC 5480 (P-256); RFC 5280, section 4.2.1.6 (subject alternative names).
 */
export async function makePageCertificate(
  keyPem: string,
  order: {
    readonly commonName: string;
    readonly names: readonly string[];
    readonly notBeforeMs: EpochMillis;
    readonly notAfterMs: EpochMillis;
  },
): Promise<string> {
  const library = await loadLibrary();
  const privateKey = createPrivateKey(keyPem);
  const certificate = await library.X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [order.commonName] }],
    notBefore: new Date(order.notBeforeMs),
    notAfter: new Date(order.notAfterMs),
    signingAlgorithm: P256,
    keys: {
      privateKey: privateKey.toCryptoKey(P256, false, ['sign']),
      publicKey: createPublicKey(privateKey).toCryptoKey(P256, true, ['verify']),
    },
    extensions: [
      new library.BasicConstraintsExtension(false, undefined, true),
      ...extensionsFor(library, { kind: 'server', names: order.names }),
    ],
  });
  return `${certificate.toString('pem')}\n`;
}

/** What the two ends of a certificate may do. */
export type CertificateUse =
  | { readonly kind: 'client' }
  /** @param names what it is reached by: domain names and IP addresses, at least one. */
  | { readonly kind: 'server'; readonly names: readonly string[] };

export interface CertificateOrder {
  /** Raw Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly subject: CertificateNames;
  readonly notBeforeMs: EpochMillis;
  /** Cut to the second. */
  readonly notAfterMs: EpochMillis;
  readonly use: CertificateUse;
}

/** The parts of a subject that are ours; each once. */
export interface CertificateNames {
  /** CN. */
  readonly commonName: string;
  /** OU: the role. */
  readonly unit: string;
  /** O: the deployment. */
  readonly organisation: string;
}

export interface Signer {
  readonly privateKey: KeyObject;
  /** Its self-signed certificate; the issuer's name is taken from it. */
  readonly certificatePem: string;
}

/** @returns a certificate in PEM, with a random serial number of 16 bytes. */
export async function issueCertificate(order: CertificateOrder, { privateKey, certificatePem }: Signer): Promise<string> {
  const library = await loadLibrary();
  const { publicKey, subject, notBeforeMs, notAfterMs, use } = order;
  const certificate = await library.X509CertificateGenerator.create({
    subject: [{ O: [subject.organisation] }, { OU: [subject.unit] }, { CN: [subject.commonName] }],
    issuer: [{ CN: [namesOf(new X509Certificate(certificatePem).subject).commonName] }],
    notBefore: new Date(notBeforeMs),
    notAfter: new Date(notAfterMs),
    signingAlgorithm: ED25519,
    publicKey: publicKeyFromRaw(publicKey).toCryptoKey(ED25519, true, ['verify']),
    signingKey: privateKey.toCryptoKey(ED25519, false, ['sign']),
    extensions: [
      new library.BasicConstraintsExtension(false, undefined, true),
      new library.KeyUsagesExtension(library.KeyUsageFlags.digitalSignature, true),
      ...extensionsFor(library, use),
    ],
  });
  return `${certificate.toString('pem')}\n`;
}

function extensionsFor(library: Library, use: CertificateUse): Extension[] {
  const { ExtendedKeyUsage, ExtendedKeyUsageExtension, SubjectAlternativeNameExtension } = library;
  if (use.kind === 'client') return [new ExtendedKeyUsageExtension([ExtendedKeyUsage.clientAuth])];
  const names = use.names.map((name) => ({ type: isIP(name) === 0 ? ('dns' as const) : ('ip' as const), value: name }));
  return [new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]), new SubjectAlternativeNameExtension(names)];
}

/** What a certificate says, and whether it is so as far as its signature goes. Dates are for the caller to judge. */
export interface ReadCertificate {
  /** Raw Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** A part that the subject does not have, or has twice, is empty. */
  readonly subject: CertificateNames;
  readonly notBeforeMs: EpochMillis;
  readonly notAfterMs: EpochMillis;
}

/**
 * @param certificate one X.509 certificate, as DER bytes or PEM text.
 * @param issuerKey raw Ed25519 public key, 32 bytes.
 * @returns what it says when the holder of `issuerKey` signed it; `undefined` when somebody else did.
 * @throws DecodeError as `rawKeyOfCertificate` does.
 */
export function readIssued(certificate: Uint8Array | string, issuerKey: Uint8Array): ReadCertificate | undefined {
  const x509 = parse(certificate);
  const publicKey = ed25519KeyOf(x509);
  if (!x509.verify(publicKeyFromRaw(issuerKey))) return undefined;
  return {
    publicKey,
    subject: namesOf(x509.subject),
    notBeforeMs: x509.validFromDate.getTime() as EpochMillis,
    notAfterMs: x509.validToDate.getTime() as EpochMillis,
  };
}

/** @returns what a certificate says whose it is and what for, whoever signed it. @throws DecodeError `decode.malformed` when it is none. */
export const namesOfCertificate = (certificate: Uint8Array | string): CertificateNames => namesOf(parse(certificate).subject);

const ONE_URI = /^URI:([^\s,"]+)$/;

/** @returns the URI that a certificate says of its holder; `undefined` unless it says that and nothing else. @throws DecodeError `decode.malformed` when it is none. */
export const uriOfCertificate = (certificate: Uint8Array | string): string | undefined =>
  ONE_URI.exec(parse(certificate).subjectAltName ?? '')?.[1];

/** How a code names a gateway. */
export const KEY_HASH_BYTES = 16;

/**
 * @param certificate one X.509 certificate, as DER bytes or PEM text.
 * @returns SHA-256 of its SubjectPublicKeyInfo in DER, cut to 16 bytes. @throws DecodeError `decode.malformed` when it is none.
 */
export function keyHashOfCertificate(certificate: Uint8Array | string): Uint8Array {
  const spki = parse(certificate).publicKey.export({ type: 'spki', format: 'der' });
  return new Uint8Array(createHash('sha256').update(spki).digest().subarray(0, KEY_HASH_BYTES));
}

/** @returns when a certificate begins and ends, whoever signed it. @throws DecodeError `decode.malformed` when it is none. */
export function datesOfCertificate(certificate: Uint8Array | string): {
  readonly notBeforeMs: EpochMillis;
  readonly notAfterMs: EpochMillis;
} {
  const x509 = parse(certificate);
  return { notBeforeMs: x509.validFromDate.getTime() as EpochMillis, notAfterMs: x509.validToDate.getTime() as EpochMillis };
}

/**
 * @param certificate one X.509 certificate, as DER bytes or PEM text.
 * @returns the raw Ed25519 public key it carries, 32 bytes. Neither signature nor dates are checked: TLS has proved possession.
 * @throws DecodeError `decode.malformed` when it is no certificate, `decode.unsupported` when its key is not Ed25519.
 */
export const rawKeyOfCertificate = (certificate: Uint8Array | string): Uint8Array => ed25519KeyOf(parse(certificate));

function ed25519KeyOf({ publicKey }: X509Certificate): Uint8Array {
  if (publicKey.asymmetricKeyType !== 'ed25519')
    throw new DecodeError('decode.unsupported', `certificate: a key of type ${publicKey.asymmetricKeyType}, not ed25519`);
  return rawPublicKey(publicKey);
}

function parse(certificate: Uint8Array | string): X509Certificate {
  try {
    const x509 = new X509Certificate(certificate);
    // OpenSSL reads the key only when it is asked for.
    x509.publicKey;
    return x509;
  } catch (cause) {
    throw new DecodeError('decode.malformed', `certificate: ${certificate.length} bytes that are no certificate`, { cause });
  }
}

/** @param subject as Node writes it: `NAME=value` lines. */
function namesOf(subject: string): CertificateNames {
  const partOf = (name: string): string => {
    const values = subject.split('\n').filter((line) => line.startsWith(`${name}=`));
    return values.length === 1 ? (values[0] ?? '').slice(name.length + 1) : '';
  };
  return { commonName: partOf('CN'), unit: partOf('OU'), organisation: partOf('O') };
}

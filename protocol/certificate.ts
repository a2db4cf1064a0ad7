/**
 * Self-signed certificates that only carry an Ed25519 public key into a TLS handshake. Trust lies in the pinned key, never in
 * the certificate's names or dates: a kiosk that boots in 1970 must still be able to connect.
 * The only importer of @peculiar/x509 (its tsyringe wants Reflect's metadata loaded first).
 * Source: RFC 8410 (Ed25519 in X.509); RFC 5280, section 4.1.2.5 (99991231235959Z: no well-defined expiration date).
 */
import 'reflect-metadata';
import { createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { BasicConstraintsExtension, X509CertificateGenerator } from '@peculiar/x509';
import { rawPublicKey } from './ed25519.ts';
import { DecodeError } from './errors.ts';

const NOT_BEFORE = new Date(0);
const NOT_AFTER = new Date(Date.UTC(9999, 11, 31, 23, 59, 59));

/**
 * @param privateKey an Ed25519 private key.
 * @param commonName what a person sees in a handshake trace: a kiosk's id, `vestibule-gateway`; nothing trusts it.
 * @returns a self-signed certificate in PEM, valid from 1970 to the end of 9999. Two calls give two certificates of one key.
 */
export async function makeCertificate(privateKey: KeyObject, commonName: string): Promise<string> {
  const publicKey = createPublicKey(privateKey);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [commonName] }],
    notBefore: NOT_BEFORE,
    notAfter: NOT_AFTER,
    signingAlgorithm: { name: 'Ed25519' },
    keys: {
      privateKey: privateKey.toCryptoKey({ name: 'Ed25519' }, false, ['sign']),
      publicKey: publicKey.toCryptoKey({ name: 'Ed25519' }, true, ['verify']),
    },
    // OpenSSL takes a self-signed certificate as its own anchor (`ca: [pem]`) only when it may act as one.
    extensions: [new BasicConstraintsExtension(true, undefined, true)],
  });
  return `${certificate.toString('pem')}\n`;
}

/**
 * @param certificate one X.509 certificate, as DER bytes or PEM text.
 * @returns the raw Ed25519 public key it carries, 32 bytes. Neither signature nor dates are checked: TLS has proved possession.
 * @throws DecodeError `decode.malformed` when it is no certificate, `decode.unsupported` when its key is not Ed25519.
 */
export function rawKeyOfCertificate(certificate: Uint8Array | string): Uint8Array {
  const publicKey = publicKeyOf(certificate);
  if (publicKey.asymmetricKeyType !== 'ed25519')
    throw new DecodeError('decode.unsupported', `certificate: a key of type ${publicKey.asymmetricKeyType}, not ed25519`);
  return rawPublicKey(publicKey);
}

function publicKeyOf(certificate: Uint8Array | string): KeyObject {
  try {
    return new X509Certificate(certificate).publicKey;
  } catch (cause) {
    throw new DecodeError('decode.malformed', `certificate: ${certificate.length} bytes that are no certificate`, { cause });
  }
}

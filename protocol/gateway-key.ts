/**
 * The certificate by which kiosks know their gateway, and how another one takes its place: it carries, as a URI and signed with the receipt
 * key, the word that its key is this deployment's from such a second on. A kiosk that knows the receipt key needs nothing else to follow, however long it was away.
 * Source: docs/protocol.md, "The gateway's key".
 */
import type { KeyObject } from 'node:crypto';
import { decodeCbor, encodeCbor } from './cbor.ts';
import { readArray, readBytes, readInteger } from './cbor-read.ts';
import { makeCertificate, rawKeyOfCertificate, uriOfCertificate } from './certificate.ts';
import { signSign1, verifySign1 } from './cose.ts';
import { PUBLIC_KEY_BYTES, publicKeyFromRaw, rawPublicKey } from './ed25519.ts';
import { codeOf } from './errors.ts';
import type { DeploymentId } from './ids.ts';

const PREFIX = 'vestibule:gateway-key/';
const LONGEST_STATEMENT_BYTES = 256;
/** Of a key that nobody succeeded yet: its certificate carries no word. */
export const FIRST_GENERATION = 0;
export const GREATEST_GENERATION = 2 ** 32 - 1;

/** Whose word a kiosk takes for which gateway. */
export interface GatewaySigner {
  readonly deployment: DeploymentId;
  /** Raw Ed25519, 32 bytes. */
  readonly receiptKey: Uint8Array;
}

/**
 * @param tlsKey Ed25519. @param generation 1 to 2^32 - 1: the second in which the key was made, and greater than that of every key before.
 * @param receiptKey Ed25519. @returns a self-signed certificate in PEM.
 */
export async function makeGatewayCertificate(
  tlsKey: KeyObject,
  {
    deployment,
    generation,
    receiptKey,
  }: { readonly deployment: DeploymentId; readonly generation: number; readonly receiptKey: KeyObject },
): Promise<string> {
  const statement = signSign1(encodeCbor([generation, rawPublicKey(tlsKey)]), externalAadOf(deployment), receiptKey);
  return await makeCertificate(tlsKey, 'vestibule-gateway', PREFIX + Buffer.from(statement).toString('base64url'));
}

/**
 * Whether the peer has that key is for TLS to prove.
 * @param certificate DER bytes or PEM text. @returns its generation; `undefined` unless the receipt key's holder says so of the key it carries.
 */
export function generationOf(certificate: Uint8Array | string, { deployment, receiptKey }: GatewaySigner): number | undefined {
  try {
    const uri = uriOfCertificate(certificate);
    if (uri?.startsWith(PREFIX) !== true) return undefined;
    const statement = new Uint8Array(Buffer.from(uri.slice(PREFIX.length), 'base64url'));
    const subject = 'gateway key';
    const payload = verifySign1(statement, {
      externalAad: externalAadOf(deployment),
      publicKey: publicKeyFromRaw(receiptKey),
      subject,
      longestBytes: LONGEST_STATEMENT_BYTES,
    });
    const [generation, key] = readArray(decodeCbor(payload, subject, LONGEST_STATEMENT_BYTES), subject, 2);
    const said = readBytes(key, subject, PUBLIC_KEY_BYTES);
    if (Buffer.compare(said, rawKeyOfCertificate(certificate)) !== 0) return undefined;
    return readInteger(generation, subject, FIRST_GENERATION + 1, GREATEST_GENERATION);
  } catch (error) {
    // A stranger's certificate may hold anything.
    if (codeOf(error) === undefined) throw error;
    return undefined;
  }
}

const externalAadOf = (deployment: DeploymentId): Uint8Array => encodeCbor(['vestibule-gateway-key-1', deployment]);

/**
 * A receipt: what the gateway decided about the rows of one batch, signed with its receipt key. PUBACK alone settles a row;
 * a receipt tells a person why one was put aside.
 * Source: docs/protocol.md, "Receipt".
 */
import type { KeyObject } from 'node:crypto';
import { decodeCbor, encodeCbor } from './cbor.ts';
import { readArray, readBytes, readChoice, readInteger, readText } from './cbor-read.ts';
import { signSign1, verifySign1 } from './cose.ts';
import { DecodeError, ERROR_CODE_FORM } from './errors.ts';
import type { DeploymentId, KioskId, Seq } from './ids.ts';
import { DIGEST_BYTES } from './row.ts';

/** 64 ranges of at most 70 bytes, and 192 bytes around them. */
export const LONGEST_RECEIPT_BYTES = 8_192;
export const MOST_RANGES = 64;

/**
 * What became of a row. `duplicate`: the gateway had it. `conflict`: it had another one in its place; both are kept. `erased`: its card was
 * taken back by its holder, and nothing is kept.
 */
export type Outcome = 'accepted' | 'duplicate' | 'conflict' | 'quarantined' | 'erased';
const OUTCOMES: readonly Outcome[] = ['accepted', 'duplicate', 'conflict', 'quarantined', 'erased'];

export interface ReceiptRange {
  readonly from: Seq;
  /** Not below `from`. */
  readonly to: Seq;
  readonly outcome: Outcome;
  /** An error code; `undefined` where there is nothing to explain. */
  readonly reason: string | undefined;
}

export interface Receipt {
  /** SHA-256 of the whole batch message as it came, 32 bytes. */
  readonly batchDigest: Uint8Array;
  /** 1 to 64, ascending, without overlap. A batch whose list can not be read has the one range 1 to 2^53 - 1. */
  readonly ranges: readonly ReceiptRange[];
}

interface ReceiptPlace {
  readonly deployment: DeploymentId;
  readonly kiosk: KioskId;
}

/** @returns the signed receipt. @throws DecodeError when its ranges are none, too many, or out of order. */
export function encodeReceipt(receipt: Receipt, place: ReceiptPlace, signingKey: KeyObject): Uint8Array {
  const payload = encodeCbor([
    receipt.batchDigest,
    receipt.ranges.map(({ from, to, outcome, reason }) => [from, to, OUTCOMES.indexOf(outcome), reason ?? null]),
  ]);
  decodePayload(payload);
  return signSign1(payload, externalAadOf(place), signingKey);
}

/**
 * @param signer.publicKey the gateway's receipt key.
 * @throws SealError `seal.signature`; DecodeError when it is no receipt.
 */
export function openReceipt(bytes: Uint8Array, signer: ReceiptPlace & { readonly publicKey: KeyObject }): Receipt {
  const { publicKey } = signer;
  return decodePayload(
    verifySign1(bytes, { externalAad: externalAadOf(signer), publicKey, subject: 'receipt', longestBytes: LONGEST_RECEIPT_BYTES }),
  );
}

function decodePayload(payload: Uint8Array): Receipt {
  const [batchDigest, list] = readArray(decodeCbor(payload, 'receipt', LONGEST_RECEIPT_BYTES), 'receipt', 2);
  let last = 0;
  const ranges = readArray(list, 'receipt ranges', 1, MOST_RANGES).map((entry) => {
    const [first, final, outcome, reason] = readArray(entry, 'receipt range', 4);
    const from = readInteger(first, 'receipt range', 1, Number.MAX_SAFE_INTEGER) as Seq;
    const to = readInteger(final, 'receipt range', 1, Number.MAX_SAFE_INTEGER) as Seq;
    if (from <= last || to < from) throw new DecodeError('decode.malformed', 'receipt: ranges do not ascend');
    last = to;
    return {
      from,
      to,
      outcome: readChoice(outcome, 'receipt outcome', OUTCOMES),
      reason: reason === null ? undefined : readText(reason, 'receipt reason', ERROR_CODE_FORM),
    };
  });
  return { batchDigest: readBytes(batchDigest, 'receipt batch digest', DIGEST_BYTES), ranges };
}

const externalAadOf = ({ deployment, kiosk }: ReceiptPlace): Uint8Array => encodeCbor(['vestibule-receipt-1', deployment, kiosk]);

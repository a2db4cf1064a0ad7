/** The thread that opens batches: verifies each list, and opens its rows. What is anything but plain is left to whoever asked. */
import { workerData } from 'node:worker_threads';
import { answerRequests } from '../../disk/thread.ts';
import type { DeploymentId, KioskId } from '../../protocol/ids.ts';
import type { Holder } from '../../protocol/key-record.ts';
import { BatchOpener, type OpenedBatch, type Signer, type UnsealedRow } from '../open-batch.ts';
import { encodeAnswer, type OpenRequest, PUBLIC_KEY_BYTES, type UnsealedBatch } from './opened-bytes.ts';

/** More kiosks than one gateway has. */
const MOST_SIGNERS = 20_000;

const { deployment, holders } = workerData as { deployment: DeploymentId; holders: readonly Holder[] };
const opener = new BatchOpener(deployment, holders);
/** The same object for the same: the opener keeps what it makes of it. */
const signers = new Map<string, Signer>();

function signerOf(kiosk: string, publicKey: Uint8Array): Signer {
  const known = signers.get(kiosk);
  if (known !== undefined && Buffer.compare(known.publicKey, publicKey) === 0) return known;
  if (signers.size >= MOST_SIGNERS) signers.clear();
  const made = { kiosk: kiosk as KioskId, publicKey: publicKey.slice() };
  signers.set(kiosk, made);
  return made;
}

/** @returns `undefined` for what is wrong in any way, and for parts that do not lie in the message. */
async function unseal(message: Uint8Array, topic: string, signer: Signer): Promise<OpenedBatch<UnsealedRow> | undefined> {
  try {
    const unsealed = await opener.unseal(message, topic, signer);
    const parts = [unsealed.keyRecord, unsealed.sign1, ...unsealed.rows.map(({ row }) => row)];
    return parts.every(({ buffer }) => buffer === message.buffer) ? unsealed : undefined;
  } catch {
    return undefined;
  }
}

answerRequests<OpenRequest>(
  async ({ bytes, lengths, topics, kiosks }, give) => {
    const batches: UnsealedBatch[] = [];
    let at = 0;
    for (const [index, length] of lengths.entries()) {
      const messageAt = at + PUBLIC_KEY_BYTES;
      const message = bytes.subarray(messageAt, messageAt + length);
      const signer = signerOf(kiosks[index] ?? '', bytes.subarray(at, messageAt));
      batches.push({ message, unsealed: await unseal(message, topics[index] ?? '', signer) });
      at = messageAt + length;
    }
    const answer = encodeAnswer(batches);
    give(answer, [answer.bytes.buffer, answer.numbers.buffer]);
  },
  () => {
    for (const { privateKey } of holders) privateKey.fill(0);
  },
);

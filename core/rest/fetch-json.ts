/** Asks an issuer for a small JSON document: HTTPS only, no redirect, bounded in bytes and time. */
import { get } from 'node:https';
import { AdmissionError } from '../../protocol/errors.ts';
import type { Clock } from '../../protocol/time.ts';

/** A JWKS of 32 RSA keys with their certificates has room in it. */
const LONGEST_BYTES = 262_144;
const WAIT_MS = 5_000;

/**
 * @param caPem authorities to trust instead of the system's.
 * @throws AdmissionError `admission.issuer_down` when no such document came in time.
 */
export async function fetchJson(url: string, caPem: string | undefined, clock: Clock): Promise<unknown> {
  const controller = new AbortController();
  const cancel = clock.after(WAIT_MS, () => controller.abort());
  try {
    return JSON.parse(await fetchText(url, caPem, controller.signal));
  } catch (cause) {
    throw new AdmissionError('admission.issuer_down', 'the issuer of tokens does not answer as it should', { cause });
  } finally {
    cancel();
  }
}

function fetchText(url: string, ca: string | undefined, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = get(
      url,
      { signal, agent: false, headers: { accept: 'application/json' }, ...(ca === undefined ? {} : { ca }) },
      (reply) => {
        if (reply.statusCode !== 200) return asked.destroy(new Error(`status ${reply.statusCode}`));
        const chunks: Buffer[] = [];
        let bytes = 0;
        reply.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > LONGEST_BYTES) asked.destroy(new Error('too long'));
          else chunks.push(chunk);
        });
        reply.on('error', reject);
        reply.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
      },
    );
    asked.on('error', reject);
    // Without an ear for it Node destroys the request and tells nobody, not even that its time is over.
    asked.on('upgrade', (_reply, socket) => {
      socket.destroy();
      reject(new Error('status 101'));
    });
  });
}

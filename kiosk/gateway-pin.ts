/**
 * Which certificate the gateway is known by: the one of the trust document, until the gateway shows a later one that its receipt key vouches for.
 * That one is gone by from then on, and kept in `gateway.crt` of the data directory; an earlier one is refused for ever, whoever has its key.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeWhole } from '../disk/files.ts';
import { FIRST_GENERATION, generationOf } from '../protocol/gateway-key.ts';
import type { Log } from '../protocol/log.ts';
import type { TrustDocument } from '../protocol/trust.ts';

interface Pin {
  readonly der: Uint8Array;
  readonly generation: number;
}

export class GatewayPin {
  readonly #dir: string;
  readonly #log: Log;
  readonly #signer: Pick<TrustDocument, 'deployment' | 'receiptKey'>;
  #pin: Pin;

  /** @param trust whose certificate can be read. */
  constructor(dir: string, trust: TrustDocument, log: Log) {
    this.#dir = dir;
    this.#log = log;
    this.#signer = { deployment: trust.deployment, receiptKey: trust.receiptKey };
    const told = this.#pinOf(trust.gateway.certificatePem);
    const kept = this.#readKept();
    this.#pin = kept !== undefined && kept.generation > told.generation ? kept : told;
  }

  /** The second in which the key that is gone by was made; 0 for the first. */
  get generation(): number {
    return this.#pin.generation;
  }

  /**
   * Whether a peer is the gateway. One that shows a later key of it is, and is gone by from now on.
   * @param certificate DER; the handshake has proved that the peer holds its key.
   */
  isGateway = (certificate: Uint8Array): boolean => {
    if (Buffer.compare(certificate, this.#pin.der) === 0) return true;
    const generation = generationOf(certificate, this.#signer);
    if (generation === undefined || generation <= this.#pin.generation) return false;
    this.#log.debug('gateway.key_met');
    this.#pin = { der: new Uint8Array(certificate), generation };
    this.#keep(certificate);
    this.#log.info('gateway.key_followed', { generation });
    return true;
  };

  #keep(certificate: Uint8Array): void {
    try {
      writeWhole(pathIn(this.#dir), Buffer.from(new X509Certificate(certificate).toString()), 0o644);
      this.#log.debug('gateway.key_kept');
    } catch (error) {
      // The next start follows once more.
      if (!(error instanceof Error && 'syscall' in error)) throw error;
      this.#log.warn('gateway.key_not_kept');
    }
  }

  /** What is not there, damaged, or of a gateway with another receipt key is no loss: the trust document names one. */
  #readKept(): Pin | undefined {
    try {
      const kept = this.#pinOf(readFileSync(pathIn(this.#dir), 'utf8'));
      return kept.generation > FIRST_GENERATION ? kept : undefined;
    } catch {
      return undefined;
    }
  }

  #pinOf(pem: string): Pin {
    return { der: new Uint8Array(new X509Certificate(pem).raw), generation: generationOf(pem, this.#signer) ?? FIRST_GENERATION };
  }
}

const pathIn = (dir: string): string => join(dir, 'gateway.crt');

/** What the kiosk's tests share: limits, cards, a trust document, an outbox whose rows can be opened again. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DoorPolicy } from '../../kiosk/check-in-state.ts';
import type { OutboxLimits } from '../../kiosk/outbox-row.ts';
import { signCard } from '../../protocol/card.ts';
import { makeCertificate } from '../../protocol/certificate.ts';
import { encodeCode } from '../../protocol/code.ts';
import { generateSigningKey, rawPublicKey } from '../../protocol/ed25519.ts';
import { generateRecipient } from '../../protocol/hpke.ts';
import { type DeploymentId, type KioskId, newPlaceId, type VisitorUuid } from '../../protocol/ids.ts';
import { formatTrust } from '../../protocol/trust.ts';
import type { CentiCelsius, EpochMillis, MonotonicMillis } from '../../protocol/units.ts';
import { uuidOfPublicKey } from '../../protocol/visitor.ts';

const DAY_MS = 86_400_000;

export const LIMITS: OutboxLimits = {
  maxRows: 100_000,
  maxBytes: 64 * 1024 * 1024,
  retentionMs: 21 * DAY_MS,
  keepSettledMs: 6 * 3_600_000,
  maxSettledRows: 20_000,
};

export const POLICY: DoorPolicy = {
  againWindowMs: 20_000,
  dwellMs: 12 * 3_600_000,
  undoWindowMs: 120_000,
  pairAfterScanMs: 20_000,
  pairBeforeScanMs: 5_000,
  secondReadingMs: 30_000,
  maxCards: 2_000,
  temperature: {
    threshold: 3_800 as CentiCelsius,
    offset: 250 as CentiCelsius,
    offsetId: 3,
    policyVersion: 7,
    roomLowest: 1_600 as CentiCelsius,
    roomHighest: 4_000 as CentiCelsius,
  },
};

/** @returns the card number `index`: always the same one. */
export const cardOf = (index: number): VisitorUuid => uuidOfPublicKey(Buffer.from(`visitor ${index}`));

export const mono = (atMs: number): MonotonicMillis => atMs as MonotonicMillis;
export const wall = (atMs: number): EpochMillis => atMs as EpochMillis;

export interface Deployment {
  readonly deployment: DeploymentId;
  readonly issuerKey: ReturnType<typeof generateSigningKey>;
  readonly gatewayKey: ReturnType<typeof generateSigningKey>;
  readonly gatewayCertificatePem: string;
  readonly recipient: Awaited<ReturnType<typeof generateRecipient>>;
  /** The text of a signed visitor card. */
  readonly textOf: (card: VisitorUuid) => string;
  /** Writes the trust document into `dir` for a gateway at `port` of this machine. @returns its path. */
  readonly writeTrust: (dir: string, port: number) => string;
}

export async function newDeployment(): Promise<Deployment> {
  const deployment = newPlaceId<DeploymentId>();
  const issuerKey = generateSigningKey();
  const gatewayKey = generateSigningKey();
  const gatewayCertificatePem = await makeCertificate(gatewayKey, 'gateway');
  const recipient = await generateRecipient();
  return {
    deployment,
    issuerKey,
    gatewayKey,
    gatewayCertificatePem,
    recipient,
    textOf: (card) => encodeCode(signCard(card, deployment, issuerKey)),
    writeTrust: (dir, port) => {
      const path = join(dir, 'trust.json');
      const text = formatTrust({
        deployment,
        gateway: { host: '127.0.0.1', port, certificatePem: gatewayCertificatePem },
        receiptKey: rawPublicKey(gatewayKey),
        recipients: [recipient.recipient],
        issuers: [rawPublicKey(issuerKey)],
        mayTakeUnsigned: false,
      });
      writeFileSync(path, text);
      return path;
    },
  };
}

export const newKiosk = (): KioskId => newPlaceId<KioskId>();

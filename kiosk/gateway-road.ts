/** How one kiosk reaches its gateway: TLS both ends of which are pinned, MQTT on top, receipts on the way back. Opens nothing by itself. */
import type { KeyObject } from 'node:crypto';
import { publicKeyFromRaw } from '../protocol/ed25519.ts';
import type { KioskId } from '../protocol/ids.ts';
import { downState, encodeKioskState } from '../protocol/kiosk-state.ts';
import type { Log } from '../protocol/log.ts';
import type { Clock } from '../protocol/time.ts';
import { topicOf } from '../protocol/topics.ts';
import type { TrustDocument } from '../protocol/trust.ts';
import type { OpenGatewayLink } from './gateway-link.ts';
import { openMqttLink } from './mqtt-link.ts';
import { countReceipt } from './receipts.ts';
import { dialTls } from './tls-dial.ts';

export interface GatewayRoad {
  readonly kiosk: KioskId;
  readonly privateKey: KeyObject;
  readonly certificatePem: string;
  readonly trust: TrustDocument;
  /** Of this software, for the last word that the broker says when the kiosk is gone. */
  readonly version: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Rows that the gateway did not take as they were. */
  /** A policy document as it came, not checked yet. */
  readonly onPolicy: (bytes: Uint8Array) => void;
  readonly onReceipt: (counts: { readonly conflicts: number; readonly quarantined: number }) => void;
}

export function gatewayRoad({
  kiosk,
  privateKey,
  certificatePem,
  trust,
  version,
  clock,
  log,
  onReceipt,
  onPolicy,
}: GatewayRoad): OpenGatewayLink {
  const { host, port, certificatePem: gatewayCertificatePem } = trust.gateway;
  const receipts = { deployment: trust.deployment, kiosk, publicKey: publicKeyFromRaw(trust.receiptKey) };
  const policyTopic = topicOf(kiosk, 'policy');
  return openMqttLink({
    dial: (ending) => dialTls({ host, port, gatewayCertificatePem, certificatePem, privateKey }, ending),
    clientId: kiosk,
    will: { topic: topicOf(kiosk, 'state'), payload: encodeKioskState(downState(version)) },
    subscribe: [topicOf(kiosk, 'receipt'), policyTopic],
    onMessage: (topic, payload) => {
      if (topic === policyTopic) onPolicy(payload);
      else onReceipt(countReceipt(payload, receipts, log));
    },
    clock,
  });
}

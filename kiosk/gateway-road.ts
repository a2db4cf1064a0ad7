/** How one kiosk reaches its gateway: TLS both ends of which are pinned, MQTT on top, receipts on the way back. Opens nothing by itself. */
import { publicKeyFromRaw } from '../protocol/ed25519.ts';
import { downState, encodeKioskState } from '../protocol/kiosk-state.ts';
import type { Log } from '../protocol/log.ts';
import type { Clock } from '../protocol/time.ts';
import { topicOf } from '../protocol/topics.ts';
import type { Credentials } from './credentials.ts';
import type { OpenGatewayLink } from './gateway-link.ts';
import { openMqttLink } from './mqtt-link.ts';
import { countReceipt } from './receipts.ts';
import { renewingLink } from './renew.ts';
import { dialTls } from './tls-dial.ts';

export interface GatewayRoad {
  /** Looked at for each connection: they may be renewed in between. */
  readonly credentials: Credentials;
  /** Of this software, for the last word that the broker says when the kiosk is gone. */
  readonly version: string;
  readonly clock: Clock;
  readonly log: Log;
  /** A policy document as it came, not checked yet. */
  readonly onPolicy: (bytes: Uint8Array) => void;
  /** A notice document as it came, not checked yet. */
  readonly onNotices: (bytes: Uint8Array) => void;
  /** A command as it came, not checked yet. */
  readonly onCommand: (bytes: Uint8Array) => void;
  /** What it says of releases, as it came, not checked yet. */
  readonly onRelease: (bytes: Uint8Array) => void;
  /** Rows that the gateway did not take as they were. */
  readonly onReceipt: (counts: { readonly conflicts: number; readonly quarantined: number }) => void;
}

export function gatewayRoad(road: GatewayRoad): OpenGatewayLink {
  const { credentials, version, clock, log, onReceipt, onPolicy, onNotices, onCommand, onRelease } = road;
  const { identity, trust } = credentials;
  const { kiosk, privateKey } = identity;
  const receipts = { deployment: trust.deployment, kiosk, publicKey: publicKeyFromRaw(trust.receiptKey) };
  const policyTopic = topicOf(kiosk, 'policy');
  const noticeTopic = topicOf(kiosk, 'notice');
  const commandTopic = topicOf(kiosk, 'command');
  const releaseTopic = topicOf(kiosk, 'release');
  const open = openMqttLink({
    dial: async (ending) => {
      const { places, trust, certificatePem, pin } = credentials;
      const place = places.next(trust);
      try {
        const socket = await dialTls({ ...place, isGateway: pin.isGateway, certificatePem, privateKey }, ending);
        places.reached(place, trust);
        return socket;
      } catch (error) {
        places.missed();
        throw error;
      }
    },
    clientId: kiosk,
    will: { topic: topicOf(kiosk, 'state'), payload: encodeKioskState(downState(version)) },
    subscribe: [topicOf(kiosk, 'receipt'), policyTopic, noticeTopic, commandTopic],
    wish: [releaseTopic],
    onMessage: (topic, payload) => {
      if (topic === policyTopic) onPolicy(payload);
      else if (topic === noticeTopic) onNotices(payload);
      else if (topic === commandTopic) onCommand(payload);
      else if (topic === releaseTopic) onRelease(payload);
      else onReceipt(countReceipt(payload, receipts, log));
    },
    clock,
  });
  return renewingLink(open, credentials);
}

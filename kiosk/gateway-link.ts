/** The door between the uplink and whatever carries its messages. */
import type { LinkError } from '../protocol/errors.ts';

export interface GatewayLink {
  /**
   * Resolves once the gateway has acknowledged (PUBACK): then, and only then, it has the message. May never resolve.
   * @throws LinkError link.lost when the link is down.
   */
  publish(topic: string, payload: Uint8Array, isRetained: boolean): Promise<void>;
  /** Resolves when the link is down, with the reason. */
  readonly closed: Promise<LinkError>;
  /** Resolves once the link is down; never rejects. */
  close(): Promise<void>;
}

/** @throws LinkError link.refused, link.unauthorised, link.pin, link.timeout, link.lost. */
export type OpenGatewayLink = (signal: AbortSignal) => Promise<GatewayLink>;

export type LinkReport = { readonly isUp: true } | { readonly isUp: false; readonly why: LinkError };

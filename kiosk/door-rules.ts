/** What the door goes by: the kiosk's own settings and trust document, and over them the policy that the gateway signed for it. */
import { type CardTrust, issuerOf } from '../protocol/card.ts';
import type { ClinicPolicy } from '../protocol/clinic.ts';
import type { VisitorUuid } from '../protocol/ids.ts';
import { isLost } from '../protocol/lost-card.ts';
import { type Policy, revokedIn } from '../protocol/policy.ts';
import type { TrustDocument } from '../protocol/trust.ts';
import type { Direction, DoorPolicy } from './check-in-state.ts';
import type { KioskConfig } from './config.ts';
import { policyOf } from './door-policy.ts';

export interface DoorRules {
  readonly policy: DoorPolicy;
  /** What the entrance is for; `undefined` where nobody at the gateway has said. */
  readonly direction: Direction | undefined;
  readonly trust: CardTrust;
  /** Whether a card was reported lost, or taken back by its holder. */
  readonly isWithdrawn: (card: VisitorUuid) => boolean;
  /** What a clinic's desk goes by; left out where the gateway has told none. */
  readonly clinic?: ClinicPolicy;
}

/** @param policy `undefined` until the kiosk was sent one. */
export function doorRules(config: KioskConfig, trust: TrustDocument, policy: Policy | undefined): DoorRules {
  const own = policyOf(config);
  const { deployment } = trust;
  if (policy === undefined) {
    const issuers = trust.issuers.map(issuerOf);
    return {
      policy: own,
      direction: undefined,
      trust: { deployment, issuers, mayTakeUnsigned: trust.mayTakeUnsigned },
      isWithdrawn: () => false,
    };
  }
  const { threshold, version, dwellMs, lostCards, clinic } = policy;
  const isRevoked = revokedIn(policy);
  return {
    policy: {
      ...own,
      // A card that is forgotten while its holder is still in would come in again on its way out.
      dwellMs: Math.max(own.dwellMs, dwellMs),
      temperature: { ...own.temperature, threshold: threshold ?? own.temperature.threshold, policyVersion: version },
    },
    direction: policy.direction,
    trust: { deployment, issuers: policy.issuers.map(issuerOf), mayTakeUnsigned: policy.mayTakeUnsigned },
    isWithdrawn: (card) => isRevoked(card) || isLost(card, lostCards),
    ...(clinic && { clinic }),
  };
}

/** Where a gateway's files are. Its keys are beside them, in `keys/` (identity.ts). */
import { join } from 'node:path';

export interface GatewayPaths {
  /** Encrypted: what was seen, quarantine, flags, cursors. */
  readonly ledger: string;
  /** Encrypted: the ledger's entries, a file a day. */
  readonly segments: string;
  /** Encrypted: venues and admitted kiosks. */
  readonly registry: string;
  /** Encrypted: enrolment codes, and the certificates of kiosks. */
  readonly enrolment: string;
  /** Room for forgetting on a full disk. */
  readonly reserve: string;
  /** Held while a gateway runs. */
  readonly lock: string;
  /** The last state message, for `vestibule gateway status`. */
  readonly state: string;
  /** Public: what kiosks need. */
  readonly trust: string;
  /** Encrypted: operators' accounts and sessions. */
  readonly accounts: string;
  /** Encrypted: what people did and looked at. */
  readonly audit: string;
  /** How far the audit log goes. */
  readonly auditHead: string;
  /** How the command line reaches a gateway that runs. */
  readonly control: string;
  /** Bundles that are handed out to kiosks. */
  readonly releases: string;
}

export const gatewayPaths = (directory: string): GatewayPaths => ({
  ledger: join(directory, 'gateway.db'),
  segments: join(directory, 'ledger'),
  registry: join(directory, 'registry.db'),
  enrolment: join(directory, 'enrolment.db'),
  reserve: join(directory, 'reserve'),
  lock: join(directory, 'gateway.lock'),
  state: join(directory, 'state.json'),
  trust: join(directory, 'trust.json'),
  accounts: join(directory, 'accounts.db'),
  audit: join(directory, 'audit.db'),
  auditHead: join(directory, 'audit.head'),
  control: join(directory, 'control.json'),
  releases: join(directory, 'releases'),
});

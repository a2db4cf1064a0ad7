/** A bundle that may be taken, from wherever it comes. */
import type { BundleSource } from './bundle-source.ts';
import type { Work } from './update-state.ts';

export interface Candidate {
  readonly from: Work['from'];
  /** Another one when it is another bundle. */
  readonly mark: string;
  readonly isAsked: boolean;
  readonly open: () => Promise<BundleSource>;
  /** Aborts when it is not to be taken any more. */
  readonly signal: AbortSignal;
  /** To be called when it is done with. */
  readonly done: () => Promise<void>;
}

/** By what a kiosk takes and tries releases. */
export interface UpdateLimits {
  /** So long nobody has to be served before a release is tried. */
  readonly quietMs: number;
  /** Within which a release on trial has to deliver a test event. */
  readonly trialMs: number;
  /** Of what comes from the gateway. */
  readonly bytesPerSecond: number;
  /** Where sticks are mounted. */
  readonly media: readonly string[];
}

/**
 * Scanners that are known by vendor and product id: what they are called, and as what they were found to answer.
 *
 * A POS scanner needs no line here, because its report descriptor says what it is. A scanner that types looks like any keyboard, and is taken
 * unasked only when it is one of these. Each line has its source; a number without one is not here.
 */

export interface Fingerprint {
  /** Four hexadecimal digits, as `lsusb` writes them. */
  readonly vendorId: string;
  readonly productId: string;
  /** What this product id answers as; a scanner that is set to another mode has another. */
  readonly mode: 'keyboard' | 'hid-pos' | 'serial';
  readonly name: string;
  readonly source: string;
}

export const FINGERPRINTS: readonly Fingerprint[] = [];

/** @returns what is known of that product; `undefined` when nothing is. */
export const fingerprintOf = (device: { readonly vendorId: string; readonly productId: string }): Fingerprint | undefined =>
  FINGERPRINTS.find(({ vendorId, productId }) => vendorId === device.vendorId && productId === device.productId);

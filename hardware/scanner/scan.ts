/**
 * One reading of a symbol, and what makes the bytes of a frame into its text. Pure.
 * Source: ISO/IEC 15424 (the symbology identifier `]`, a code character, a modifier character, sent before the data);
 * ISO/IEC 18004, table 7 (a version 40-L QR symbol holds 4,296 characters of the alphanumeric set, which all our codes keep to).
 */
import type { EpochMillis, MonotonicMillis } from '../../protocol/units.ts';

export interface Scan {
  /** 1 to LONGEST_SYMBOL_BYTES printable ASCII characters, without terminator and symbology identifier. Never log it. */
  readonly text: string;
  /** When the last byte came: a scan is what a person waits for the answer to, and slow ports take 0.2 s over a code. */
  readonly scannedAt: { readonly wallMs: EpochMillis; readonly monotonicMs: MonotonicMillis };
  readonly device: string;
}

/** `overlong`: more than any symbol of ours holds. `unprintable`: bytes outside 0x20 to 0x7E. `cut`: broke off before its end. `empty`: no text. */
export type RefusedScan = 'overlong' | 'unprintable' | 'cut' | 'empty';

export const LONGEST_SYMBOL_BYTES = 4_296;

const IDENTIFIER = /^\][A-Za-z][0-9A-Za-z]/;

/** @param bytes printable ASCII only. @returns the text without its symbology identifier, where the scanner sends one; may be empty. */
export const textOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1').replace(IDENTIFIER, '');

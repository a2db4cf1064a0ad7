/**
 * Counts of people as an analyst is told them: those under five as `fewer than 5`, none among them, and the others to the nearest five.
 *
 * Withholding alone is undone by subtraction: a cell that is withheld is its total less the others, and a cell asked about twice tells who came
 * in between. Against the first every count is rounded, in whatever table it stands, and totals are not told; against the second only days
 * that are over are counted, and what was told stays as it was until it has changed by five (steady-counts.ts).
 * Source: Hundepool et al., Statistical Disclosure Control (2012), sections 5.2 (secondary suppression) and 5.4 (rounding).
 */
import { z } from 'zod';

export const FEW = 5;
export const FEWER = 'fewer than 5';

export const told = z.union([z.literal(FEWER), z.int().min(FEW).multipleOf(FEW)]).describe('people, to the nearest 5');
export type Told = z.infer<typeof told>;

/** @param count 0 or more. */
export const tell = (count: number): Told => (count < FEW ? FEWER : Math.round(count / FEW) * FEW);

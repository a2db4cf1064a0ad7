/**
 * The command line as it runs some days later: the same program, whose clock is ahead by LATER_MS. The product has no such setting; what it is
 * given here is what a machine that was switched on then would give it. Ages that OpenSSL looks at stay those of today.
 */
import { systemClock } from '../../protocol/time.ts';
import type { EpochMillis, MonotonicMillis } from '../../protocol/units.ts';

const laterMs = Number(process.env.LATER_MS ?? 0);
const { wall, monotonic } = systemClock;
Object.assign(systemClock, {
  wall: () => (wall() + laterMs) as EpochMillis,
  monotonic: () => (monotonic() + laterMs) as MonotonicMillis,
});
await import('../../cli/main.ts');

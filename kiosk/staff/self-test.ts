/** What the staff's self-test found: every part that they could see to, or tell somebody of. Names of devices and codes only. */
import type { ErrorCode } from '../../protocol/errors.ts';
import type { HealthSnapshot } from '../health.ts';
import type { Words } from '../screen/words.ts';
import { spanWords } from '../status-words.ts';
import type { Delivery } from '../test-event.ts';

export interface TestPart {
  /** A part that the languages name, or a device's own name. */
  readonly part: keyof Words['menu']['testParts'] | { readonly device: string };
  readonly isWell: boolean;
  readonly why: ErrorCode | undefined;
  /** Of a device that is missing: where it was plugged in, and for how long it is, such as `12 min`. */
  readonly path?: string;
  readonly downFor?: string;
}

/** @param delivery of a test event that was sent the whole road just now. */
export function testParts(health: HealthSnapshot, delivery: Delivery): TestPart[] {
  const { storeWhy, isOnline, linkWhy, clock, policy, devices } = health;
  const isDelivered = delivery.outcome === 'delivered';
  return [
    { part: 'store', isWell: storeWhy === undefined, why: storeWhy },
    ...devices.map(({ name, isUp, why, path, downForMs }) => ({
      ...{ part: { device: name }, isWell: isUp, why },
      ...(isUp || path === undefined ? {} : { path }),
      ...(downForMs === undefined ? {} : { downFor: spanWords(downForMs) }),
    })),
    { part: 'clock', isWell: clock !== 'unsynced', why: undefined },
    { part: 'link', isWell: isOnline, why: linkWhy },
    { part: 'policy', isWell: policy.why === undefined, why: policy.why },
    { part: 'delivery', isWell: isDelivered, why: 'why' in delivery ? delivery.why : undefined },
  ];
}

/** A house one of whose directories lies on a small disk of its own, after 20 scans that arrived. */
import { join } from 'node:path';
import type { Test } from 'tap';
import { House } from './house.ts';
import { mountableRoot, SmallDisk } from './small-disk.ts';

export async function openOnSmallDisk(t: Test, whose: 'core' | 'gateway'): Promise<{ house: House; disk: SmallDisk }> {
  const root = mountableRoot(t);
  const disk = new SmallDisk(t, join(root, whose));
  t.comment(`the ${whose}'s disk is ${disk.kind}`);
  const house = await House.open(t, { root });
  await house.startGateway();
  await house.startKiosk();
  await house.scanMany(0, 20);
  await house.untilDelivered();
  return { disk, house };
}

/** A kiosk without keyboard, login or page comes back to its owner: a file on its card has it deliver, take its leave and wipe itself. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { guestDirectory } from '../support/guest/guest.ts';
import { runCommand } from '../support/guest/run-command.ts';
import { CardKiosk } from './card-kiosk.ts';

/** @param image of a card. */
export async function comeBack(t: Test, image: string): Promise<void> {
  const directory = guestDirectory();
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const kiosk = await CardKiosk.open(image, Math.random);
  t.teardown(() => kiosk.destroy());
  const filesOf = async (): Promise<string> => {
    const data = join(directory, 'data');
    kiosk.copy('data', data);
    await runCommand('/sbin/e2fsck', ['-E', 'journal_only', '-y', data]).catch(() => {});
    return await runCommand('/sbin/debugfs', ['-R', 'ls /vestibule/kiosk', data]);
  };
  await kiosk.start();
  await kiosk.ready();
  await kiosk.enrol();
  await kiosk.typeCard();
  await kiosk.delivered();
  await kiosk.cut('all-kept');
  t.match(await filesOf(), /kiosk\.key.*outbox\.db/s, 'it is a kiosk');

  await kiosk.put('reset.txt', '\r\n');
  const asked = join(directory, 'config');
  kiosk.copy('config', asked);
  await kiosk.start();
  await kiosk.says(/kiosk\.not_enrolled/);
  t.equal(kiosk.venue.log.of('kiosk.left').length, 1, 'the gateway was told, and has shut it out');
  await kiosk.cut('all-kept');
  t.notMatch(await filesOf(), /papers|outbox|policy/, 'nothing of it is left');
  t.notMatch(await kiosk.putThere(), /reset/i, 'it is asked for once');
  t.strictSame(await kiosk.damagedFats(), [], 'the file system of the wish is sound');

  kiosk.putBack('config', asked);
  t.match(await kiosk.putThere(), /reset\.txt/i, 'a worn card has forgotten that it went');
  await kiosk.start();
  await kiosk.says(/carried out before.*kiosk\.not_enrolled/s);
  await kiosk.cut('all-kept');
}

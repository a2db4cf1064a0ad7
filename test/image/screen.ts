/** The image with a browser: its page stands on the screen, and takes the label that a keyboard types. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { guestDirectory } from '../support/guest/guest.ts';
import { build, needBench, usableLock } from './built.ts';
import { CardKiosk } from './card-kiosk.ts';

/** A console has two colours; letters of a page have hundreds between theirs and the paper's. */
const COLOURS_OF_A_PAGE = 64;
const LONGEST_MS = 1_500_000;

/** @param pictures a directory, is made. */
export async function showPage(t: Test, pictures: string): Promise<void> {
  const directory = guestDirectory();
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  mkdirSync(pictures, { recursive: true });
  await needBench();
  const lock = await usableLock((words) => t.comment(words), 'chromium');
  const image = await build(join(directory, 'kiosk.img'), lock, 'chromium');
  t.comment('built');
  const kiosk = await CardKiosk.open(image.card, Math.random, true);
  t.teardown(() => kiosk.destroy());
  await kiosk.start();
  await kiosk.ready();
  const untilMs = performance.now() + LONGEST_MS;
  const picture = join(pictures, 'not-set-up.png');
  while ((await kiosk.picture(picture)) < COLOURS_OF_A_PAGE && performance.now() < untilMs)
    t.ok(await kiosk.lives(5_000), 'the machine lives until its page is shown');
  t.ok((await kiosk.picture(picture)) >= COLOURS_OF_A_PAGE, `a page is on the screen: ${picture}`);
  await kiosk.enrol();
  await kiosk.lives(20_000);
  await kiosk.picture(join(pictures, 'set-up.png'));
  await kiosk.cut('all-kept');
}

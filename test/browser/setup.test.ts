/** The set-up page of a real kiosk at a real gateway, from the label to an event that arrived; in every language, and fit for every eye. */
import { type AddressInfo, createServer } from 'node:net';
import { join, resolve } from 'node:path';
import t from 'tap';
import { openIdentity } from '../../gateway/identity.ts';
import { gatewayPaths } from '../../gateway/paths.ts';
import { Registry } from '../../gateway/registry.ts';
import { LANGUAGES } from '../../kiosk/screen/languages.ts';
import { SETUP_WORDS } from '../../kiosk/setup/setup-words.ts';
import { cardOf, Road } from '../journey/road.ts';
import { startWaitingKiosk } from '../kiosk/waiting-kiosk.ts';
import { axeFaultsOf } from '../support/accessible.ts';
import { Browser } from '../support/browser.ts';
import { giveCode } from '../support/enrolling.ts';
import { suiteSize } from '../support/suite-size.ts';

const pictures = process.env.VESTIBULE_PICTURES ?? (suiteSize().isFull ? resolve(import.meta.dirname, '../../docs/screen') : t.testdir());
const browser = Browser.open();
t.teardown(() => browser.close());

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const asked = (text: string) => `document.querySelector('#ask')?.textContent === ${JSON.stringify(text)}`;

t.test('set-up page: label, entrance, devices, delivery', async (t) => {
  const road = await Road.open(t);
  const { storeKey } = await openIdentity(road.gatewayDir);
  const registry = new Registry(gatewayPaths(road.gatewayDir).registry, storeKey);
  registry.putVenue({ id: road.venue, name: 'Town library', timezone: 'UTC' });
  registry.close();
  const { text: code } = await giveCode(road.gatewayDir, { venue: road.venue, direction: 'both' }, road.clock.wall());
  const port = await freePort();
  const kiosk = startWaitingKiosk(road.dirOf('kiosk'), { clock: road.clock }, { page: { port }, scanners: [] });
  t.teardown(() => kiosk.stop());
  const page = await browser.page();
  const { asks, next, saveName, reset, notName, tried } = SETUP_WORDS.en;
  const take = async (name: string) => {
    await page.look({ width: 800, height: 480 });
    await page.picture(join(pictures, `${name}.png`));
    await page.look({ width: 480, height: 320 });
  };
  await page.look({ width: 480, height: 320 });
  await page.open(`http://127.0.0.1:${port}/`);
  await page.until(asked(asks.enrol));
  t.strictSame(await axeFaultsOf(page), []);
  await page.fill('input', '4006381333931');
  await page.press('Enter');
  await page.untilText(SETUP_WORDS.en.notLabel);
  await take('set-up-label');
  await page.fill('input', code);
  t.equal(await page.value('getComputedStyle(document.querySelector("input")).color'), 'rgba(0, 0, 0, 0)', 'nobody reads it there');
  await page.press('Enter');
  await page.until(asked(asks.name));
  t.strictSame(await axeFaultsOf(page), []);
  await page.fill('input', code);
  await page.press('Enter');
  await page.untilText(notName);
  t.equal(await page.value('document.querySelector("#work input").value'), '', 'a code does not stay for all to read');
  t.ok(await page.value('document.documentElement.scrollWidth <= window.innerWidth'));
  await page.fill('input', 'Garden gate');
  await page.until(`[...document.querySelectorAll('button')].some((one) => one.textContent === ${JSON.stringify(saveName)})`);
  const click = (text: string) =>
    page.value(`[...document.querySelectorAll('button')].find((one) => one.textContent === ${JSON.stringify(text)}).click()`);
  // As good as the other button: what was typed is not lost.
  await click(next);
  await page.until(asked(asks.devices));
  await page.untilText('Garden gate');
  await take('set-up-devices');
  t.strictSame(await axeFaultsOf(page), []);
  t.ok(await page.value('document.documentElement.scrollWidth <= window.innerWidth'), 'nothing hangs over the edge of the smallest screen');
  t.notOk(await page.value('document.activeElement.matches("input")'), 'nothing is under the keys of a scanner');
  for (const key of road.textOf(cardOf(1))) await page.press(key);
  await page.press('Enter');
  await page.untilText(tried);
  await click(next);
  await page.until(asked(asks.done));
  t.notOk(
    await page.value(`document.body.innerHTML.includes(${JSON.stringify(reset)})`),
    'whoever passes a kiosk that is set up can not erase it',
  );
  await take('set-up-done');
  t.match(await page.value('document.querySelector("#outcome").textContent'), /^Delivered in \d/);
  t.notOk(await page.value(`document.body.innerHTML.includes(${JSON.stringify(code.slice(0, 20))})`));
});

t.test('set-up page: every language fits, and is read from its own side', async (t) => {
  const port = await freePort();
  const page = await browser.page();
  for (const language of LANGUAGES) {
    const own = startWaitingKiosk(t.testdir(), {}, { page: { port, language }, scanners: [] });
    await page.look({ width: 480, height: 320 });
    await page.open(`http://127.0.0.1:${port}/setup.html`);
    await page.until(asked(SETUP_WORDS[language].asks.enrol));
    t.equal(await page.value('document.documentElement.dir'), language === 'ar' ? 'rtl' : 'ltr');
    t.ok(await page.value('document.documentElement.scrollWidth <= window.innerWidth'), language);
    await own.stop();
  }
});

/** Pictures of the kiosk's screen as a person at the door meets it: into docs/screen at full size, or where VESTIBULE_PICTURES says. */
import { join, resolve } from 'node:path';
import t from 'tap';
import { WORDS } from '../../kiosk/screen/languages.ts';
import { Browser } from '../support/browser.ts';
import { answered, draw, openShown, untilText, WELL } from '../support/screen-rig.ts';
import { suiteSize } from '../support/suite-size.ts';

const { isFull } = suiteSize();
const browser = Browser.open();
t.teardown(() => browser.close());

t.test('screen: pictures', async (t) => {
  const to = process.env.VESTIBULE_PICTURES ?? (isFull ? resolve(import.meta.dirname, '../../docs/screen') : t.testdir());
  const { screen, page, now, speak, menu } = await openShown(t, browser);
  const take = async (name: string, [width, height]: readonly [number, number] = [800, 480]) => {
    await screen.look({ width, height });
    await draw(screen);
    await screen.picture(join(to, `${name}.png`));
  };
  await take('ready');
  const states = [
    'welcome',
    'already-in',
    'goodbye',
    'undone',
    'please-measure-again',
    'please-see-staff',
    'not-a-card',
    'card-withdrawn',
    'keep-at-home',
    'holder-scan-key',
    'sticker-linked',
    'sticker-used',
    'paper-kept',
  ] as const;
  for (const kind of isFull ? states : states.slice(0, 2)) {
    page.show(answered(kind));
    await untilText(screen, WORDS.en.answers[kind][0]);
    await take(kind);
  }
  page.show(answered('goodbye'));
  page.show(answered('welcome', { hasNotice: true }));
  await screen.untilText(WORDS.en.notice);
  await take('notice');
  now.health = { ...WELL, isOnline: false, queued: 3 };
  page.refresh();
  page.show(answered('goodbye', { isStoredOffline: true }));
  await screen.untilText(WORDS.en.storedOffline);
  await take('stored');
  now.health = { ...WELL, faults: ['store.low'] };
  page.refresh();
  await screen.untilText(WORDS.en.faults['store.low']);
  await take('fault');
  now.health = WELL;
  page.refresh();
  for (const [language, size] of [
    ['de', [480, 320]],
    ['fr', [480, 800]],
    ['es', [1_280, 720]],
    ['ar', [800, 480]],
  ] as const) {
    speak(language);
    await screen.until(`document.documentElement.lang === '${language}'`);
    page.show(answered('card-refused'));
    await untilText(screen, WORDS[language].answers['card-refused'][0]);
    await take(`language-${language}`, size);
  }
  speak('en');
  now.health = { ...WELL, devices: [{ name: 'scanner', isUp: false, why: 'device.gone' }] };
  page.refresh();
  await untilText(screen, 'Scanner missing');
  await take('device-missing');
  now.health = { ...WELL, storeWhy: 'store.full', state: 'down' };
  page.refresh();
  await untilText(screen, 'Scans are not kept');
  await take('not-storing');
  now.health = WELL;
  now.settings = { ...now.settings, isOutOfOrder: true };
  page.refresh();
  await untilText(screen, 'Out of order');
  await take('out-of-order');
  now.settings = { ...now.settings, isOutOfOrder: false };
  menu(true);
  await screen.until("document.querySelector('#menu').open");
  await take('menu');
  for (const [name, said] of [
    ['menu-door', 'Door'],
    ['menu-paper', 'Paper notes'],
    ['menu-last', 'Last ten'],
  ] as const) {
    await screen.value(
      `[...document.querySelectorAll('#menu .tiles button')].find((one) => one.textContent.includes(${JSON.stringify(said)})).click()`,
    );
    await take(name);
    await screen.press('Escape');
  }
  menu(false);
  await page.close();
  await untilText(screen, 'The kiosk does not answer');
  await take('lost');
});

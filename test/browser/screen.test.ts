/** The kiosk's screen in a real browser: every state in every language at every size, what it owes to eyes and ears, and what it keeps: nothing. */
import t, { type Test } from 'tap';
import { LOOKS } from '../../kiosk/feedback-words.ts';
import { LANGUAGES, WORDS } from '../../kiosk/screen/languages.ts';
import { REST_LOOKS } from '../../kiosk/screen/rest.ts';
import { axeFaultsOf } from '../support/accessible.ts';
import { Browser, type Page } from '../support/browser.ts';
import { answered, CLIPPED, draw, openScreen, openShown, SIZES, untilText, WELL } from '../support/screen-rig.ts';
import { suiteSize } from '../support/suite-size.ts';

const { isFull } = suiteSize();
const browser = Browser.open();
t.teardown(() => browser.close());

const KINDS = Object.keys(LOOKS) as (keyof typeof LOOKS)[];
const text = (page: Page) => page.value<string>("document.querySelector('#text').textContent");

const shown = (t: Test) => openShown(t, browser);

/** Shows each answer with all that may stand below it, and each rest, and looks at once whether any of it is cut off. */
const LOOK_AT_ALL = `async () => {
  const [{ show }, { LANGUAGES, LOOKS, RESTS }] = await Promise.all([import('/screen.js'), import('/words.js')]);
  const { answers, rests, storedOffline, stub, notice, faults: said } = LANGUAGES[document.documentElement.lang];
  const clipped = ${CLIPPED};
  const faults = [];
  const least = { title: Infinity, more: Infinity, aside: Infinity };
  const look = (name, state) => {
    show(state);
    faults.push(...clipped().map((fault) => name + ': ' + fault));
    for (const part of ['title', 'more', 'aside']) {
      const p = document.querySelector('.' + part + ' p');
      if (p.textContent !== '') least[part] = Math.min(least[part], parseFloat(getComputedStyle(p).fontSize));
    }
  };
  for (const [kind, [text, more]] of Object.entries(answers)) {
    look(kind, { ...LOOKS[kind], text, more });
    look(kind + ', stored', { ...LOOKS[kind], text, more, aside: storedOffline, isKeptHere: true });
    if (['welcome', 'already-in', 'goodbye', 'already-out'].includes(kind))
      for (const line of [stub, notice]) look(kind + ', stored, ' + line, { ...LOOKS[kind], text, more, aside: storedOffline + ' ' + line });
  }
  for (const fault of Object.values(said))
    look(fault, { ...RESTS.ready, text: rests.ready[0], more: fault, needsSomebody: true });
  for (const [rest, [text, more]] of Object.entries(rests))
    look(rest, { ...RESTS[rest], text, more, aside: 'NOT STORING (store.disk_full) · offline (link.refused) · 1204 waiting · scanner absent (device.gone)', isCode: true });
  return { faults, least };
}`;

t.test('screen: no text is cut off, in any state, language and size', async (t) => {
  const { screen, speak, now, page } = await shown(t);
  now.health = { ...WELL, isOnline: false, queued: 1_204, devices: [{ name: 'thermometer', isUp: false, why: 'device.absent' }] };
  now.settings = { ...now.settings, sound: 'silent' };
  page.refresh();
  for (const language of LANGUAGES) {
    speak(language);
    await screen.until(`document.documentElement.lang === '${language}'`);
    for (const [width, height] of SIZES) {
      await screen.look({ width, height });
      const { faults, least } = await screen.value<{ faults: string[]; least: Record<string, number> }>(`(${LOOK_AT_ALL})()`);
      t.strictSame(faults, [], `${language}, ${width} x ${height}`);
      t.ok(
        (least.title ?? 0) >= Math.min(width, height) / 16,
        `${language}, ${width} x ${height}: the smallest title is ${least.title} px`,
      );
      t.ok((least.more ?? 0) >= 11 && (least.aside ?? 0) >= 8, `${language}, ${width} x ${height}: ${least.more} px, ${least.aside} px`);
    }
  }
  t.strictSame(screen.complaints, [], 'the policy of the page refuses nothing that it does');
});

t.test('screen: a reader and whoever sees little find the same, by the rules of axe-core', async (t) => {
  const { screen, page, speak, menu } = await shown(t);
  await screen.look({ width: 800, height: 480 });
  const kinds = isFull ? KINDS : (['welcome', 'already-in', 'please-see-staff', 'not-a-card'] as const);
  for (const language of isFull ? LANGUAGES : (['en', 'ar'] as const)) {
    speak(language);
    for (const kind of kinds) {
      page.show(answered(kind, { isStoredOffline: true }));
      await untilText(screen, WORDS[language].answers[kind][0]);
      t.strictSame(await axeFaultsOf(screen), [], `${language}: ${kind}`);
    }
    menu(true);
    await screen.until("document.querySelector('#menu').open");
    t.strictSame(await axeFaultsOf(screen), [], `${language}: menu`);
    menu(false);
    await screen.until("!document.querySelector('#menu').open");
  }
});

t.test('screen: says the same by colour, shape and icon; what differs in meaning differs in each', async (t) => {
  const { screen, page } = await shown(t);
  const seen = new Map<string, string>();
  for (const kind of ['welcome', 'already-in', 'please-measure-again', 'not-a-card'] as const) {
    page.show(answered(kind));
    await untilText(screen, WORDS.en.answers[kind][0]);
    const look = await screen.value<string[]>(`[
      getComputedStyle(document.querySelector('#stage')).backgroundColor,
      [...document.querySelectorAll('.shape')].filter((shape) => getComputedStyle(shape).display !== 'none').map((shape) => shape.classList[1]).join(),
      document.querySelector('#sign').getAttribute('href'),
    ]`);
    seen.set(kind, look.join(' '));
    t.equal(new Set(look).size, 3);
  }
  for (const part of [0, 1, 2, 3])
    t.equal(new Set([...seen.values()].map((look) => look.split(' ').slice(-2)[part % 2])).size, 4, 'shape and icon each tell them apart');
  const missing = await screen.value<string[]>(
    `Promise.resolve(${JSON.stringify([...KINDS.map((kind) => LOOKS[kind].sign), ...Object.values(REST_LOOKS).map(({ sign }) => sign)])}.filter((sign) => document.querySelector('#s-' + sign) === null))`,
  );
  t.strictSame(missing, [], 'every icon is drawn');
});

t.test('screen: Arabic reads from the right, and the sign stands there', async (t) => {
  const { screen, speak } = await shown(t);
  const order = () =>
    screen.value<boolean>(
      "document.querySelector('.sign').getBoundingClientRect().left > document.querySelector('.words').getBoundingClientRect().left",
    );
  t.notOk(await order());
  speak('ar');
  await screen.until("document.documentElement.dir === 'rtl'");
  await draw(screen);
  t.ok(await order());
});

t.test('screen: moves for nobody who does not want it', async (t) => {
  const { screen, page } = await shown(t);
  const moves = async () => {
    page.show(answered('welcome'));
    await untilText(screen, 'Welcome');
    return await screen.value<number>('document.getAnimations().length');
  };
  t.equal(await moves(), 0);
  await screen.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-reduced-motion', value: 'no-preference' }] });
  t.ok((await moves()) > 0);
});

t.test('screen: a later answer takes the place of the one before at once; each is marked as new; then it is ready again', async (t) => {
  const { screen, page } = await shown(t);
  const sides: string[] = [];
  for (let burst = 0; burst < 40; burst++) page.show(answered(burst % 2 === 0 ? 'not-a-card' : 'goodbye'));
  page.show(answered('welcome'));
  await untilText(screen, 'Welcome');
  for (let again = 0; again < 2; again++) {
    sides.push(await screen.value<string>("document.querySelector('#stage').dataset.turn"));
    const before = sides.at(-1);
    page.show(answered('welcome'));
    await screen.until(`document.querySelector('#stage').dataset.turn !== '${before}'`);
  }
  t.equal(new Set(sides).size, 2, 'the same words twice are two answers');
  await untilText(screen, 'Please scan a card');
  t.equal(await screen.value("document.querySelector('#more').textContent + document.querySelector('#aside').textContent"), '');
});

t.test('screen: what a scanner types into it goes to the kiosk and stays nowhere', async (t) => {
  const { screen, scans } = await shown(t);
  const code = 'VCBBBCBDBEBFBGBHBJBKBNBPBRBSBTBVBXPGSX';
  for (const end of ['Enter', 'Tab']) {
    for (const key of code) await screen.send('Input.dispatchKeyEvent', { type: 'keyDown', key, text: key });
    await screen.press(end);
  }
  await screen.until('true');
  const asked = () => screen.value("fetch('/healthz').then(() => true)");
  while (scans.length < 2) await asked();
  t.strictSame(scans, [code, code]);
  const kept = `Promise.all([document.documentElement.outerHTML, location.href, JSON.stringify(history.state), document.title, localStorage.length, sessionStorage.length, document.cookie, indexedDB.databases(), caches.keys()]).then(JSON.stringify)`;
  const all = await screen.value<string>(kept);
  t.notMatch(all, /VCBB/);
  t.match(all, /,0,0,"",\[\],\[\]\]$/, 'nothing is stored');
});

t.test('screen: says by itself that the kiosk is gone, or silent, and is back when that is', async (t) => {
  const first = await openScreen(t);
  const page = await browser.page();
  await page.open(first.url);
  await untilText(page, 'Please scan a card');
  first.page.beat();
  await untilText(page, 'The kiosk does not answer');
  t.pass('a kiosk that beat and beats no more is missed, though its line is open');
  await untilText(page, 'Please scan a card');
  await first.page.close();
  await untilText(page, 'The kiosk does not answer');
  const port = Number(new URL(first.url).port);
  const second = await openScreen(t, { port });
  await untilText(page, 'Please scan a card');
  second.page.show(answered('welcome'));
  await untilText(page, 'Welcome');
});

t.test('screen: tells what is wrong with the kiosk while nobody is answered', async (t) => {
  const { screen, now, page } = await shown(t);
  const chips = () => screen.value<string>("document.querySelector('#chips').textContent");
  const scanner = { name: 'scanner', isUp: false, why: 'device.gone' as const };
  const rests = [
    [{ ...WELL, devices: [scanner] }, 'Scanner missing'],
    [{ ...WELL, storeWhy: 'store.full' as const, state: 'down' as const }, 'Scans are not kept'],
    [{ ...WELL, isAwaitingCode: true as const }, 'Not set up yet'],
  ] as const;
  for (const [health, said] of rests) {
    page.show(answered('welcome'));
    now.health = health;
    page.refresh();
    await untilText(screen, said);
  }
  now.health = {
    ...WELL,
    isOnline: false,
    queued: 3,
    devices: [
      { ...scanner, isUp: true, why: undefined },
      { ...scanner, name: 'thermometer' },
    ],
  };
  page.refresh();
  await untilText(screen, 'Please scan a card');
  t.match(await chips(), /Offline · 3 kept here.*Missing: thermometer/);
  now.settings = { ...now.settings, isOutOfOrder: true };
  page.refresh();
  await untilText(screen, 'Out of order');
});

t.test('screen: what is kept here, and who is needed, is seen from afar, too', async (t) => {
  const { screen, now, page } = await shown(t);
  const isSeen = (selector: string) => screen.value<boolean>(`getComputedStyle(document.querySelector('${selector}')).display !== 'none'`);
  const ground = () => screen.value<string>("getComputedStyle(document.querySelector('.more')).backgroundColor");
  page.show(answered('welcome'));
  await untilText(screen, 'Welcome');
  t.notOk(await isSeen('.kept'));
  page.show(answered('goodbye', { isStoredOffline: true }));
  await untilText(screen, 'Goodbye');
  t.ok(await isSeen('.kept'), 'a sign of its own, beside the words and three ticks');
  await untilText(screen, 'Please scan a card');
  t.notOk(await isSeen('.kept'));
  const usual = await ground();
  now.health = { ...WELL, faults: ['clock.wrong'] };
  page.refresh();
  await screen.untilText(WORDS.en.faults['clock.wrong']);
  t.not(await ground(), usual);
  now.health = WELL;
  page.refresh();
  await screen.until("document.querySelector('#more').textContent === ''");
  t.ok(await isSeen('#buttons'));
  await page.close();
  await untilText(screen, 'The kiosk does not answer');
  t.notOk(await isSeen('#buttons'), 'nobody is there to obey them');
});

t.test('screen: a clinic’s desk has the buttons of results, and keeps what it waits for', async (t) => {
  const rig = await openScreen(t, { isDesk: true, direction: () => undefined });
  const page = await browser.page();
  await page.look({ width: 480, height: 320 });
  await page.open(rig.url);
  await untilText(page, 'Please scan');
  rig.page.show(answered('choose-result'));
  await untilText(page, 'Which result?');
  t.strictSame(await page.value(`(${CLIPPED})()`), []);
  await page.click('[data-command=positive]');
  await page.press('Escape');
  while (rig.asked.length < 2) await draw(page);
  t.strictSame(rig.asked, ['positive', 'cancel']);
  t.equal(await text(page), 'Which result?');
});

t.test('screen: the staff’s menu, by keys alone and by touch, in every language, cuts nothing off', async (t) => {
  const { screen, menu, asked, speak, now } = await shown(t);
  await screen.look({ width: 480, height: 320 });
  menu(true);
  await screen.until("document.querySelector('#menu').open");
  await screen.press('ArrowRight');
  await screen.press('Enter');
  await screen.untilText('The second scan of a card checks it out.');
  await screen.press('Enter');
  while (asked.length < 1) await draw(screen);
  t.strictSame(asked, ['door-in']);
  await screen.press('Escape');
  await screen.untilText('Staff menu');
  for (const language of LANGUAGES) {
    speak(language);
    await screen.until(`document.documentElement.lang === '${language}'`);
    const tiles = await screen.value<number>("document.querySelectorAll('#menu .tiles button').length");
    for (const [width, height] of isFull ? SIZES : SIZES.slice(0, 2)) {
      await screen.look({ width, height });
      t.strictSame(await screen.value(`(${CLIPPED})()`), [], `${language}, ${width} x ${height}: menu`);
      for (let tile = 1; tile < tiles; tile++) {
        await screen.value(`document.querySelectorAll('#menu .tiles button')[${tile}].click()`);
        await draw(screen);
        t.strictSame(await screen.value(`(${CLIPPED})()`), [], `${language}, ${width} x ${height}: ${tile}`);
        await screen.press('Escape');
        await screen.untilText(WORDS[language].menu.title);
      }
    }
  }
  speak('en');
  await screen.untilText('Paper notes');
  await screen.value(
    "[...document.querySelectorAll('#menu .tiles button')].find((one) => one.textContent.includes('Paper notes')).click()",
  );
  await screen.value(
    "document.querySelector('#paper-day').value = '2', document.querySelector('#paper-hour').value = '9', document.querySelector('#paper-minute').value = '5'",
  );
  await screen.value("[...document.querySelectorAll('#menu .tiles button')].find((one) => one.textContent.includes('Left')).click()");
  await screen.untilText('Finished');
  const stated = new Date(now.paper?.atMs ?? 0);
  t.strictSame([stated.getHours(), stated.getMinutes(), now.paper?.way], [9, 5, 'out']);
  menu(false);
  await screen.until("!document.querySelector('#menu').open");
  t.equal(await screen.value("document.querySelector('#menu').childElementCount"), 0, 'nothing of it stays');
});

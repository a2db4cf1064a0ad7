/**
 * A shop's hour, played through the screens of its two doors: sixty visitors, a wrong scan, a lost card, a high temperature, a link that is
 * cut and an unplugged scanner; kiosks, gateway and core are real, and so are the browser and the bytes of the scanners.
 */
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { openRegistry } from '../../gateway/status.ts';
import { encodeSample } from '../../hardware/thermometer/gy-mcu90614-codec.ts';
import { WORDS } from '../../kiosk/screen/languages.ts';
import { encodeCode } from '../../protocol/code.ts';
import { systemClock } from '../../protocol/time.ts';
import { toCentiCelsius } from '../../protocol/units.ts';
import { cardOf, hexOf, promisedBy, Road } from '../journey/road.ts';
import { Browser, type Page } from '../support/browser.ts';
import { PtyDevice } from '../support/pty.ts';
import { until } from '../support/until.ts';

const VISITORS = 60;
const MINUTE_MS = 60_000;
const ROOM = { objectRaw: toCentiCelsius(22.1), ambientRaw: toCentiCelsius(21.9) };
/** High once the kiosk's default offset is added. */
const HIGH = { ...ROOM, objectRaw: toCentiCelsius(36.4) };
const { answers, rests, menu } = WORDS.en;
const browser = Browser.open();
t.teardown(() => browser.close());

/** A door: its kiosk, its scanner on a terminal, its screen; and all that the screen was ever told. */
async function openDoor(t: Test, road: Road, name: string, more: object = {}) {
  const kiosk = await road.admit(name);
  const scanner = new PtyDevice(join(road.dirOf('dev'), name));
  scanner.plug();
  t.teardown(() => scanner.unplug());
  const scanners = [{ kind: 'serial', name: 'scanner', path: scanner.path }];
  const running = await road.startKiosk(name, { page: { isOn: true, port: 0 }, scanners, ...more });
  const screen = await browser.page();
  const told: string[] = [];
  const hear = screen.hear.bind(screen);
  screen.hear = (method, params) => {
    if (method === 'Network.eventSourceMessageReceived') told.push(String(params.data));
    hear(method, params);
  };
  await screen.send('Network.enable');
  await screen.look({ width: 800, height: 480 });
  await screen.open(running.ready.pageUrl ?? '');
  await untilText(screen, rests.ready[0]);
  const scan = async (text: string, said: string) => {
    const turn = await turnOf(screen);
    await scanner.send(Buffer.from(`${text}\r`));
    await screen.until(
      `document.querySelector('#stage').dataset.turn !== '${turn}' && document.querySelector('#text').textContent === ${JSON.stringify(said)}`,
    );
  };
  const press = async (tile: string, next: string) => {
    await screen.value(
      `[...document.querySelectorAll('#menu button')].find((one) => one.textContent.startsWith(${JSON.stringify(tile)})).click()`,
    );
    await screen.untilText(next);
  };
  const staff = async () => {
    await scan(road.textOfStaff('menu'), answers['staff-menu'][0]);
    await screen.until("document.querySelector('#menu').open");
  };
  const close = async () => {
    await screen.value(
      `[...document.querySelectorAll('#menu button')].find((one) => one.textContent === ${JSON.stringify(menu.close)}).click()`,
    );
    await screen.until("!document.querySelector('#menu').open");
  };
  return { kiosk, running, scanner, screen, told, scan, press, staff, close };
}

const turnOf = (screen: Page) => screen.value<string>("document.querySelector('#stage').dataset.turn");
const untilText = (screen: Page, said: string) => screen.until(`document.querySelector('#text')?.textContent === ${JSON.stringify(said)}`);

t.test('shop hour: sixty visitors at two doors, with all that goes wrong, on the screens', async (t) => {
  const road = await Road.open(t);
  const registry = await openRegistry(road.gatewayDir);
  t.teardown(() => registry.close());
  const thermometer = new PtyDevice(join(road.dirOf('dev'), 'thermometer'));
  thermometer.plug();
  t.teardown(() => thermometer.unplug());
  const thermometers = [{ kind: 'serial', model: 'gy-mcu90614', name: 'thermometer', path: thermometer.path }];
  const front = await openDoor(t, road, 'front', { thermometers });
  const back = await openDoor(t, road, 'back');
  const measure = (sample: typeof ROOM) =>
    thermometer.send(Buffer.concat([sample, sample, sample, sample, sample, ROOM, ROOM, ROOM].map(encodeSample)));
  await until(() => thermometer.received.length > 0);
  await measure(ROOM);
  // As a module does: one that is silent for three seconds counts as broken.
  const sending = setInterval(() => void thermometer.send(encodeSample(ROOM)), 500);
  t.teardown(() => clearInterval(sending));
  const held = (kiosk: string) => registry.policyBook.all().find((one) => one.kiosk === kiosk);
  const isConfirmed = (kiosk: string, after = 0) =>
    (held(kiosk)?.version ?? 0) > after && held(kiosk)?.version === held(kiosk)?.heldVersion;
  await until(() => isConfirmed(front.kiosk) && isConfirmed(back.kiosk));

  // The doors are told what they are for, by staff cards alone.
  const refused = await fetch(new URL('/staff', front.running.ready.pageUrl), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"command":"door-in"}',
  });
  t.equal(refused.status, 403, 'nobody chooses without one');
  for (const [door, words, said] of [
    [front, menu.doorIn, answers['door-in'][0]],
    [back, menu.doorOut, answers['door-out'][0]],
  ] as const) {
    await door.staff();
    await door.press(menu.door, words[1]);
    await door.press(words[0], said);
    await door.close();
  }

  const text = (visitor: number) => road.textOf(cardOf(visitor));
  for (let visitor = 1; visitor <= VISITORS; visitor++) {
    await front.scan(text(visitor), answers.welcome[0]);
    if (visitor === 5) await front.scan(text(visitor), answers['already-in'][0]);
    if (visitor === 10) {
      await front.scan('4006381333931', answers['not-a-card'][0]);
      await front.scan(encodeCode({ kind: 'key', keyCode: new Uint8Array(16) }), answers['keep-at-home'][0]);
    }
    if (visitor === 15) {
      await front.scan(text(100), answers.welcome[0]);
      await front.scan(road.textOfStaff('undo'), answers.undone[0]);
    }
    if (visitor === 20) {
      const before = held(front.kiosk)?.version ?? 0;
      registry.lostList.add([cardOf(200)], systemClock.wall());
      await until(() => isConfirmed(front.kiosk, before));
      await front.scan(text(200), answers['card-withdrawn'][0]);
    }
    if (visitor === 25) {
      await measure(HIGH);
      await untilText(front.screen, answers['please-measure-again'][0]);
      await measure(HIGH);
      await untilText(front.screen, answers['please-see-staff'][0]);
    }
    // Not before: a reading belongs to the scan of just now.
    if (visitor > 25) road.clock.pass(MINUTE_MS);
    if (visitor === 30) {
      await road.stopGateway();
      await front.screen.untilText('Offline');
    }
    if (visitor === 32)
      t.equal(await front.screen.value("document.querySelector('#aside').textContent"), `${WORDS.en.storedOffline} ${WORDS.en.stub}`);
    if (visitor === 35) {
      await road.startGateway();
      await front.screen.untilText('Online');
    }
    if (visitor === 40) {
      await front.scanner.unplug();
      await untilText(front.screen, rests['device-missing'][0]);
      // What was written on paper meanwhile is noted once it is back.
      front.scanner.plug();
      await untilText(front.screen, rests.ready[0]);
      await front.staff();
      await front.press(menu.paper[0], menu.paper[1]);
      // Wound back: the test's clock is ahead of the browser's.
      await front.press(menu.paperIn, menu.paperEnd);
      await front.scan(text(300), answers['paper-kept'][0]);
      await front.screen.untilText(answers['paper-kept'][0]);
      await front.scan(text(300), answers['paper-known'][0]);
      await front.press(menu.paperEnd, menu.title);
      await front.close();
    }
    if (visitor === 45) {
      await back.staff();
      await back.press(menu.last[0], menu.last[1]);
      await back.close();
    }
    if (visitor > 10) await back.scan(text(visitor - 10), answers.goodbye[0]);
  }
  for (let visitor = VISITORS - 9; visitor <= VISITORS; visitor++) await back.scan(text(visitor), answers.goodbye[0]);
  await untilText(front.screen, rests.ready[0]);
  await untilText(back.screen, rests.ready[0]);

  // Nothing of anybody is on a screen, or was ever told to one.
  const kept =
    'JSON.stringify([document.documentElement.outerHTML, location.href, localStorage.length, sessionStorage.length, document.cookie])';
  const all = [...front.told, ...back.told, await front.screen.value<string>(kept), await back.screen.value<string>(kept)].join('\n');
  t.ok(all.includes('"kind":"please-see-staff"') && front.told.length > 100, 'what is searched has been heard');
  const shown = all.toLowerCase();
  const secretsOf = (visitor: number) => {
    const card = Buffer.from(cardOf(visitor));
    return [hexOf(card), card.toString('base64'), card.toString('base64url'), text(visitor).slice(10, 42)];
  };
  const visitors = [...Array(VISITORS + 1).keys(), 100, 200, 300, -1];
  t.strictSame(
    visitors.filter((visitor) => secretsOf(visitor).some((secret) => shown.includes(secret.toLowerCase()))),
    [],
    'no card',
  );
  t.notMatch(all, /36[.,]4|3640|38[.,]8|3880/, 'nor a temperature');
  t.strictSame([...front.screen.complaints, ...back.screen.complaints], []);

  await road.delivered('front');
  await road.delivered('back');
  await road.state();
  const promised = [...promisedBy(front.running), ...promisedBy(back.running)];
  const { rows } = await road.audit();
  const count = (type: string) => rows.filter(({ event }) => event.type === type).length;
  t.strictSame([count('check-in'), count('check-out'), count('undo'), count('temperature')], [VISITORS + 3, VISITORS, 1, 2]);
  const names = rows.map(({ name }) => name);
  t.equal(new Set(names).size, names.length, 'nothing twice');
  t.strictSame(
    promised.filter((name) => !names.includes(name)),
    [],
    'nothing lost',
  );
});

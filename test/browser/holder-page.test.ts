/** The holder's page in a real browser: what it says, what it sends, and what it leaves behind. */
import { generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { AuditLog } from '../../core/audit.ts';
import type { Core } from '../../core/core.ts';
import { holderPage } from '../../core/holder/holder-page.ts';
import type { HolderReceipt } from '../../core/holder/receipt.ts';
import type { HolderDoor, HolderNotice } from '../../core/intake.ts';
import { holderRoutesOf } from '../../core/rest/holder-routes.ts';
import { openRest } from '../../core/rest/server.ts';
import { makePageCertificate } from '../../protocol/certificate.ts';
import { decodeProof } from '../../protocol/holder.ts';
import { formatKeyCode, newKeyCode } from '../../protocol/key-code.ts';
import { silentLog } from '../../protocol/log.ts';
import { systemClock } from '../../protocol/time.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import { deriveVisitor } from '../../protocol/visitor.ts';
import { DAY, fixture, NOW } from '../core/core-fixture.ts';
import { checkIn, KioskStub } from '../core/kiosk-stub.ts';
import { axeFaultsOf, faultsOf } from '../support/accessible.ts';
import { Browser, type Page } from '../support/browser.ts';
import { bytesSecret, searchBytes, textSecret } from '../support/leak-search.ts';

const browser = Browser.open();
t.teardown(() => browser.close());

const PICTURES = process.env.PICTURES;

const NOTICES: readonly HolderNotice[] = [
  { level: 'high', order: 1, day: '2026-11-18', overlapMinutes: 42, isClockCertain: true, raisedAtMs: NOW - 3_600_000 },
  { level: 'medium', order: 2, day: '2026-11-17', overlapMinutes: 1, isClockCertain: false, raisedAtMs: NOW - 7_200_000 },
];

/** A core with its page, whose notices are as given. */
async function openPage(
  t: Test,
  notices: readonly HolderNotice[] = [],
): Promise<{ url: string; core: Core; keyCode: Uint8Array; kiosk: KioskStub }> {
  const f = await fixture(t);
  const core = await f.open();
  const kiosk = new KioskStub(f.keys);
  const keyCode = newKeyCode();
  await core.accept([await kiosk.batch([{ happening: checkIn(deriveVisitor(keyCode).card), atMs: NOW - DAY }], NOW)]);
  const holder: HolderDoor = {
    challenge: () => core.holder.challenge(),
    ask: async (body, from) => {
      const answer = JSON.parse(await core.holder.ask(body, from)) as Record<string, unknown>;
      return JSON.stringify(decodeProof(body).action === 'read' && answer.revokedAtMs === null ? { ...answer, notices } : answer);
    },
  };
  const keyPem = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const valid = { notBeforeMs: (systemClock.wall() - DAY) as EpochMillis, notAfterMs: (systemClock.wall() + DAY) as EpochMillis };
  const certificatePem = await makePageCertificate(keyPem, { commonName: 'test', names: ['127.0.0.1'], ...valid });
  const audit = new AuditLog(join(f.dir, 'core'), f.keys.storeKey);
  t.teardown(() => audit.close());
  const rest = await openRest({
    binding: { host: '127.0.0.1', port: 0 },
    tls: { keyPem, certificatePem },
    routes: holderRoutesOf(holder),
    assets: holderPage(),
    ways: [],
    audit,
    clock: systemClock,
    log: silentLog,
  });
  t.teardown(() => rest.close());
  return { url: `https://127.0.0.1:${rest.port}/holder/`, core, keyCode, kiosk };
}

t.test('holder page: whoever leaves its slash away is sent to it', async (t) => {
  const { url } = await openPage(t);
  const page = await newPage(url.slice(0, -1));
  t.equal(await page.value('location.pathname'), '/holder/');
  const loaded = "new Promise((go) => (document.readyState === 'complete' ? go() : addEventListener('load', go)))";
  t.ok(await page.value(`${loaded}.then(() => document.styleSheets[0].cssRules.length > 0)`), 'with its style');
});

interface Sent {
  readonly method: string;
  readonly url: string;
  readonly body: string;
  readonly headers: string;
}

/** Everything that the page asks the network for. */
async function recording(page: Page): Promise<Sent[]> {
  const sent: Sent[] = [];
  const hear = page.hear.bind(page);
  page.hear = (method, params) => {
    if (method === 'Network.requestWillBeSent') {
      const { request } = params as { request: { method: string; url: string; postData?: string; headers: object } };
      sent.push({ method: request.method, url: request.url, body: request.postData ?? '', headers: JSON.stringify(request.headers) });
    }
    hear(method, params);
  };
  await page.send('Network.enable');
  return sent;
}

async function newPage(url: string): Promise<Page> {
  const page = await browser.page();
  await page.send('Security.setIgnoreCertificateErrors', { ignore: true });
  await page.open(url);
  return page;
}

const LOOKS = [
  ['light', 1_280],
  ['dark', 1_280],
  ['light', 320],
  ['dark', 320],
] as const;

async function checkLooks(t: Test, page: Page, name: string): Promise<void> {
  for (const [scheme, width] of LOOKS) {
    await page.look({ scheme, width, height: width === 320 ? 640 : 860 });
    t.strictSame(await faultsOf(page), [], `${name}, ${scheme}, ${width} px`);
    t.strictSame(await axeFaultsOf(page), [], `${name}, ${scheme}, ${width} px: axe-core`);
    t.ok(
      await page.value<boolean>('document.documentElement.scrollWidth <= innerWidth'),
      `${name}, ${width} px: nothing is cut off at the side`,
    );
    if (PICTURES !== undefined) await page.picture(join(PICTURES, `${name}-${scheme}-${width}.png`), true);
  }
  await page.look({});
}

const click = (page: Page, words: string): Promise<void> =>
  page.value(
    `[...document.querySelectorAll('button')].find((one) => one.textContent === ${JSON.stringify(words)} && !one.disabled).click()`,
  );

t.test("holder's page: notices, then the card taken back, then the receipt; nothing is sent but proofs, and nothing stays", async (t) => {
  const { url, core, keyCode } = await openPage(t, NOTICES);
  const { card } = deriveVisitor(keyCode);
  const page = await newPage('about:blank');
  const sent = await recording(page);
  await page.open(url);
  await page.until("document.querySelector('#code')");
  await checkLooks(t, page, 'enter');
  await page.fill('#code', formatKeyCode(keyCode).toLowerCase());
  await page.untilText('complete and right');
  await checkLooks(t, page, 'entered');
  await click(page, 'Show my notices');
  await page.untilText('There are 2 notices for your card');
  t.equal(await page.value('document.activeElement.tagName'), 'H1', 'a reader is taken to what is new');
  await page.untilText('about 42 minutes');
  await page.untilText('Wednesday, November 18, 2026');
  await checkLooks(t, page, 'notices');
  t.equal(await page.value("document.querySelector('textarea')"), null, 'the code is on the page no more');

  await click(page, 'Take my card back');
  await page.until("document.querySelector('dialog[open]')");
  await checkLooks(t, page, 'question');
  t.equal(core.counts().checkIns, 1, 'nothing happens before the answer');
  await click(page, 'Yes, erase everything');
  await page.untilText('Receipt');
  await page.untilText('Tracing core: erased');
  await page.untilText('Kiosks at the doors: pending');
  await checkLooks(t, page, 'receipt');
  t.equal(core.counts().checkIns, 0);

  await page.value(
    `URL.createObjectURL = (blob) => { window.saved = blob.text(); return 'blob:null'; }; HTMLAnchorElement.prototype.click = () => {}; true`,
  );
  await click(page, 'Save the receipt');
  const jws = await page.value<string>('window.saved');
  const payload = JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString()) as HolderReceipt;
  t.match(payload, { version: 1, tiers: [{ tier: 'core', state: 'done' }] });
  await click(page, 'Done: forget my key');
  await page.until("document.querySelector('#code')");
  t.equal(await page.value("document.querySelector('#code').value"), '');

  const secrets = [
    textSecret('key code', formatKeyCode(keyCode)),
    textSecret('key code without hyphens', formatKeyCode(keyCode).replaceAll('-', '')),
    bytesSecret('key code in bytes', keyCode),
    bytesSecret('UUID', card),
  ];
  t.strictSame(searchBytes('sent', Buffer.from(JSON.stringify(sent)), secrets), []);
  t.strictSame(searchBytes('receipt', Buffer.from(JSON.stringify(payload)), secrets), []);
  const origin = new URL(url).origin;
  const posts = sent.filter(({ method }) => method !== 'GET');
  t.ok(
    sent.every((one) => one.url.startsWith(`${origin}/`)),
    'nothing is asked of anybody else',
  );
  t.strictSame([...new Set(sent.filter(({ method }) => method === 'GET').map((one) => new URL(one.url).pathname))].sort(), [
    '/holder/',
    '/holder/icon.svg',
    '/holder/key-code.js',
    '/holder/page.css',
    '/holder/page.js',
    '/holder/words.js',
  ]);
  t.ok(sent.every((one) => !one.url.includes('?') && !/cookie/i.test(one.headers)));
  t.strictSame(
    posts.map(({ body, url: at }) => [new URL(at).pathname, body === '' ? [] : Object.keys(JSON.parse(body) as object)]),
    [1, 2].flatMap(() => [
      ['/core/1/holder/challenge', []],
      ['/core/1/holder/ask', ['action', 'core', 'challenge', 'publicKey', 'signature']],
    ]),
  );
  const stored = 'Promise.all([localStorage.length, sessionStorage.length, document.cookie, indexedDB.databases(), caches.keys()])';
  t.strictSame(await page.value(stored), [0, 0, '', [], []], 'nothing is stored');
  t.strictSame(page.complaints, [], 'the policy of the page refuses nothing that it does');
});

t.test("holder's page: by keyboard, and a slip of the hand is told at once", async (t) => {
  const { url, keyCode } = await openPage(t);
  const page = await newPage(url);
  await page.until("document.querySelector('#code')");
  const told = () => page.value<string>("document.querySelector('#told').textContent");
  await page.press('Tab');
  t.equal(await page.value('document.activeElement.id'), 'code');
  await page.type('1A');
  t.equal(await told(), '2 of 30');
  await page.type('U');
  t.equal(await told(), 'There is a sign that no key code has.');
  t.equal(await page.value("document.querySelector('#code').getAttribute('aria-invalid')"), 'true');
  const put = (text: string) =>
    page.value(
      `(() => { const at = document.querySelector('#code'); at.value = ${JSON.stringify(text)}; at.dispatchEvent(new Event('input')); })()`,
    );
  const code = formatKeyCode(keyCode);
  const wrong = code.slice(0, -1) + (code.endsWith('7') ? '8' : '7');
  await put(wrong);
  t.equal(await told(), 'One letter or digit is wrong. Please compare it with the stub.');
  t.ok(await page.value("document.querySelector('button').disabled"));
  await put(` ${code.toLowerCase().replaceAll('0', 'o').replaceAll('1', 'l')} `);
  t.equal(await told(), 'The code is complete and right.');
  await page.press('Tab');
  await page.press('Enter');
  await page.untilText('There is no notice for your card');
  await checkLooks(t, page, 'none');
  await page.press('Tab');
  await page.press('Enter');
  await page.until("document.querySelector('dialog[open]')");
  await page.press('Escape');
  await page.until("!document.querySelector('dialog')");
  await page.untilText('There is no notice for your card');
});

t.test("holder's page: says clearly when the browser can not make the key, and when the core is gone", async (t) => {
  const { url, keyCode } = await openPage(t);
  const page = await newPage('about:blank');
  await page.send('Page.addScriptToEvaluateOnNewDocument', {
    source: "crypto.subtle.importKey = () => Promise.reject(new DOMException('', 'NotSupportedError'))",
  });
  await page.open(url);
  await page.untilText('can not make your key');
  await checkLooks(t, page, 'lacking');
  const other = await newPage(url);
  await other.fill('#code', formatKeyCode(keyCode));
  await other.untilText('complete and right');
  await other.send('Network.enable');
  await other.send('Network.emulateNetworkConditions', { offline: true, latency: 0, downloadThroughput: -1, uploadThroughput: -1 });
  await click(other, 'Show my notices');
  await other.untilText('The core can not be reached');
});

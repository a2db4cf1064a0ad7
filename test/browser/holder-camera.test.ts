/**
 * The holder's page and a camera: Chromium's own false one shows a film of the QR codes, as they are printed. What Chromium for desktops lacks, a
 * BarcodeDetector, is stood in for by a decoder outside the page; all else is the page's.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import QRCode from 'qrcode';
import t from 'tap';
import { AuditLog } from '../../core/audit.ts';
import { holderPage } from '../../core/holder/holder-page.ts';
import { openRest } from '../../core/rest/server.ts';
import { makePageCertificate } from '../../protocol/certificate.ts';
import { encodeCode } from '../../protocol/code.ts';
import { newKeyCode } from '../../protocol/key-code.ts';
import { silentLog } from '../../protocol/log.ts';
import { systemClock } from '../../protocol/time.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import { uuidOfPublicKey } from '../../protocol/visitor.ts';
import { Browser } from '../support/browser.ts';
import { readImage } from '../support/read-sheet.ts';

const [WIDTH, HEIGHT, MODULE] = [640, 480, 8];
const FRAMES_EACH = 8;
const DAY = 86_400_000;

/** One frame of a film: a QR code in the middle of something light. Y4M, 4:2:0; grey has no colour. */
function frameOf(text: string): Buffer {
  const { modules } = QRCode.create(text, { errorCorrectionLevel: 'M' });
  const luma = Buffer.alloc(WIDTH * HEIGHT, 0xeb);
  const [left, top] = [WIDTH, HEIGHT].map((side) => Math.floor((side - modules.size * MODULE) / 2)) as [number, number];
  for (let y = 0; y < modules.size * MODULE; y++)
    for (let x = 0; x < modules.size * MODULE; x++)
      if (modules.get(Math.floor(y / MODULE), Math.floor(x / MODULE))) luma[(top + y) * WIDTH + left + x] = 0x10;
  return Buffer.concat([Buffer.from('FRAME\n'), luma, Buffer.alloc((WIDTH * HEIGHT) / 2, 0x80)]);
}

const filmOf = (texts: readonly string[]): Buffer =>
  Buffer.concat([
    Buffer.from(`YUV4MPEG2 W${WIDTH} H${HEIGHT} F10:1 Ip A1:1 C420jpeg\n`),
    ...texts.flatMap((text) => Array.from({ length: FRAMES_EACH }, () => frameOf(text))),
  ]);

/** In the page: each look is a picture that the test decodes. */
const DETECTOR = `
  let found = () => {};
  window.decoded = (texts) => found(texts.map((rawValue) => ({ rawValue })));
  window.BarcodeDetector = class {
    detect(video) {
      const canvas = document.createElement('canvas');
      [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
      const context = canvas.getContext('2d');
      context.drawImage(video, 0, 0);
      const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
      let grey = '';
      for (let at = 0; at < data.length; at += 4) grey += String.fromCharCode(data[at]);
      const seen = new Promise((resolve) => { found = resolve; });
      window.picture(JSON.stringify({ width: canvas.width, height: canvas.height, grey: btoa(grey) }));
      return seen;
    }
  };`;

t.test("holder's page: a camera reads the stub's code, and nothing else; it is off then, and nothing was sent", async (t) => {
  const dir = t.testdir();
  const key = encodeCode({ kind: 'key', keyCode: newKeyCode() });
  const card = encodeCode({ kind: 'unsigned', card: uuidOfPublicKey(randomBytes(32)) });
  const film = join(dir, 'film.y4m');
  writeFileSync(film, filmOf([card, key]), { mode: 0o600 });
  const keyPem = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const valid = { notBeforeMs: (systemClock.wall() - DAY) as EpochMillis, notAfterMs: (systemClock.wall() + DAY) as EpochMillis };
  const certificatePem = await makePageCertificate(keyPem, { commonName: 'test', names: ['127.0.0.1'], ...valid });
  const audit = new AuditLog(dir, new Uint8Array(32).fill(7));
  t.teardown(() => audit.close());
  const rest = await openRest({
    ...{ binding: { host: '127.0.0.1', port: 0 }, tls: { keyPem, certificatePem }, routes: [], assets: holderPage(), ways: [] },
    ...{ audit, clock: systemClock, log: silentLog },
  });
  t.teardown(() => rest.close());
  const browser = Browser.open([
    '--use-fake-device-for-media-stream',
    `--use-file-for-fake-video-capture=${film}`,
    '--use-fake-ui-for-media-stream',
  ]);
  t.teardown(() => browser.close());
  const page = await browser.page();
  const decoded: string[] = [];
  const asked: string[] = [];
  const hear = page.hear.bind(page);
  page.hear = (method, params) => {
    if (method === 'Runtime.bindingCalled') void decode(String((params as { payload: string }).payload));
    if (method === 'Network.requestWillBeSent') asked.push((params as { request: { url: string } }).request.url);
    hear(method, params);
  };
  const decode = async (payload: string): Promise<void> => {
    const { width, height, grey } = JSON.parse(payload) as { width: number; height: number; grey: string };
    const luma = Buffer.from(grey, 'base64');
    const data = new Uint8ClampedArray(width * height * 4).fill(255);
    for (const [at, value] of luma.entries()) data.fill(value, at * 4, at * 4 + 3);
    const texts = (await readImage({ data, width, height })).map(({ text }) => text);
    decoded.push(...texts);
    await page.send('Runtime.evaluate', { expression: `window.decoded(${JSON.stringify(texts)})` });
  };
  await page.send('Security.setIgnoreCertificateErrors', { ignore: true });
  await page.send('Runtime.addBinding', { name: 'picture' });
  await page.send('Page.addScriptToEvaluateOnNewDocument', { source: DETECTOR });
  await page.open(`https://127.0.0.1:${rest.port}/holder/`);
  await page.untilText('Scan it with the camera');
  await page.send('Network.enable');
  await page.value(`[...document.querySelectorAll('button')].find((one) => one.textContent === 'Scan it with the camera').click()`);
  await page.untilText('complete and right');
  t.ok(decoded.includes(key));
  t.ok(decoded.every((text) => text === key || text === card));
  t.equal(await page.value('document.querySelectorAll("video").length'), 0, 'the camera is off');
  t.notOk(
    asked.some((url) => url.includes('/core/')),
    'nothing was sent',
  );
  t.notOk(asked.some((url) => url.includes(key)));
  t.strictSame(page.complaints, []);
});

/** What `vestibule identify` says, and that it never says a code. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type Burst, BurstGatherer, sightOfBurst } from '../../cli/identify-burst.ts';
import { hidSource } from '../../cli/identify-sources.ts';
import { burstLines } from '../../cli/identify-words.ts';
import { listHid } from '../../hardware/hid/hid-devices.ts';
import { HidDrivers } from '../../hardware/hid/hid-link.ts';
import { BOOT_KEYBOARD_DESCRIPTOR } from '../../hardware/scanner/keyboard-reports.ts';
import { signCard } from '../../protocol/card.ts';
import { encodeCode } from '../../protocol/code.ts';
import { generateSigningKey, rawPublicKey } from '../../protocol/ed25519.ts';
import { type DeploymentId, newPlaceId } from '../../protocol/ids.ts';
import type { TrustDocument } from '../../protocol/trust.ts';
import { cardOf } from '../kiosk/fixtures.ts';
import { anyCode } from '../support/codes.ts';
import { ManualClock } from '../support/manual-clock.ts';
import fc from '../support/properties.ts';

const SEED = Number(process.env.SEED ?? 20261121);
const deployment = newPlaceId<DeploymentId>();
const issuerKey = generateSigningKey();
const trust: TrustDocument = {
  deployment,
  gateway: { host: 'gateway.example', port: 8_883, certificatePem: 'PEM' },
  receiptKey: new Uint8Array(32),
  recipients: [],
  issuers: [rawPublicKey(issuerKey)],
  mayTakeUnsigned: false,
};
const burstOf = (text: string): Burst => ({ bytes: Buffer.from(text, 'latin1'), pieces: 1, tookMs: 3, isEndless: false });
const saidBy = (text: string, by: TrustDocument | undefined): string => burstLines('port', sightOfBurst(burstOf(text), by)).join('\n');
const said = (text: string): string => saidBy(text, trust);
const card = encodeCode(signCard(cardOf(1), deployment, issuerKey));

t.test('identify: a card is told with its framing, its symbology and whose signature it bears', async (t) => {
  t.match(
    said(`]Q1${card}\r`),
    /ended by CR\n.*]Q1 \(QR code\)[\s\S]*174 capital letters\n.*visitor's card, signed by an issuer that is trusted here/,
  );
  const stranger = encodeCode(signCard(cardOf(1), deployment, generateSigningKey()));
  t.match(said(`${stranger}\r\n`), /ended by CR LF[\s\S]*its signature is not known here/);
  t.match(saidBy(`${card}\r`, undefined), /a visitor's card\.$/m);
});

t.test('identify: what the scanner puts around a code is told, and what to change', async (t) => {
  t.match(said(`AB${card}XY\r`), /puts 2 characters before and 2 after/);
  t.match(said(`\u0002${card}\u0003`), /ended by ETX, begun by STX[\s\S]*STX\/ETX framing/);
  t.match(said(card), /nothing but silence[\s\S]*suffix to CR/);
  t.match(said(`${card}\r${card}\r`), /2 codes/);
  t.match(said('4006381333931\r'), /13 digits\n.*no code of Vestibule/);
  t.match(said(`${card.slice(0, 50)}\r`), /damaged or cut \[code\.length\]/);
  t.match(said('\r'), /CR and no code/);
});

t.test('identify: bytes at a wrong speed are told as such', async (t) => {
  t.match(said(Buffer.from(Array.from({ length: 40 }, (_, at) => 0x80 + at * 3)).toString('latin1')), /wrong speed/);
});

t.test('identify: no code of any kind is ever said, whole or in part, whatever is around it', (t) => {
  fc.assert(
    fc.property(anyCode, fc.string({ maxLength: 20 }), fc.string({ maxLength: 20 }), (code, before, after) => {
      const text = encodeCode(code);
      const lines = said(`${before}${text}${after}`);
      for (let at = 0; at + 5 <= text.length; at++) if (lines.includes(text.slice(at, at + 5))) return false;
      return true;
    }),
    { seed: SEED, numRuns: 300 },
  );
  t.end();
});

t.test('identify: any bytes at all are described', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
      const lines = burstLines('port', sightOfBurst({ bytes, pieces: 2, tookMs: 1, isEndless: false }, trust));
      return lines.every((line) => /^[ -~→]*$/.test(line));
    }),
    { seed: SEED, numRuns: 500 },
  );
  t.end();
});

t.test('identify: a burst ends by silence; one that does not is told once, bounded, and nothing stays', async (t) => {
  const clock = new ManualClock();
  const bursts: Burst[] = [];
  const gatherer = new BurstGatherer(clock, (burst) => bursts.push(burst));
  gatherer.push(Buffer.from('AB'));
  await clock.advance(200);
  gatherer.push(Buffer.from('CD\r'));
  await clock.advance(1_000);
  t.match(bursts, [{ pieces: 2, tookMs: 200, isEndless: false }]);
  for (let pieces = 0; pieces < 100; pieces++) gatherer.push(Buffer.alloc(4_096, 0x41));
  t.equal(bursts.length, 2);
  t.match(bursts[1], { isEndless: true });
  t.equal(bursts[1]?.bytes.length, 8_192);
  gatherer.end();
  gatherer.end();
  t.equal(bursts.length, 2);
  t.equal(clock.pending, 0);
});

t.test("identify: a scanner is told by its socket, and by nothing that it or its radio's driver says instead", async (t) => {
  const root = t.testdir({ class: {}, usb: {}, dev: {}, devices: {} });
  const dir = join(root, 'devices', '0005:05E0:1200.0001');
  mkdirSync(dir);
  writeFileSync(join(dir, 'report_descriptor'), BOOT_KEYBOARD_DESCRIPTOR);
  writeFileSync(
    join(dir, 'uevent'),
    'HID_ID=0005:000005E0:00001200\nHID_NAME=\u001b[2J\nHID_PHYS=\u001b[2J00:11:22:33:44:55\nHID_UNIQ=66:77\n',
  );
  mkdirSync(join(root, 'class/hidraw0'));
  symlinkSync(dir, join(root, 'class/hidraw0/device'));
  const [device] = await listHid({ hidrawDir: join(root, 'class'), usbDir: join(root, 'usb'), deviceDir: join(root, 'dev') });
  if (device === undefined) throw new Error('no device');
  t.equal(hidSource(device, new HidDrivers())?.name, 'scanner that types Zebra (Symbol) LS2208 and others');
  t.equal(hidSource({ ...device, port: '1-1.2' }, new HidDrivers())?.name, 'scanner that types Zebra (Symbol) LS2208 and others at 1-1.2');
});

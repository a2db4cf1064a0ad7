/** `vestibule doctor` and `vestibule identify` as a technician uses them: real processes, a real gateway, scanners on the kernel's terminals. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { encodeSample, SEND_CONTINUOUSLY } from '../../hardware/thermometer/gy-mcu90614-codec.ts';
import type { CentiCelsius } from '../../protocol/units.ts';
import { VestibuleProcess } from '../support/child.ts';
import { PtyDevice } from '../support/pty.ts';
import { readSheet } from '../support/read-sheet.ts';

interface Told {
  readonly state: string;
  readonly findings: readonly { subject: string; state: string; says: string; code?: string }[];
}

async function doctor(args: readonly string[]): Promise<{ told: Told; isWell: boolean; written: string }> {
  const outcome = await VestibuleProcess.run(['doctor', '--json', ...args]).then(
    (written) => ({ written, isWell: true }),
    (error: Error) => ({ written: error.message, isWell: false }),
  );
  return { told: JSON.parse(outcome.written.slice(outcome.written.indexOf('{'))) as Told, ...outcome };
}

const finding = (told: Told, subject: string) => told.findings.find((one) => one.subject === subject);

t.test(
  'doctor: sees a test event arrive through a kiosk that runs, by itself when none does, and wait when there is no gateway',
  async (t) => {
    const data = join(t.testdir(), 'data');
    await t.rejects(VestibuleProcess.run(['doctor', '--data', data]), /holds no kiosk/);
    const shop = new VestibuleProcess(['start', '--data', data]);
    await shop.line((line) => line.includes('online'));
    const running = await doctor(['--data', data]);
    t.match(finding(running.told, 'kiosk'), { state: 'fine', says: 'runs.' });
    t.match(finding(running.told, 'test event'), { state: 'fine', says: /delivered to the gateway in/ });
    await shop.end('SIGTERM');
    const alone = await doctor(['--data', data]);
    t.match(finding(alone.told, 'kiosk'), { state: 'note' });
    t.match(finding(alone.told, 'gateway'), { state: 'wrong', code: 'link.refused' });
    t.match(finding(alone.told, 'test event'), { state: 'wrong', says: /kept here/ });
    t.equal(alone.isWell, false);
    // On whatever port is free: it writes it into the trust document, from which the doctor takes it.
    const gateway = new VestibuleProcess(['gateway', 'run', '--data', data, '--tls-port', '0', '--tcp-port', '0', '--web-port', '0']);
    await gateway.line((line) => line.includes('gateway ready'));
    const bySelf = await doctor(['--data', data]);
    t.match(finding(bySelf.told, 'test event'), { state: 'fine' });
    t.match(finding(bySelf.told, 'store'), { state: 'fine', says: /all of it is delivered/ });
    await gateway.end('SIGTERM');
    for (const { written } of [running, alone, bySelf]) {
      t.notMatch(written, readFileSync(join(data, 'kiosk/kiosk.key')).toString('hex'));
      t.notMatch(written, readFileSync(join(data, 'gateway/operator.txt'), 'utf8').trim());
    }
  },
);

t.test('doctor: a live test tells of a scan and of a reading, and of nothing in them; identify the same of any bytes', async (t) => {
  const dir = t.testdir();
  const data = join(dir, 'data');
  const shop = new VestibuleProcess(['start', '--data', data]);
  await shop.line((line) => line.includes('Vestibule is ready'));
  await shop.end('SIGTERM');
  const codes = (await readSheet(readFileSync(join(data, 'sample-cards.pdf'))))
    .map(({ text }) => text)
    .filter((text) => text.startsWith('VC'));
  const code = codes[0] ?? '';
  const scanner = new PtyDevice(join(dir, 'scanner'));
  const thermometer = new PtyDevice(join(dir, 'thermometer'));
  scanner.plug();
  thermometer.plug();
  const settings = {
    scanners: [
      { kind: 'serial', name: 'front', path: scanner.path },
      { kind: 'serial', name: 'side', path: join(dir, 'none') },
    ],
    thermometers: [{ kind: 'serial', model: 'gy-mcu90614', name: 'forehead', path: thermometer.path }],
  };
  writeFileSync(join(dir, 'settings.json'), JSON.stringify(settings));
  const looking = new VestibuleProcess([
    'doctor',
    '--data',
    data,
    '--config',
    join(dir, 'settings.json'),
    '--no-delivery',
    '--live',
    '600',
  ]);
  await looking.line((line) => line.includes('front: works'));
  t.match(looking.written, /scanner side: is in the settings, and nothing is plugged in under its path\. \[device\.absent\]/);
  await scanner.send(`${code}\r`);
  t.match(
    await looking.line((line) => line.includes('a code was read')),
    /front: a code was read: a visitor's card, signed by an issuer that is trusted here/,
  );
  // What came before the port is open is thrown away; that it is, the command to send shows.
  await thermometer.receivedAtLeast(SEND_CONTINUOUSLY.length);
  const sample = encodeSample({ objectRaw: 3_412 as CentiCelsius, ambientRaw: 2_210 as CentiCelsius });
  for (let frames = 0; frames < 6; frames++) await thermometer.send(sample);
  await looking.line((line) => line.includes('forehead: a steady reading came'));
  t.equal(await looking.end('SIGINT'), 1, 'a scanner is missing');
  const listening = new VestibuleProcess(['identify', '--data', data, scanner.path]);
  await listening.line((line) => line.includes('Listening to'));
  await scanner.send(`]Q1${code}\r\n`);
  await listening.line((line) => line.includes('174 capital letters'));
  await listening.line((line) => line.includes("a visitor's card"));
  t.match(listening.written, /ended by CR LF[\s\S]*signed by an issuer that is trusted here/);
  t.equal(await listening.end('SIGINT'), 0);
  for (const { written } of [looking, listening]) {
    t.notMatch(written, code.slice(2, 20));
    t.notMatch(written, /34[.,]?12/);
  }
  await scanner.unplug();
  await thermometer.unplug();
});

/** What a kiosk says of a Wi-Fi that does not join, by the word of the unit that looks after it. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { WifiWatch } from '../../../kiosk/watchdog/wifi-watch.ts';
import { until } from '../../support/until.ts';
import { mono, newDeployment } from '../fixtures.ts';
import { startKiosk } from '../running-kiosk.ts';
import { startWaitingKiosk } from '../waiting-kiosk.ts';

t.test(
  'wifi: a refused file is told with line and reason, a wrong passphrase at once, a network that is not found after a minute',
  async (t) => {
    const path = join(t.testdir(), 'state');
    const watch = new WifiWatch(path);
    const look = (word: string, atMs: number) => {
      writeFileSync(path, `${word}\n`);
      return watch.look(mono(atMs));
    };
    t.equal(watch.look(mono(0)), undefined, 'before its first word');
    t.match(look('refused 4 passphrase', 0), { fault: 'wifi.refused', detail: /^wifi\.conf, line 4: psk wants 8 to 63/ });
    t.match(look('refused 2 another', 0), { detail: 'wifi.conf, line 2: is nothing that may stand there' });
    t.strictSame(look('wrong-key', 0), { fault: 'wifi.wrong_key' });
    t.equal(look('looking', 1_000), undefined);
    t.equal(look('looking', 60_999), undefined);
    t.strictSame(look('looking', 61_000), { fault: 'wifi.not_found' });
    t.equal(look('joined', 62_000), undefined);
    t.equal(look('looking', 63_000), undefined, 'a minute of its own');
    for (const word of ['off', '', 'refused', 'refused 1', '\u001b[2J', 'refused 1 x y']) t.equal(look(word, 64_000), undefined, word);
    rmSync(path);
    t.equal(watch.look(mono(200_000)), undefined);
    t.equal(new WifiWatch(undefined).look(mono(0)), undefined);
  },
);

t.test('wifi: what is wrong stands in the status line, before the kiosk is set up and after', async (t) => {
  const deployment = await newDeployment();
  const dir = t.testdir();
  const wifiStatePath = join(dir, 'state');
  writeFileSync(wifiStatePath, 'refused 4 passphrase\n');
  const waiting = startWaitingKiosk(join(dir, 'waiting'), {}, { wifiStatePath });
  await until(() => /NOT SET UP.*WI-FI IS NOT SET UP: wifi\.conf, line 4: psk wants .* \(wifi\.refused\)/.test(waiting.shown.join('')));
  await waiting.stop();
  writeFileSync(wifiStatePath, 'wrong-key\n');
  const kiosk = await startKiosk({ dataDir: join(dir, 'kiosk'), trustPath: deployment.writeTrust(dir, 1), wifiStatePath });
  await until(() => /WRONG WI-FI PASSPHRASE \(wifi\.wrong_key\)/.test(kiosk.shown.join('')));
  await kiosk.stop();
});

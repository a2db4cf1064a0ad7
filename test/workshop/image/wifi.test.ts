/** What the image's unit writes down of the Wi-Fi, by what wpa_supplicant 2.10 was heard to say (Debian's 2:2.10-12+deb12u3; the events: its sources). */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';

const SCRIPT = join(import.meta.dirname, '../../../workshop/image/files/root/usr/lib/vestibule/wifi');
const NETWORK = 'country=CH\nnetwork={\n  ssid="Library"\n  psk="a passphrase"\n}\n';
const REFUSED = "Failed to read or parse configuration '/boot/config/wifi.conf'.\n: CTRL-EVENT-DSCP-POLICY clear_all";

/** @param says what a wpa_supplicant that ends then says. */
function run(t: Test, conf: string, says: string) {
  const dir = t.testdir();
  mkdirSync(join(dir, 'run'));
  writeFileSync(join(dir, 'wifi.conf'), conf);
  writeFileSync(join(dir, 'said'), `Successfully initialized wpa_supplicant\n${says}\n`);
  const program = join(dir, 'wpa_supplicant');
  writeFileSync(program, `#!/bin/sh\ncat ${join(dir, 'said')}\n`);
  chmodSync(program, 0o755);
  const script = readFileSync(SCRIPT, 'utf8')
    .replaceAll('/boot/config/', `${dir}/`)
    .replaceAll('/run/vestibule-wifi/', `${dir}/run/`)
    .replaceAll('/usr/sbin/', `${dir}/`);
  const { status, stdout, stderr } = spawnSync('/bin/sh', ['-c', `umask 077; ${script}`], { encoding: 'utf8' });
  const state = join(dir, 'run/state');
  return { status, said: stdout + stderr, state: readFileSync(state, 'utf8').trim(), mode: statSync(state).mode & 0o777 };
}

const REFUSALS: readonly [says: string, state: string][] = [
  [
    `Line 4: Invalid passphrase length 5 (expected: 8..63) 'short"'.\nLine 4: failed to parse psk '"short"'.\nLine 5: failed to parse network block.`,
    'refused 4 passphrase',
  ],
  [`Line 4: Invalid PSK '“a passphrase”'.\nLine 4: failed to parse psk '“a passphrase”'.`, 'refused 4 passphrase'],
  [
    `Line 3: failed to parse ssid 'Library'.\nLine 3: failed to parse ssid 'Library'.\nLine 5: failed to parse network block.`,
    'refused 3 name',
  ],
  [`Line 3: invalid quotation '"Library'.\nLine 5: failed to parse network block.`, 'refused 3 quotes'],
  ['Line 4: network block was not terminated properly.\nLine 4: failed to parse network block.', 'refused 4 brace'],
  ["Line 4: unknown network field 'pass'.\nLine 5: failed to parse network block.", 'refused 4 line'],
  ["Line 1: unknown global field 'a passphrase'.\nLine 1: Invalid configuration line 'a passphrase'.", 'refused 1 line'],
];
for (const [says, state] of REFUSALS)
  t.test(`wifi.conf: ${state}: it is written down, the unit is not started anew, and nothing of the line goes further`, async (t) => {
    const ran = run(t, NETWORK, `${says}\n${REFUSED}`);
    t.match(ran, { status: 78, state, mode: 0o644 });
    t.notMatch(ran.said, /short|passphrase[ ”]|Library|pass'/);
  });

const JOINED = 'wlan0: CTRL-EVENT-CONNECTED - Connection to 01:80:c2:00:00:03 completed [id=0 id_str=]';
const LOST = 'wlan0: CTRL-EVENT-DISCONNECTED bssid=01:80:c2:00:00:03 reason=3';
const WRONG = 'wlan0: CTRL-EVENT-SSID-TEMP-DISABLED id=0 ssid="Library" auth_failures=1 duration=10 reason=WRONG_KEY';
const COURSES: readonly [what: string, says: readonly string[], state: string][] = [
  ['a network that is not there', [], 'looking'],
  ['a network that is joined', ["wlan0: Trying to associate with SSID 'Library'", JOINED], 'joined'],
  ['one that is lost', [JOINED, LOST], 'looking'],
  ['a wrong passphrase, also while it is tried again', [LOST, WRONG, "wlan0: Trying to associate with SSID 'Library'", LOST], 'wrong-key'],
  ['a passphrase that was refused once', [WRONG, JOINED], 'joined'],
  ['a line that is only warned of', ['Line 3: removed CCMP from group cipher list', JOINED], 'joined'],
];
for (const [what, says, state] of COURSES)
  t.test(`wifi: ${what} is ${state}, and the unit starts anew when it ends`, async (t) => {
    t.match(run(t, NETWORK, says.join('\n')), { status: 1, state });
  });

t.test('wifi: a file without a network looks for none', async (t) => {
  t.match(run(t, '# network={\n# }\n', ''), { state: 'off' });
});

/**
 * The Debian packages on a bare Debian, under its systemd: made twice the same, installed, started by their units, killed, hung, upgraded,
 * removed, purged and installed again.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { run } from '../flash/bench.ts';
import { VestibuleProcess } from '../support/child.ts';
import { BareRoot } from './bare-root.ts';

const cpu = process.arch;
const directory = t.testdir();
const DATA = '/var/lib/vestibule';
const [GATEWAY, KIOSK] = ['vestibule-gateway', 'vestibule-kiosk'];
const UNITS = [GATEWAY, KIOSK];
const startedMs = performance.now();
const lap = (what: string): void => t.comment(`${((performance.now() - startedMs) / 1_000).toFixed(0)} s: ${what}`);

run(process.execPath, join(import.meta.dirname, '../../hardware/native/pack.js'), cpu);
const build = async (release: string, name: string): Promise<string[]> => {
  const out = join(directory, name);
  await VestibuleProcess.run(['package', '--cpu', cpu, '--out', out, '--release', release]);
  return readdirSync(out)
    .toSorted()
    .map((file) => join(out, file));
};
// One after the other: the first fetches what the lockfile names.
const first = await build('0.1.0', 'first');
const [again, next] = await Promise.all([build('0.1.0', 'again'), build('0.2.0', 'next')]);
lap('packages built');
const root = new BareRoot();
t.teardown(() => root.remove());
await root.boot();
lap('a bare Debian is up');

const mainPid = (unit: string): string => root.show(unit, 'MainPID');
/** Asked at once: between two questions a unit falls. */
const isBack = (unit: string, before: string): boolean => {
  const [state, pid] = root.show(unit, 'ActiveState,MainPID').split('\n').toSorted().toReversed();
  return state === 'active' && pid !== before;
};
const isActive = (unit: string): boolean => root.show(unit, 'ActiveState') === 'active';
const asVestibule = (...args: string[]): string => root.asUser('vestibule', ...args, '--data', DATA);
const times = (path: string) =>
  readdirSync(join(root.path, path)).map((name) => [name, statSync(join(root.path, path, name)).mtimeMs] as const);
/** Of the gateway's own start, over its own listener: that something runs is not enough. */
const answers = (): void => void root.asUser('sh', '-c', `vestibule status --data ${DATA} || [ $? = 2 ]`);

t.test('packages: the same sources make the same bytes', async (t) => {
  const digests = (files: readonly string[]) => files.map((file) => createHash('sha256').update(readFileSync(file)).digest('hex'));
  t.equal(first.length, 3);
  t.strictSame(digests(again), digests(first));
});

t.test(
  'packages: they install, with a user, a directory of that user’s alone, units that are enabled, and a kiosk that serves',
  async (t) => {
    const said = root.install(first);
    t.match(said, /vestibule-gateway: say in \/etc\/vestibule\/gateway\.json/);
    t.match(
      said,
      /vestibule-kiosk: keys and records are kept in \/var\/lib\/vestibule\. Removing the package keeps them; purging it destroys them\./,
    );
    t.match(root.run('getent', 'passwd', 'vestibule'), /:\/var\/lib\/vestibule:.*nologin$/);
    t.equal(root.run('stat', '--format=%a %U %G', DATA), '700 vestibule vestibule');
    t.equal(root.run('vestibule', '--version'), '0.1.0');
    for (const unit of UNITS) t.equal(root.show(unit, 'UnitFileState'), 'enabled');
    t.ok(root.has('usr/lib/udev/rules.d/70-vestibule.rules'));
    t.equal(root.run('dpkg', '--verify', 'vestibule', GATEWAY, KIOSK), '');
    t.ok(isActive(KIOSK), 'started, and said so');
    t.match(root.show(KIOSK, 'StatusText'), 'waits for its enrolment code');
    t.notOk(isActive(GATEWAY), 'nobody has said yet what it is called');
  },
);

t.test('packages: systemd calls each unit well locked up', async (t) => {
  for (const unit of UNITS) {
    const said = root.run('systemd-analyze', 'security', '--offline=true', '--no-pager', `/usr/lib/systemd/system/${unit}.service`);
    const level = Number(/exposure level for \S+: ([\d.]+)/.exec(said)?.[1]);
    t.ok(level < 3, `${unit}: ${level}`);
    t.comment(`${unit}: ${level}`);
  }
});

t.test('packages: the gateway serves, a kiosk of the same machine is set up by a code and delivers', async (t) => {
  writeFileSync(join(root.path, 'etc/vestibule/gateway.json'), JSON.stringify({ publicHost: '127.0.0.1', stickerLifeMs: 1_000_000_000 }));
  root.run('systemctl', 'start', GATEWAY);
  t.ok(isActive(GATEWAY), 'it told systemd that it is ready');
  answers();
  asVestibule('venue', 'add', '--name', 'Town library');
  const code = /^[A-Z]{60,}$/m.exec(asVestibule('enrol', '--venue', 'Town library', '--direction', 'in'))?.[0] ?? '';
  root.run('systemctl', 'stop', KIOSK);
  asVestibule('kiosk', 'enrol', code);
  root.run('systemctl', 'start', KIOSK);
  await root.waitFor('the kiosk to be on line', () => root.show(KIOSK, 'StatusText').includes('online'));
  t.match(asVestibule('gateway', 'status'), /Town library/);
  lap('a kiosk is on line');
});

t.test('packages: what the units forbid is forbidden', async (t) => {
  for (const unit of UNITS) {
    const pid = mainPid(unit);
    const status = root.run('cat', `/proc/${pid}/status`);
    t.match(status, /^CapBnd:\s0+$/m, `${unit}: no capability`);
    t.match(status, /^NoNewPrivs:\s1$/m);
    t.match(status, /^Seccomp:\s2$/m);
    const inside = (script: string): string => root.run('nsenter', '--mount', `--target=${pid}`, 'sh', '-c', `${script}; true`);
    t.match(
      inside('for at in /usr /etc /opt /boot /home /root; do touch $at/x; done'),
      /(?:touch: cannot touch[^\n]+Read-only file system\s*){6}/,
      `${unit}: writes nowhere`,
    );
    t.equal(inside(`touch ${DATA}/x && rm ${DATA}/x`), '', `${unit}: but to its directory`);
  }
  t.notMatch(root.run('nsenter', '--mount', `--target=${mainPid(GATEWAY)}`, 'ls', '/dev'), /tty\d|kmsg/, 'the gateway sees no devices');
  // A device's door is opened from within the kiosk's control group: only what DeviceAllow names may be tried.
  const open = (name: string, major: number, minor: number): string => {
    root.run('sh', '-c', `[ -e /dev/${name} ] || mknod /dev/${name} c ${major} ${minor}`);
    const script = `echo $$ >/sys/fs/cgroup/system.slice/${KIOSK}.service/cgroup.procs; (: </dev/${name}) && echo opened; true`;
    return root.run('sh', '-c', script);
  };
  t.match(open('kmsg', 1, 11), 'Operation not permitted');
  t.match(open('loop-control', 10, 237), 'Operation not permitted');
  const hidraw = Number(/^ *(\d+) hidraw$/m.exec(root.run('cat', '/proc/devices'))?.[1]);
  t.notMatch(open('hidraw99', hidraw, 99), 'Operation not permitted', 'a scanner’s is only not there');
  t.notMatch(open('ttyS3', 4, 67), 'Operation not permitted');
});

t.test('packages: killed, hung, or the machine started anew, both come back by themselves', async (t) => {
  for (const unit of UNITS) {
    const before = mainPid(unit);
    root.run('sh', '-c', `kill -KILL ${before}`);
    await root.waitFor(`${unit} after kill -9`, () => isBack(unit, before));
    t.equal(root.show(unit, 'NRestarts'), '1');
  }
  answers();
  // The watchdog's own times are half a minute and more.
  for (const unit of UNITS)
    root.run(
      'sh',
      '-c',
      `mkdir -p /run/systemd/system/${unit}.service.d
    printf '[Service]\\nWatchdogSec=4\\n' >/run/systemd/system/${unit}.service.d/quick.conf`,
    );
  root.run('systemctl', 'daemon-reload');
  root.run('systemctl', 'restart', ...UNITS);
  const hung = UNITS.map((unit) => ({ unit, before: mainPid(unit) }));
  for (const { before } of hung) root.run('sh', '-c', `kill -STOP ${before}`);
  for (const { unit, before } of hung) await root.waitFor(`${unit} after it hung`, () => isBack(unit, before));
  t.match(root.run('journalctl', '--no-pager', '--grep', 'Watchdog timeout'), /vestibule-gateway.service: Watchdog timeout/);
  lap('killed and hung');
  await root.reboot();
  for (const unit of UNITS) t.ok(isActive(unit), `${unit} is up after a reboot`);
  await root.waitFor('the kiosk to be on line again', () => root.show(KIOSK, 'StatusText').includes('online'));
  lap('rebooted');
});

t.test(
  'packages: an upgrade starts anew what runs, leaves what was stopped, and keeps keys, records and a setting that was changed',
  async (t) => {
    root.run('systemctl', 'stop', KIOSK);
    const gateway = mainPid(GATEWAY);
    const keys = times('var/lib/vestibule/gateway/keys');
    t.ok(keys.length > 0);
    root.install(next);
    t.equal(root.run('vestibule', '--version'), '0.2.0');
    t.ok(isActive(GATEWAY) && mainPid(GATEWAY) !== gateway, 'by the new program');
    t.notOk(isActive(KIOSK), 'an administrator stopped it');
    t.match(readFileSync(join(root.path, 'etc/vestibule/gateway.json'), 'utf8'), 'stickerLifeMs');
    t.strictSame(times('var/lib/vestibule/gateway/keys'), keys);
    answers();
    t.match(asVestibule('venue', 'list'), /Town library/);
    root.run('systemctl', 'start', KIOSK);
    await root.waitFor('the kiosk to be on line after the upgrade', () => root.show(KIOSK, 'StatusText').includes('online'));
    lap('upgraded');
  },
);

t.test('packages: removing stops both, keeps keys and records, and says so; purging destroys them, and says so', async (t) => {
  const removed = root.run('apt-get', 'remove', '--yes', GATEWAY, KIOSK, 'vestibule');
  t.match(removed, /vestibule-gateway: kept: \/var\/lib\/vestibule\/gateway \(apt purge vestibule-gateway destroys it\)/);
  t.equal(root.run('find', '/proc', '-maxdepth', '1', '-user', 'vestibule'), '', 'nothing runs');
  t.ok(root.has('var/lib/vestibule/gateway/keys') && root.has('etc/vestibule/gateway.json'));
  t.notOk(root.has('opt/vestibule') || root.has('var/cache/vestibule'));
  const purged = root.run('apt-get', 'purge', '--yes', GATEWAY);
  t.match(purged, /destroying \/var\/lib\/vestibule\/gateway/);
  t.notOk(root.has('var/lib/vestibule/gateway') || root.has('var/lib/vestibule/core') || root.has('etc/vestibule'));
  t.ok(root.has('var/lib/vestibule/kiosk'), 'the kiosk’s are its own package’s');
  t.match(root.run('getent', 'passwd', 'vestibule'), 'vestibule', 'and so is their owner');
  root.run('apt-get', 'purge', '--yes', KIOSK, 'vestibule');
  t.notOk(root.has('var/lib/vestibule'));
  t.equal(root.run('sh', '-c', 'getent passwd vestibule; getent group vestibule; true'), '');
  const left = 'find / -xdev -name "*vestibule*" -not -path "/var/tmp/*" -not -path "/proc/*" -not -path "/var/log/*" -not -path "/run/*"';
  t.equal(root.run('sh', '-c', left), '');
  t.equal(root.run('systemctl', '--failed', '--no-legend', '--plain'), '');
});

t.test('packages: installed again after that, all is new', async (t) => {
  root.install(next.filter((file) => !file.includes(KIOSK)));
  t.match(readFileSync(join(root.path, 'etc/vestibule/gateway.json'), 'utf8'), '{ "publicHost": "127.0.0.1" }');
  root.run('systemctl', 'start', GATEWAY);
  answers();
  t.notMatch(asVestibule('venue', 'list'), /Town library/);
  root.run('apt-get', 'purge', '--yes', GATEWAY, 'vestibule');
  t.notOk(root.has('var/lib/vestibule') || root.has('etc/vestibule'));
  lap('once more');
});

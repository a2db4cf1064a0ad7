/** What a kiosk's word about store, clock, gateway and test event means for a person. Pure. */
import type { Answer, KioskNow } from '../kiosk/doctor-words.ts';
import type { Finding } from './doctor-findings.ts';
import { counted } from './numbers.ts';

type Delivery = Extract<Answer, { test: unknown }>['test'];

const finding = (subject: string, state: Finding['state'], says: string, more: Partial<Finding> = {}): Finding => ({
  area: 'kiosk',
  subject,
  state,
  says,
  ...more,
});

const STORE_FIXES: Readonly<Record<string, string>> = {
  'store.full': 'Bring the kiosk online, so that it can send what it keeps; outbox.maxRows and maxBytes are its bounds.',
  'store.disk_full': 'Make room on its disk: df -h.',
  'store.read_only':
    'The disk or directory can not be written: mount | grep ro, and whose the directory is. An SD card that turns read-only is to be replaced.',
  'store.corrupt': 'The disk damages what it keeps: replace it.',
  'store.newer': 'A newer Vestibule wrote it: install that one again.',
};

export function storeFindings(now: KioskNow): Finding[] {
  const { storeWhy, queued, droppedUnsent, conflicts, quarantined, setAside } = now;
  const store =
    storeWhy === undefined
      ? finding('store', 'fine', `keeps what it is given; ${restWords(queued)}`)
      : finding(
          'store',
          'wrong',
          `refuses: no scan is kept.${queued === undefined ? ' How many records wait for the gateway is not known.' : ''}`,
          {
            code: storeWhy,
            fix: [STORE_FIXES[storeWhy] ?? 'docs/errors.md tells what the code in brackets means.'],
          },
        );
  const troubles = [
    conflicts === 0
      ? undefined
      : finding(
          'sequence',
          'wrong',
          `${counted(conflicts, 'record')} came to the gateway twice with different contents: is there a copy of this kiosk?`,
          {
            code: 'ingest.conflict',
            fix: ['Find the other one, take it off, and make a new kiosk of it (vestibule kiosk key in an empty data directory).'],
          },
        ),
    quarantined === 0
      ? undefined
      : finding('quarantine', 'note', `the gateway set ${counted(quarantined, 'record')} aside: its status tells why.`),
    droppedUnsent === 0 || droppedUnsent === undefined
      ? undefined
      : finding('retention', 'note', `${counted(droppedUnsent, 'record')} dropped unsent.`),
    setAside === 0
      ? undefined
      : finding('outbox', 'note', 'a damaged one was set aside: the disk may be failing.', { code: 'store.corrupt' }),
  ];
  return [store, ...troubles.filter((trouble) => trouble !== undefined)];
}

function restWords(queued: KioskNow['queued']): string {
  if (queued === undefined) return 'how much of it is delivered is not known yet.';
  return queued === 0 ? 'all of it is delivered.' : `${counted(queued, 'record')} not delivered yet.`;
}

export function clockFinding(state: KioskNow['clock']): Finding {
  switch (state) {
    case 'synced':
      return finding('clock', 'fine', 'is set from outside.');
    case 'assumed':
      return finding('clock', 'note', 'is plausible, and nobody vouches for it.', {
        fix: ['timedatectl set-ntp true   (with systemd-timesyncd; another time service is not heard, and does no harm)'],
      });
    case 'unsynced':
      return finding('clock', 'wrong', 'is wrong: it stands before a time that is known to have been.', {
        fix: ['timedatectl set-time "YYYY-MM-DD HH:MM", or connect it to the network: timedatectl set-ntp true'],
      });
  }
}

const LINK_FIXES: Readonly<Record<string, readonly [string, string]>> = {
  'link.refused': [
    'nobody answers there.',
    'Is the gateway running? Does its name resolve from here, and is its port open in its firewall? Try: nc -vz',
  ],
  'link.unauthorised': [
    'it does not admit this kiosk.',
    'On the gateway: npx vestibule gateway admit kiosk.json --venue <id>   (or was it revoked? gateway status tells)',
  ],
  'link.pin': [
    'somebody else answers there.',
    "Carry the gateway's present trust.json here. If it is the right one, somebody is in between: tell the operator.",
  ],
  'link.timeout': ['it does not answer in time.', 'A firewall that swallows packets, or a network that is down: ping the gateway.'],
  'admission.revoked': [
    'the operator has shut this kiosk out.',
    'Ask them: waiting does not help. What it keeps waits, and goes once it is admitted again.',
  ],
  'link.lost': ['the connection breaks.', "Look at the network between, and at the gateway's log."],
};

export function gatewayFinding({ isOnline, linkWhy }: KioskNow, where = 'its address'): Finding {
  if (isOnline) return finding('gateway', 'fine', `${where}: connected.`);
  const [says, fix] = LINK_FIXES[linkWhy ?? ''] ?? ['not connected.', 'Wait a moment and ask again.'];
  const step = linkWhy === 'link.refused' ? `${fix} ${where.replace(/:(\d+)$/, ' $1')}` : fix;
  return finding('gateway', 'wrong', `${where}: ${says}`, { ...(linkWhy !== undefined && { code: linkWhy }), fix: [step] });
}

export function deliveryFinding(delivery: Delivery): Finding {
  switch (delivery.outcome) {
    case 'delivered':
      return finding('test event', 'fine', `delivered to the gateway in ${(delivery.tookMs / 1_000).toFixed(2)} s.`);
    case 'set-aside':
      return finding('test event', 'wrong', 'reached the gateway, which put it into quarantine.', {
        fix: ['On the gateway: npx vestibule gateway status   tells the reason.'],
      });
    case 'waiting':
      return finding('test event', 'wrong', 'is kept here, and did not reach the gateway. It goes when the link allows.', {
        ...(delivery.why !== undefined && { code: delivery.why }),
      });
    case 'refused':
      return finding('test event', 'wrong', 'was not kept.', { code: delivery.why });
  }
}

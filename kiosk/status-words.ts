/** The kiosk's state in one line, for terminal, page and `systemctl status`. Counts, device names and codes only. */
import type { ErrorCode } from '../protocol/errors.ts';
import type { HealthSnapshot } from './health.ts';
import { FAULT_WORDS } from './watchdog/faults.ts';

export function statusWords(health: HealthSnapshot): string {
  const { devices, faults = [], clock, policy, queued, droppedUnsent, conflicts, quarantined, setAside, salvagedRows } = health;
  const parts = [
    health.isAwaitingCode === true ? 'NOT SET UP: scan the code on its label' : '',
    health.storeWhy === undefined ? '' : `NOT STORING (${health.storeWhy})`,
    health.settings?.isOutOfOrder === true ? 'OUT OF USE (chosen by the staff)' : '',
    linkWords(health),
    queued === 0 ? '' : `${queued} waiting`,
    clock === 'synced' ? '' : `clock ${clock}`,
    ...devices.map(deviceWords),
    ...faults.map((fault) => `${FAULT_WORDS[fault].toUpperCase()} (${fault})`),
    policy.why === undefined ? '' : `policy ${policy.version === 0 ? 'missing' : 'old'} (${policy.why})`,
    noticeWords(health.notices?.why),
    droppedUnsent === 0 ? '' : `${droppedUnsent} dropped unsent`,
    conflicts === 0 ? '' : `${conflicts} ${conflicts === 1 ? 'conflict' : 'conflicts'}: is there a copy of this kiosk?`,
    quarantined === 0 ? '' : `${quarantined} quarantined`,
    setAside === 0 ? '' : `damaged outbox set aside, ${salvagedRows} ${salvagedRows === 1 ? 'row' : 'rows'} saved`,
  ];
  return parts.filter((part) => part !== '').join(' · ');
}

/** What a gateway sends of notices and this kiosk refuses is for operators to see, in its state. */
const noticeWords = (why: ErrorCode | undefined): string => (why === 'notice.too_many' ? `please wait a minute (${why})` : '');

function deviceWords({ name, isUp, why = 'device.absent' }: HealthSnapshot['devices'][number]): string {
  if (isUp) return `${name} ready`;
  return why === 'device.no_scanner' ? `NO SCANNER: plug one in (${why})` : `${name} absent (${why})`;
}

/** A link that was not tried yet is not down. Without a store nothing is tried. */
function linkWords({ isOnline, linkWhy, storeWhy, isAwaitingCode }: HealthSnapshot): string {
  if (isAwaitingCode === true) return linkWhy === undefined ? '' : `(${linkWhy})`;
  if (isOnline) return 'online';
  if (linkWhy !== undefined) return `offline (${linkWhy})`;
  return storeWhy === undefined ? 'connecting' : 'offline';
}

/** The kiosk's state in one line, for terminal, page and `systemctl status`. Counts, device names and codes only. */
import type { ErrorCode } from '../protocol/errors.ts';
import type { DeviceHealth, HealthSnapshot } from './health.ts';
import { FAULT_WORDS, type Fault } from './watchdog/faults.ts';

/** As `statusWords`, and the same however many rows wait. */
export const steadyWords = (health: HealthSnapshot): string =>
  statusWords({ ...health, ...(health.queued === undefined ? {} : { queued: 0 }) });

/** @param areSpansTold whether it says how long a device is missing: then it is another line every minute. */
export function statusWords(health: HealthSnapshot, areSpansTold = false): string {
  const { devices, faults = [], clock, policy, droppedUnsent, conflicts, quarantined, setAside, salvagedRows } = health;
  const parts = [
    health.isAwaitingCode === true ? 'NOT SET UP: scan the code on its label' : '',
    health.storeWhy === undefined ? '' : `NOT STORING (${health.storeWhy})`,
    health.settings?.isOutOfOrder === true ? 'OUT OF USE (chosen by the staff)' : '',
    linkWords(health),
    waitingWords(health),
    clock === 'synced' ? '' : `clock ${clock}`,
    ...devices.map((device) => deviceWords(device, areSpansTold)),
    ...faults.map((fault) => faultWords(fault, health.faultDetail)),
    policy.why === undefined ? '' : `policy ${policy.version === 0 ? 'missing' : 'old'} (${policy.why})`,
    noticeWords(health.notices?.why),
    updateWords(health.update),
    droppedUnsent === 0 || droppedUnsent === undefined ? '' : `${droppedUnsent} dropped unsent`,
    conflicts === 0 ? '' : `${conflicts} ${conflicts === 1 ? 'conflict' : 'conflicts'}: is there a copy of this kiosk?`,
    quarantined === 0 ? '' : `${quarantined} quarantined`,
    setAside === 0 ? '' : `damaged outbox set aside, ${salvagedRows} ${salvagedRows === 1 ? 'record' : 'records'} saved`,
  ];
  return parts.filter((part) => part !== '').join(' · ');
}

const faultWords = (fault: Fault, detail: HealthSnapshot['faultDetail']): string =>
  `${FAULT_WORDS[fault].toUpperCase()}${detail?.fault === fault ? `: ${detail.text}` : ''} (${fault})`;

/** At its start, too, nobody knows yet; that is over before it is read. */
function waitingWords({ queued, storeWhy }: HealthSnapshot): string {
  if (queued === undefined) return storeWhy === undefined ? '' : 'not known how many wait';
  return queued === 0 ? '' : `${queued} waiting`;
}

/** What a gateway sends of notices and this kiosk refuses is for operators to see, in its state. */
const noticeWords = (why: ErrorCode | undefined): string => (why === 'notice.too_many' ? `please wait a minute (${why})` : '');

/** What was kept is told by the version that runs. */
function updateWords(update: HealthSnapshot['update']): string {
  if (update === undefined) return '';
  const { version, phase, percent, why = 'release.not_healthy' } = update;
  switch (phase) {
    case 'taking':
      // In tens: each change of the line is told to the gateway.
      return `taking release ${version}${percent === undefined ? '' : `, ${Math.floor(percent / 10) * 10} %`}`;
    case 'waiting':
    case 'ready':
      return `release ${version} is tried when the door is quiet`;
    case 'trying':
      return `release ${version} on trial`;
    case 'failed':
      return `release ${version} did not hold (${why})`;
    case 'refused':
      return `release not taken (${why})`;
    case 'kept':
      return '';
  }
}

function deviceWords({ name, isUp, why = 'device.absent', path, downForMs }: DeviceHealth, areSpansTold: boolean): string {
  if (isUp) return `${name} ready`;
  if (why === 'device.no_scanner') return `NO SCANNER: plug one in (${why})`;
  const where = path === undefined ? name : `${name} ${path}`;
  return `${where} absent${areSpansTold && downForMs !== undefined ? ` for ${spanWords(downForMs)}` : ''} (${why})`;
}

/** @returns `40 s`, `12 min` or `30 h`, rounded down: signs of units that every language of the screen knows. */
export function spanWords(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  if (seconds < 60) return `${seconds} s`;
  return seconds < 3_600 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3_600)} h`;
}

/** A link that was not tried yet is not down. Without a store nothing is tried. */
function linkWords({ isOnline, linkWhy, storeWhy, isAwaitingCode }: HealthSnapshot): string {
  if (isAwaitingCode === true) return linkWhy === undefined ? '' : `(${linkWhy})`;
  if (isOnline) return 'online';
  if (linkWhy !== undefined) return `offline (${linkWhy})`;
  return storeWhy === undefined ? 'connecting' : 'offline';
}

/** What `vestibule gateway status` prints: kiosks a line each, then what is wrong, in words. Pure. */
import type { GatewayState } from '../gateway/state-board.ts';
import type { GatewayStatus, KioskStatus } from '../gateway/status.ts';
import { counted } from './numbers.ts';

/** @param nowMs by the machine's wall clock. */
export function statusLines(status: GatewayStatus, nowMs: number): string[] {
  const { isRunning, lastState, kiosks, sinks, flags, deployment } = status;
  const connected =
    isRunning && lastState !== undefined ? `, ${lastState.connectedKiosks} of ${counted(kiosks.length, 'kiosk')} connected` : '';
  const standing = (flags.confirmed ?? 0) + (flags.unconfirmed ?? 0);
  return [
    `deployment ${deployment}: gateway ${isRunning ? 'running' : 'not running'}${connected}`,
    ...kiosks.map((kiosk) => `  ${kioskLine(kiosk, status, nowMs)}`),
    ...sinks.map(({ name, behindEntries, droppedEntries }) => {
      const code = isRunning ? lastState?.sinks[name]?.code : undefined;
      return `  sink ${name}: ${behindEntries} behind${droppedEntries > 0 ? `, ${droppedEntries} DROPPED past retention` : ''}${code === undefined ? '' : ` [${code}]`}`;
    }),
    ...(isRunning && lastState?.policies !== undefined ? [`  ${policyLine(lastState.policies)}`] : []),
    `  flags: ${standing} standing (${flags.confirmed ?? 0} confirmed, ${flags.unconfirmed ?? 0} unconfirmed), ${flags.pending ?? 0} waiting for a second reading`,
    ...(isRunning ? (lastState?.refused ?? []) : []).map(
      ({ kiosk, code, count }) => `  refused ${counted(count, 'time')}: ${kiosk ?? 'somebody'} [${code}]`,
    ),
    ...(isRunning ? (lastState?.door?.addresses ?? []) : []).map(
      ({ address, code, count }) => `  held off ${counted(count, 'time')}: ${address} [${code}]`,
    ),
  ];
}

function policyLine({ kiosks, confirmed, refused, lostCards }: NonNullable<GatewayState['policies']>): string {
  const refusals = Object.entries(refused).map(([code, count]) => `; refused by ${count} [${code}]`);
  return `policy: confirmed by ${confirmed} of ${counted(kiosks, 'kiosk')}, ${counted(lostCards, 'lost card')}${refusals.join('')}`;
}

function kioskLine(kiosk: KioskStatus, { isRunning, lastState, venues }: GatewayStatus, nowMs: number): string {
  const { admission, rows, lastReceivedAtMs, isCloned, missingRows, quarantine } = kiosk;
  const live = isRunning ? lastState?.kiosks[kiosk.kiosk] : undefined;
  const venue = venues.find(({ id }) => id === admission?.placement.venue);
  const standing = admission === undefined ? 'unknown' : admission.revokedAtMs === undefined ? 'admitted' : 'REVOKED';
  const withheld = live?.withheld;
  const waiting = isRunning ? lastState?.door?.waiting[kiosk.kiosk] : undefined;
  const troubles = [
    isCloned ? 'CLONED: its sequence numbers come twice' : undefined,
    missingRows > 0 ? `${counted(missingRows, 'record')} missing` : undefined,
    quarantine.items > 0 ? `${quarantine.items} in quarantine [${Object.keys(quarantine.reasons).join(', ')}]` : undefined,
    withheld === undefined ? undefined : `${counted(withheld.batches, 'batch', 'batches')} withheld [${withheld.code}]`,
    waiting === undefined ? undefined : `made to wait [${waiting.code}]`,
    live?.cutOff === undefined ? undefined : `CUT OFF [${live.cutOff}]`,
  ].filter((trouble) => trouble !== undefined);
  const last =
    lastReceivedAtMs === undefined ? 'nothing received yet' : `${counted(rows, 'record')}, last ${age(nowMs - lastReceivedAtMs)} ago`;
  const place = admission === undefined ? '' : ` ${admission.placement.direction} at ${venue?.name ?? admission.placement.venue}`;
  const called = admission?.name === undefined ? '' : ` ${admission.name}`;
  return `kiosk ${kiosk.kiosk}${called} ${standing}${place}: ${last}${troubles.length === 0 ? '' : `; ${troubles.join('; ')}`}`;
}

const MINUTE_MS = 60_000;

function age(ms: number): string {
  if (ms < MINUTE_MS) return `${Math.max(0, Math.round(ms / 1_000))} s`;
  if (ms < 60 * MINUTE_MS) return `${Math.round(ms / MINUTE_MS)} min`;
  return `${Math.round(ms / (60 * MINUTE_MS))} h`;
}

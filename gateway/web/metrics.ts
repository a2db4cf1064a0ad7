/**
 * What Prometheus reads: one table of metrics, and the text of a moment. Dashboard and alert rules in docs/grafana are checked
 * against the table by a test. Labels are kiosks, venues, sinks, codes and outcomes: each bounded by what is registered.
 * Source: Prometheus text exposition format 0.0.4.
 */

import { secondsAhead } from '../../protocol/retention-clock.ts';
import type { DoorState } from '../door-board.ts';
import { ACK_BOUNDS_S, type Tallies } from '../watch.ts';
import type { KioskView, Overview, Tone } from './schema.ts';

export interface MetricKind {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly string[];
  readonly help: string;
}

export const METRICS = {
  vestibule_info: { type: 'gauge', labels: ['version'], help: 'Always 1: the gateway that answers.' },
  vestibule_start_time_seconds: { type: 'gauge', labels: [], help: 'When the gateway started, seconds since 1970.' },
  vestibule_rows_total: { type: 'counter', labels: ['outcome'], help: 'Records of batches that were decided, by outcome.' },
  vestibule_batches_total: {
    type: 'counter',
    labels: ['outcome'],
    help: 'Batches that were decided: taken, quarantined whole, or refused.',
  },
  vestibule_batch_bytes_total: { type: 'counter', labels: [], help: 'Bytes of batches that were decided.' },
  vestibule_ack_seconds: { type: 'histogram', labels: [], help: 'From a batch to its acknowledgement: opened, committed, answered.' },
  vestibule_connections_total: { type: 'counter', labels: [], help: 'Connections of admitted kiosks.' },
  vestibule_refused_total: {
    type: 'counter',
    labels: ['code'],
    help: 'Connections, packets and requests that were refused, or held off, by code.',
  },
  vestibule_late: {
    type: 'gauge',
    labels: ['part'],
    help: 'Whether kiosks may be answered late, because a thread failed or falls behind: checkpoints, opening.',
  },
  vestibule_clock_doubt_seconds: {
    type: 'gauge',
    labels: [],
    help: "How far the machine's clock is ahead (or behind: less than 0) of the time by which it is forgotten; 0 while it is believed.",
  },
  vestibule_events_dropped_total: { type: 'counter', labels: [], help: "Operators' events on MQTT that no reader took fast enough." },
  vestibule_kiosks: { type: 'gauge', labels: ['tone'], help: 'Kiosks by how they do: act, look, good, off.' },
  vestibule_kiosk_info: {
    type: 'gauge',
    labels: ['kiosk', 'venue', 'kiosk_name', 'venue_name', 'entrance'],
    help: 'Always 1: what an admitted kiosk, its venue and its door are called.',
  },
  vestibule_kiosk_up: { type: 'gauge', labels: ['kiosk', 'venue'], help: 'Whether an admitted kiosk is connected.' },
  vestibule_kiosk_queued_rows: {
    type: 'gauge',
    labels: ['kiosk', 'venue'],
    help: 'Records that wait at a kiosk, as it said last. Absent where it can not tell.',
  },
  vestibule_kiosk_oldest_queued_seconds: { type: 'gauge', labels: ['kiosk', 'venue'], help: 'How long the oldest of them had waited.' },
  vestibule_kiosk_devices_down: { type: 'gauge', labels: ['kiosk', 'venue'], help: 'Devices that do not work, as the kiosk said last.' },
  vestibule_kiosk_clock_unsynced: { type: 'gauge', labels: ['kiosk', 'venue'], help: 'Whether its clock is not set.' },
  vestibule_kiosk_withheld_batches: {
    type: 'gauge',
    labels: ['kiosk', 'venue'],
    help: 'Batches that are not acknowledged, because the gateway may be at fault.',
  },
  vestibule_kiosk_quarantined: { type: 'gauge', labels: ['kiosk', 'venue'], help: 'Messages and records in quarantine.' },
  vestibule_kiosk_missing_rows: { type: 'gauge', labels: ['kiosk', 'venue'], help: 'Sequence numbers that have not come.' },
  vestibule_kiosk_cloned: { type: 'gauge', labels: ['kiosk', 'venue'], help: 'Whether its sequence numbers came twice.' },
  vestibule_kiosk_takeovers: {
    type: 'gauge',
    labels: ['kiosk', 'venue'],
    help: 'Second connections in place of a living one since the gateway started.',
  },
  vestibule_kiosk_doubts: {
    type: 'gauge',
    labels: ['kiosk', 'venue'],
    help: 'Events that can not be as they were told, since the gateway started.',
  },
  vestibule_kiosk_silent_seconds: {
    type: 'gauge',
    labels: ['kiosk', 'venue'],
    help: 'Since its last record, or since the gateway started.',
  },
  vestibule_kiosk_scans: {
    type: 'gauge',
    labels: ['kiosk', 'venue', 'outcome'],
    help: 'Scans since the kiosk started, as it said last: taken, or refused by reason.',
  },
  vestibule_rollout_kiosks: {
    type: 'gauge',
    labels: ['version', 'standing'],
    help: 'Kiosks by how far they are with the last release: kept, under way, failed, and those that it goes to but were not told yet.',
  },
  vestibule_policy_kiosks: {
    type: 'gauge',
    labels: ['standing', 'code'],
    help: 'Kiosks by how they stand to the policy that they were told: confirmed, unconfirmed, or refused and why.',
  },
  vestibule_notice_cards: {
    type: 'gauge',
    labels: ['standing'],
    help: 'Cards that there are notices for: told to kiosks, or left out for want of room.',
  },
  vestibule_notice_kiosks: {
    type: 'gauge',
    labels: ['standing'],
    help: 'Kiosks by whether they were told all notices that are known here: told, behind.',
  },
  vestibule_notice_feed_stale_seconds: {
    type: 'gauge',
    labels: ['sink'],
    help: 'For how long a core has not been heard; absent while it is.',
  },
  vestibule_taken_back_cards: {
    type: 'gauge',
    labels: ['standing'],
    help: 'Cards that their holders took back: done, or pending here or at a kiosk.',
  },
  vestibule_recipient_kiosks: {
    type: 'gauge',
    labels: ['standing'],
    help: "Kiosks by the gateway's key for which they seal: newest, earlier.",
  },
  vestibule_sink_behind_entries: { type: 'gauge', labels: ['sink'], help: 'Entries of the ledger that a sink has not taken.' },
  vestibule_sink_oldest_waiting_seconds: { type: 'gauge', labels: ['sink'], help: 'How long ago the oldest of them was received.' },
  vestibule_sink_set_aside_entries: { type: 'gauge', labels: ['sink'], help: 'Entries that a sink refuses for what they are.' },
  vestibule_sink_failing: { type: 'gauge', labels: ['sink'], help: 'Whether its last offer failed.' },
  vestibule_sink_dropped_entries_total: {
    type: 'counter',
    labels: ['sink'],
    help: 'Entries that retention ended before the sink had taken them.',
  },
  vestibule_sink_unerased_rows: {
    type: 'gauge',
    labels: ['sink'],
    help: 'Records of taken-back cards that a sink has not said to have erased.',
  },
  vestibule_flags: { type: 'gauge', labels: ['state'], help: 'High-temperature flags that stand.' },
  vestibule_disk_free_bytes: { type: 'gauge', labels: [], help: "Free on the gateway's disk." },
  vestibule_disk_used_bytes: { type: 'gauge', labels: [], help: 'What the gateway keeps.' },
  vestibule_disk_days_left: { type: 'gauge', labels: [], help: 'Until the disk is full as things go; absent while nothing grows.' },
  vestibule_audit_entries: { type: 'gauge', labels: [], help: 'Entries of the audit log. It never goes down.' },
  vestibule_resident_memory_bytes: { type: 'gauge', labels: [], help: 'Memory of the process.' },
  vestibule_cpu_seconds_total: { type: 'counter', labels: [], help: 'Processor time of the process.' },
  vestibule_event_loop_delay_seconds: { type: 'gauge', labels: [], help: 'How late the event loop was at worst since the last reading.' },
} as const satisfies Readonly<Record<string, MetricKind>>;

export type MetricName = keyof typeof METRICS;

export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export interface ProcessUse {
  readonly residentBytes: number;
  readonly cpuS: number;
  readonly loopDelayS: number;
}

type Labels = Readonly<Record<string, string>>;

/** Writes samples one metric after the other, as the format asks, whatever order they come in. */
class Exposition {
  readonly #samples = new Map<MetricName, string[]>();

  add(name: MetricName, value: number, labels: Labels = {}, suffix = ''): void {
    const lines = this.#samples.get(name) ?? [];
    lines.push(`${name}${suffix}${labelsOf(labels)} ${value}`);
    this.#samples.set(name, lines);
  }

  text(): string {
    const names = Object.keys(METRICS) as MetricName[];
    return names
      .flatMap((name) => {
        const samples = this.#samples.get(name) ?? [];
        if (samples.length === 0) return [];
        return [`# HELP ${name} ${METRICS[name].help}`, `# TYPE ${name} ${METRICS[name].type}`, ...samples];
      })
      .map((line) => `${line}\n`)
      .join('');
  }
}

function labelsOf(labels: Labels): string {
  const written = Object.entries(labels).map(
    ([name, value]) => `${name}="${value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"')}"`,
  );
  return written.length === 0 ? '' : `{${written.join(',')}}`;
}

/** @returns the whole exposition. */
export function metricsText(
  { gateway, venues, kiosks }: Overview,
  tallies: Tallies,
  refusals: DoorState['refusals'],
  use: ProcessUse,
): string {
  const out = new Exposition();
  out.add('vestibule_info', 1, { version: gateway.version });
  out.add('vestibule_start_time_seconds', gateway.startedAtMs / 1_000);
  for (const [outcome, n] of Object.entries(tallies.rows)) out.add('vestibule_rows_total', n, { outcome });
  for (const [outcome, n] of Object.entries(tallies.batches)) out.add('vestibule_batches_total', n, { outcome });
  out.add('vestibule_batch_bytes_total', tallies.bytes);
  addAck(out, tallies);
  out.add('vestibule_connections_total', tallies.connections);
  for (const [code, n] of Object.entries(refusals)) out.add('vestibule_refused_total', n, { code });
  for (const [part, isLate] of Object.entries(gateway.late)) out.add('vestibule_late', isLate ? 1 : 0, { part });
  out.add('vestibule_clock_doubt_seconds', secondsAhead(gateway.clock));
  out.add('vestibule_events_dropped_total', gateway.droppedEvents);
  const tones: readonly Tone[] = ['act', 'look', 'good', 'off'];
  for (const tone of tones) out.add('vestibule_kiosks', kiosks.filter((kiosk) => kiosk.tone === tone).length, { tone });
  for (const kiosk of kiosks) if (kiosk.standing === 'admitted') addKiosk(out, kiosk, gateway, venues);
  const { kiosks: sealing, followed } = gateway.recipient;
  out.add('vestibule_recipient_kiosks', followed, { standing: 'newest' });
  out.add('vestibule_recipient_kiosks', sealing - followed, { standing: 'earlier' });
  for (const { name, behindEntries, waitingSinceMs, setAsideEntries, code, droppedEntries, unerasedRows = 0 } of gateway.sinks) {
    out.add('vestibule_sink_unerased_rows', unerasedRows, { sink: name });
    out.add('vestibule_sink_behind_entries', behindEntries, { sink: name });
    const waitedMs = waitingSinceMs === undefined ? 0 : Math.max(0, gateway.atMs - waitingSinceMs);
    out.add('vestibule_sink_oldest_waiting_seconds', waitedMs / 1_000, { sink: name });
    out.add('vestibule_sink_set_aside_entries', setAsideEntries, { sink: name });
    out.add('vestibule_sink_failing', code === undefined ? 0 : 1, { sink: name });
    out.add('vestibule_sink_dropped_entries_total', droppedEntries, { sink: name });
  }
  if (gateway.rollout !== undefined) {
    const { version, meant, kept, underWay, failed } = gateway.rollout;
    const waiting = Math.max(0, meant - kept - underWay - failed);
    for (const [standing, n] of Object.entries({ kept, 'under-way': underWay, failed, waiting }))
      out.add('vestibule_rollout_kiosks', n, { version, standing });
  }
  if (gateway.policy !== undefined) {
    const { confirmed, unconfirmed, refused } = gateway.policy;
    out.add('vestibule_policy_kiosks', confirmed, { standing: 'confirmed', code: '' });
    out.add('vestibule_policy_kiosks', unconfirmed, { standing: 'unconfirmed', code: '' });
    for (const [code, n] of Object.entries(refused)) out.add('vestibule_policy_kiosks', n, { standing: 'refused', code });
  }
  addNotices(out, gateway);
  for (const [state, n] of Object.entries(gateway.flags)) out.add('vestibule_flags', n, { state });
  out.add('vestibule_disk_free_bytes', gateway.disk.freeBytes);
  out.add('vestibule_disk_used_bytes', gateway.disk.usedBytes);
  if (gateway.disk.daysLeft !== undefined) out.add('vestibule_disk_days_left', gateway.disk.daysLeft);
  out.add('vestibule_audit_entries', gateway.auditEntries);
  out.add('vestibule_resident_memory_bytes', use.residentBytes);
  out.add('vestibule_cpu_seconds_total', use.cpuS);
  out.add('vestibule_event_loop_delay_seconds', use.loopDelayS);
  return out.text();
}

function addAck(out: Exposition, { ack }: Tallies): void {
  let atMost = 0;
  for (const [index, bound] of ACK_BOUNDS_S.entries()) {
    atMost += ack.counts[index] ?? 0;
    out.add('vestibule_ack_seconds', atMost, { le: String(bound) }, '_bucket');
  }
  const all = atMost + (ack.counts[ACK_BOUNDS_S.length] ?? 0);
  out.add('vestibule_ack_seconds', all, { le: '+Inf' }, '_bucket');
  out.add('vestibule_ack_seconds', ack.sumS, {}, '_sum');
  out.add('vestibule_ack_seconds', all, {}, '_count');
}

function addNotices(out: Exposition, { notices, takenBack, atMs }: Overview['gateway']): void {
  out.add('vestibule_taken_back_cards', takenBack.cards - takenBack.pending, { standing: 'done' });
  out.add('vestibule_taken_back_cards', takenBack.pending, { standing: 'pending' });
  if (notices === undefined) return;
  out.add('vestibule_notice_cards', notices.cards, { standing: 'told' });
  out.add('vestibule_notice_cards', notices.leftOut, { standing: 'left-out' });
  out.add('vestibule_notice_kiosks', notices.told, { standing: 'told' });
  out.add('vestibule_notice_kiosks', Math.max(0, notices.kiosks - notices.told), { standing: 'behind' });
  for (const { sink, sinceMs } of notices.unheard)
    out.add('vestibule_notice_feed_stale_seconds', Math.max(0, atMs - sinceMs) / 1_000, { sink });
}

function addKiosk(out: Exposition, view: KioskView, { atMs, startedAtMs }: Overview['gateway'], venues: Overview['venues']): void {
  const labels = { kiosk: view.kiosk, venue: view.venue ?? '' };
  const venue = venues.find(({ id }) => id === view.venue);
  const door = venue?.entrances.find(({ id }) => id === view.entrance)?.name;
  out.add('vestibule_kiosk_info', 1, { ...labels, kiosk_name: view.name ?? '', venue_name: venue?.name ?? '', entrance: door ?? '' });
  out.add('vestibule_kiosk_cloned', view.isCopied ? 1 : 0, labels);
  out.add('vestibule_kiosk_takeovers', view.takeovers, labels);
  out.add('vestibule_kiosk_doubts', view.doubts, labels);
  out.add('vestibule_kiosk_silent_seconds', Math.max(0, atMs - (view.lastReceivedAtMs ?? startedAtMs)) / 1_000, labels);
  for (const [outcome, n] of Object.entries({ taken: view.scans?.taken, ...view.scans?.refused }))
    if (n !== undefined) out.add('vestibule_kiosk_scans', n, { ...labels, outcome });
  out.add('vestibule_kiosk_up', view.isConnected ? 1 : 0, labels);
  if (view.queued !== undefined) out.add('vestibule_kiosk_queued_rows', view.queued, labels);
  const oldestMs = view.queued === 0 ? 0 : view.oldestQueuedMs;
  if (oldestMs !== undefined) out.add('vestibule_kiosk_oldest_queued_seconds', oldestMs / 1_000, labels);
  out.add('vestibule_kiosk_devices_down', view.devices.filter(({ isUp }) => !isUp).length, labels);
  if (view.clock !== undefined) out.add('vestibule_kiosk_clock_unsynced', view.clock === 'unsynced' ? 1 : 0, labels);
  out.add('vestibule_kiosk_withheld_batches', view.withheldBatches, labels);
  out.add('vestibule_kiosk_quarantined', view.quarantined, labels);
  out.add('vestibule_kiosk_missing_rows', view.missingRows, labels);
}

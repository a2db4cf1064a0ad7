/**
 * What Prometheus reads of a core: one table of metrics, and the text of a moment. Counts and ages, of nobody; labels are states and the names of
 * gateways, as an operator gave them. The alert rules in docs/grafana are checked against the table by a test.
 * Source: Prometheus text exposition format 0.0.4.
 */
import { secondsAhead } from '../../protocol/retention-clock.ts';
import { CASE_STATES } from '../case/case.ts';
import type { Core } from '../core.ts';

interface MetricKind {
  readonly type: 'gauge' | 'counter';
  readonly labels: readonly string[];
  readonly help: string;
}

const gauge = (help: string, ...labels: string[]): MetricKind => ({ type: 'gauge', labels, help });
const counter = (help: string): MetricKind => ({ type: 'counter', labels: [], help });

export const CORE_METRICS = {
  vestibule_core_info: gauge('Always 1: the core that answers.', 'version'),
  vestibule_core_days: gauge('Day files within retention.'),
  vestibule_core_unreadable_days: gauge('Of these, those whose files are lost or can not be read.'),
  vestibule_core_scans: gauge('Check-ins and check-outs that are held.'),
  vestibule_core_readings: gauge('Temperature readings that were taken; never what they read.'),
  vestibule_core_flags: gauge('High-temperature flags that stand.', 'state'),
  vestibule_core_set_aside: gauge('Entries and rows that could not be taken for what they are.'),
  vestibule_core_expired: gauge('Rows that came when their day was past retention.'),
  vestibule_core_clock_doubt_seconds: gauge(
    "How far the machine's clock is ahead (or behind: less than 0) of the time by which it is forgotten; 0 while it is believed.",
  ),
  vestibule_core_cases: gauge('Cases within retention.', 'state'),
  vestibule_core_noticed_cards: gauge('Cards that there are notices for.'),
  vestibule_core_noticed_cards_left_out: gauge('Cards beyond those that gateways can be told of.'),
  vestibule_core_traces_due: gauge('Cases and flags that are to be traced.'),
  vestibule_core_traces_waiting: gauge('Of these, those that wait for what can not be done now, as where a day can not be read.'),
  vestibule_core_trace_fault: gauge('Whether the thread that traces has failed and none has answered since: then 1, else 0.'),
  vestibule_core_trace_failures_total: counter('How often that thread has failed since the core was opened.'),
  vestibule_core_trace_oldest_seconds: gauge('How long the oldest of them has waited; 0 where none does.'),
  vestibule_core_stickers: gauge('Stickers that are of no more use, as clinics’ desks are told.'),
  vestibule_core_gateway_taken_position: gauge('How far the ledger of a gateway is taken.', 'gateway'),
} as const satisfies Readonly<Record<string, MetricKind>>;

type Name = keyof typeof CORE_METRICS;

export interface MetricSources {
  readonly core: Pick<Core, 'counts' | 'notices' | 'cases' | 'gateways' | 'retention'>;
  readonly version: string;
  readonly nowMs: number;
}

/** @throws StoreError. */
export function coreMetrics({ core, version, nowMs }: MetricSources): string {
  const counts = core.counts();
  const notices = core.notices.counts();
  const cases = core.cases.counts();
  const { flags } = counts;
  const gateways = core.gateways.list().filter(({ role }) => role === 'gateway');
  const oldestMs = notices.oldestDueMs === undefined ? 0 : Math.max(0, nowMs - notices.oldestDueMs);
  return text({
    vestibule_core_info: [[1, version]],
    vestibule_core_days: [[counts.days]],
    vestibule_core_unreadable_days: [[counts.unreadableDays]],
    vestibule_core_scans: [[counts.checkIns + counts.checkOuts]],
    vestibule_core_readings: [[counts.readings]],
    vestibule_core_flags: [
      [flags.confirmed, 'confirmed'],
      [flags.unconfirmed, 'unconfirmed'],
    ],
    vestibule_core_set_aside: [[counts.setAside]],
    vestibule_core_expired: [[counts.expired]],
    vestibule_core_clock_doubt_seconds: [[secondsAhead(core.retention.doubt)]],
    vestibule_core_cases: CASE_STATES.map((state) => [cases[state], state]),
    vestibule_core_noticed_cards: [[notices.noticed]],
    vestibule_core_noticed_cards_left_out: [[notices.leftOut]],
    vestibule_core_traces_due: [[notices.toTrace]],
    vestibule_core_traces_waiting: [[notices.waiting]],
    vestibule_core_trace_fault: [[notices.fault === undefined ? 0 : 1]],
    vestibule_core_trace_failures_total: [[notices.failures]],
    vestibule_core_trace_oldest_seconds: [[oldestMs / 1_000]],
    vestibule_core_stickers: [[core.cases.stickersTold]],
    vestibule_core_gateway_taken_position: gateways.map(({ no, name }) => [core.gateways.taken(no), name]),
  });
}

/** A value, and its label's where the metric has one: versions, states and names need no escaping. */
type Sample = readonly [value: number, label?: string];

function text(samples: Readonly<Record<Name, readonly Sample[]>>): string {
  const lines = (Object.keys(CORE_METRICS) as Name[]).flatMap((name) => {
    const { type, help, labels } = CORE_METRICS[name];
    const told = samples[name].map(([value, label]) => `${name}${label === undefined ? '' : `{${labels[0]}="${label}"}`} ${value}`);
    return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...told];
  });
  return `${lines.join('\n')}\n`;
}

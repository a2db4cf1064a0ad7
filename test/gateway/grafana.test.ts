/** docs/grafana against the table of metrics: every name and label that dashboard and rules use exists, and every metric is used. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t from 'tap';
import { CORE_METRICS } from '../../core/rest/metrics.ts';
import { SILENT_MS } from '../../gateway/web/kiosk-words.ts';
import { METRICS, type MetricKind } from '../../gateway/web/metrics.ts';

const directory = resolve(import.meta.dirname, '../../docs/grafana');
const metrics: Readonly<Record<string, MetricKind>> = { ...METRICS, ...CORE_METRICS };

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets: readonly { readonly expr: string }[];
}
const dashboard = JSON.parse(readFileSync(join(directory, 'dashboard.json'), 'utf8')) as { panels: readonly Panel[] };
const rules = readFileSync(join(directory, 'alerts.yml'), 'utf8');
const expressions = [
  ...dashboard.panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ where: `panel ${title}`, expr }))),
  ...[...rules.matchAll(/- alert: (\w+)\n\s+expr: (.+)$/gm)].map(([, alert = '', expr = '']) => ({ where: `alert ${alert}`, expr })),
];

/** The metric behind a series: a histogram has three. */
function metricOf(series: string): string {
  const base = series.replace(/_(bucket|sum|count)$/, '');
  return metrics[base]?.type === 'histogram' ? base : series;
}
const seriesIn = (expr: string): string[] => expr.match(/\bvestibule_\w+/g) ?? [];

t.test('grafana: every series of dashboard and alert rules is one that the gateway tells', async (t) => {
  t.ok(expressions.length > 30, `${expressions.length} expressions`);
  for (const { where, expr } of expressions) for (const series of seriesIn(expr)) t.ok(metrics[metricOf(series)], `${where}: ${series}`);
});

t.test('grafana: every label that is asked for is one of that metric, or one that Prometheus adds', async (t) => {
  for (const { where, expr } of expressions) {
    const known = new Set(['instance', 'job', 'le', ...seriesIn(expr).flatMap((series) => metrics[metricOf(series)]?.labels ?? [])]);
    const asked = [
      ...[...expr.matchAll(/(\w+)\s*(?:=~|!~|!=|=)\s*"/g)].map(([, label = '']) => label),
      ...[...expr.matchAll(/\b(?:by|on|without|ignoring)\s*\(([^)]*)\)/g)].flatMap(([, labels = '']) => labels.split(/\s*,\s*/)),
    ];
    t.strictSame(
      asked.filter((label) => !known.has(label)),
      [],
      where,
    );
  }
  for (const [, body = ''] of rules.matchAll(/- alert: ([\s\S]*?)(?=\n {6}- alert|$(?![\s\S]))/g)) {
    const known = seriesIn(body).flatMap((series) => metrics[metricOf(series)]?.labels ?? []);
    for (const [, label = ''] of body.matchAll(/\$labels\.(\w+)/g)) t.ok(known.includes(label), `${body.split('\n')[0]}: $labels.${label}`);
  }
});

t.test('grafana: a kiosk is silent after as long as the gateway says on its page', async (t) => {
  const bounds = expressions.flatMap(({ expr }) => [...expr.matchAll(/vestibule_kiosk_silent_seconds > (\d+)/g)].map(([, bound]) => bound));
  t.strictSame(bounds, [String(SILENT_MS / 1_000), String(SILENT_MS / 1_000)], 'panel and alert');
});

t.test('grafana: a counter is asked for its rate, and a gauge never is', async (t) => {
  for (const { where, expr } of expressions) {
    for (const [, series = ''] of expr.matchAll(/\b(?:rate|increase)\((vestibule_\w+)/g))
      t.not(metrics[metricOf(series)]?.type, 'gauge', `${where}: rate of ${series}`);
  }
});

t.test('grafana: every metric is on the dashboard, and every panel has a place of its own', async (t) => {
  const shown = new Set(dashboard.panels.flatMap(({ targets }) => targets.flatMap(({ expr }) => seriesIn(expr).map(metricOf))));
  t.strictSame(
    Object.keys(METRICS).filter((name) => !shown.has(name)),
    [],
  );
  t.equal(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length);
  for (const [index, { gridPos: a, title }] of dashboard.panels.entries()) {
    t.ok(a.x + a.w <= 24, title);
    const covers = dashboard.panels
      .slice(0, index)
      .filter(({ gridPos: b }) => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h);
    t.strictSame(covers, [], title);
  }
});

t.test('metrics: names and helps are as Prometheus wants them', async (t) => {
  for (const [name, { type, labels, help }] of Object.entries(metrics)) {
    t.match(name, /^vestibule_[a-z_]+$/);
    t.equal(name.endsWith('_total'), type === 'counter', `${name}: a counter ends in _total, and nothing else does`);
    t.match(help, /^[A-Z].*\.$/, name);
    t.notOk(
      labels.some((label) => ['card', 'subject', 'address'].includes(label)),
      `${name} tells of no person`,
    );
  }
});

/** What `vestibule doctor` finds: one thing each, whether it is well, and what to do when it is not. Values only. */

/** `note`: works, and somebody should know. `wrong`: somebody has to do something. */
export type FindingState = 'fine' | 'note' | 'wrong';

export interface Finding {
  readonly area: 'machine' | 'kiosk' | 'device';
  readonly subject: string;
  readonly state: FindingState;
  /** A sentence. Never a serial number, a key, a code or a temperature. */
  readonly says: string;
  /** Commands or actions, in order. */
  readonly fix?: readonly string[];
  /** Of docs/errors.md. */
  readonly code?: string;
  /** Of a device. */
  readonly doors?: readonly DoorFinding[];
}

export interface DoorFinding {
  readonly kind: string;
  readonly path: string;
  /** May hold a serial number: shown to whoever stands before the machine, and in no report. */
  readonly stablePath?: string;
  /** Who may open it, and whether this user may. */
  readonly who: string;
}

export interface Report {
  readonly version: string;
  readonly node: string;
  readonly platform: string;
  readonly findings: readonly Finding[];
}

/** @returns the worst of them. */
export const worstOf = (findings: readonly Finding[]): FindingState =>
  findings.some(({ state }) => state === 'wrong') ? 'wrong' : findings.some(({ state }) => state === 'note') ? 'note' : 'fine';

/** @returns what may be sent to whoever helps. */
export const forSupport = (report: Report): unknown => ({
  ...report,
  state: worstOf(report.findings),
  findings: report.findings.map(({ doors, ...finding }) =>
    doors === undefined ? finding : { ...finding, doors: doors.map(({ kind, path, who }) => ({ kind, path, who })) },
  ),
});

export interface Style {
  readonly hasColour: boolean;
}

const SIGNS: Readonly<Record<FindingState, { sign: string; colour: string }>> = {
  fine: { sign: '✓', colour: '32' },
  note: { sign: '!', colour: '1;33' },
  wrong: { sign: '✗', colour: '1;37;41' },
};
const TITLES: Readonly<Record<Finding['area'], string>> = { machine: 'This machine', kiosk: 'The kiosk', device: 'Devices' };

/** @returns lines for a terminal. */
export function reportLines(report: Report, { hasColour }: Style): string[] {
  const paint = (text: string, colour: string) => (hasColour ? `\u001b[${colour}m${text}\u001b[0m` : text);
  const { findings } = report;
  const lines = [`Vestibule ${report.version}, Node ${report.node}, ${report.platform}`];
  for (const area of ['machine', 'kiosk', 'device'] as const) {
    const own = findings.filter((finding) => finding.area === area);
    if (own.length === 0) continue;
    lines.push('', paint(TITLES[area], '1'));
    for (const finding of own) {
      const { sign, colour } = SIGNS[finding.state];
      lines.push(
        `  ${paint(sign, colour)} ${paint(finding.subject, '1')}: ${finding.says}${finding.code === undefined ? '' : ` [${finding.code}]`}`,
      );
      for (const { kind, path, stablePath, who } of finding.doors ?? []) {
        lines.push(`      ${kind} ${path}: ${who}`);
        if (stablePath !== undefined) lines.push(`        stable name ${stablePath}`);
      }
      for (const step of finding.fix ?? []) lines.push(`      ${paint('→', colour)} ${step}`);
    }
  }
  const wrong = findings.filter(({ state }) => state === 'wrong').length;
  const all = wrong === 0 ? 'Nothing is wrong.' : `${wrong === 1 ? 'One thing is' : `${wrong} things are`} wrong: see ✗ above.`;
  return [...lines, '', paint(all, wrong === 0 ? '1;32' : '1;37;41')];
}

/** @returns what was heard in a live test, for a terminal. */
export function liveLines(heard: readonly Finding[], { hasColour }: Style): string[] {
  return heard.flatMap(({ subject, state, says, fix = [] }) => {
    const { sign, colour } = SIGNS[state];
    const painted = hasColour ? `\u001b[${colour}m${sign}\u001b[0m` : sign;
    return [`  ${painted} ${subject}: ${says}`, ...fix.map((step) => `      → ${step}`)];
  });
}

/** What `vestibule status` says where no gateway runs: that first, and then what it left behind. Pure. */
import type { GatewayStatus, KioskStatus } from '../gateway/status.ts';
import type { Overview } from '../gateway/web/schema.ts';
import { statusLines } from './gateway-status.ts';
import { COMMAND } from './version.ts';

const TEXT = 'The gateway does not run. Kiosks keep what they take.';

/** @param directory as `--data` names it. @param nowMs by the machine's wall clock. */
export function stoppedLines(status: GatewayStatus, directory: string, nowMs: number): string[] {
  const where = directory === './data' ? '' : ` --data ${directory}`;
  return [
    `! ${TEXT}`,
    `    Start it: ${COMMAND} gateway run${where}   (or its service: systemctl start vestibule-gateway)`,
    '',
    ...statusLines(status, nowMs),
  ];
}

/** The shape that `vestibule status --json` has of a running gateway; what only that one knows is left out. */
export function stoppedView(status: GatewayStatus, nowMs: number): object {
  const { deployment, venues, kiosks, sinks, flags } = status;
  const admitted = kiosks.filter(({ admission }) => admission !== undefined && admission.revokedAtMs === undefined);
  return {
    gateway: {
      deployment,
      isRunning: false,
      tone: 'act',
      headline: TEXT,
      troubles: [{ tone: 'act', text: TEXT, advice: `Start it: ${COMMAND} gateway run` }],
      atMs: nowMs,
      admittedKiosks: admitted.length,
      connectedKiosks: 0,
      sinks,
      flags: { confirmed: flags.confirmed ?? 0, unconfirmed: flags.unconfirmed ?? 0, pending: flags.pending ?? 0 },
      quarantined: kiosks.reduce((sum, { quarantine }) => sum + quarantine.items, 0),
    },
    venues: venues.map(({ id, name, entrances }) => ({ id, name, entrances })),
    kiosks: kiosks.map(kioskView),
  } satisfies { readonly [part in keyof Overview]: unknown };
}

const kioskView = ({ kiosk, admission, rows, lastReceivedAtMs, quarantine, missingRows }: KioskStatus) => ({
  kiosk,
  ...(admission && {
    venue: admission.placement.venue,
    entrance: admission.placement.entrance,
    direction: admission.placement.direction,
  }),
  standing: admission === undefined ? 'unknown' : admission.revokedAtMs === undefined ? 'admitted' : 'revoked',
  isConnected: false,
  rows,
  lastReceivedAtMs,
  quarantined: quarantine.items,
  missingRows,
});

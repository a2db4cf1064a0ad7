/** What `vestibule gateway status` says of the door. */
import t from 'tap';
import { statusLines } from '../../cli/gateway-status.ts';
import type { GatewayStatus } from '../../gateway/status.ts';
import { type DeploymentId, type KioskId, newPlaceId } from '../../protocol/ids.ts';
import type { EpochMillis } from '../../protocol/units.ts';

const lastAtMs = 0 as EpochMillis;

function statusOf(kiosk: KioskId, isRunning: boolean): GatewayStatus {
  const quarantine = { items: 0, bytes: 0, reasons: {} };
  const seen = { rows: 3, lastReceivedAtMs: lastAtMs, isCloned: false, clonedRows: 0, missingRows: 0, quarantine };
  const lastState = {
    isUp: true,
    state: 'up',
    connectedKiosks: 1,
    kiosks: {},
    sinks: {},
    refused: [],
    door: {
      refusals: { 'admission.too_often': 12 },
      addresses: [{ address: '192.0.2.7', code: 'admission.too_often', count: 12, lastAtMs }],
      waiting: { [kiosk]: { code: 'admission.over_quota', count: 2, lastAtMs } },
    },
  };
  return {
    deployment: newPlaceId<DeploymentId>(),
    isRunning,
    venues: [],
    kiosks: [{ kiosk, admission: undefined, ...seen }],
    sinks: [],
    flags: {},
    lastState,
  } as unknown as GatewayStatus;
}

t.test('gateway status: names kiosks that are made to wait, and addresses that are held off, of a gateway that runs', async (t) => {
  const kiosk = newPlaceId<KioskId>();
  const lines = statusLines(statusOf(kiosk, true), 60_000).join('\n');
  t.match(lines, /made to wait \[admission\.over_quota\]/);
  t.match(lines, /held off 12 times: 192\.0\.2\.7 \[admission\.too_often\]/);
  t.notMatch(statusLines(statusOf(kiosk, false), 60_000).join('\n'), /made to wait|held off/);
  const { lastState, ...rest } = statusOf(kiosk, true);
  const { door, ...older } = lastState ?? {};
  t.ok(door);
  t.match(lines, /running, 1 of 1 kiosk connected/);
  t.doesNotThrow(() => statusLines({ ...rest, lastState: older } as unknown as GatewayStatus, 60_000), 'one of an earlier release');
});

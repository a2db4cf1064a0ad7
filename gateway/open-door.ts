/** The door, wired: its limits out of the configuration; what it held off on the state board and, sparsely, in the log. */
import { LONGEST_BATCH_BYTES } from '../protocol/batch.ts';
import { DoorKeeper } from '../protocol/door-keeper.ts';
import type { ErrorCode } from '../protocol/errors.ts';
import type { KioskId } from '../protocol/ids.ts';
import type { Log } from '../protocol/log.ts';
import { SparseLog } from '../protocol/sparse-log.ts';
import type { Clock } from '../protocol/time.ts';
import type { GatewayConfig } from './config.ts';
import { DoorGuard } from './door-guard.ts';
import { RowQuota } from './door-quota.ts';
import type { StateBoard } from './state-board.ts';

export interface Door {
  readonly keeper: DoorKeeper;
  readonly guard: DoorGuard;
  readonly quota: RowQuota;
  /** For what peers can make happen as often as they like. */
  readonly log: SparseLog;
}

/** A batch, its topic and packet id. */
const LONGEST_PACKET_BYTES = LONGEST_BATCH_BYTES + 256;

export function openDoor(limits: GatewayConfig['limits'], board: StateBoard, clock: Clock, log: Log): Door {
  const sparse = new SparseLog(log, clock);
  const onWaits = (kiosk: KioskId, code: ErrorCode) => {
    board.door.waits(kiosk, code);
    sparse.tell('warn', 'kiosk.waits', `${kiosk} ${code}`, { kiosk, code });
  };
  const flow = {
    longestPacketBytes: LONGEST_PACKET_BYTES,
    mostUnanswered: limits.unansweredBatches,
    mostUnansweredBytes: limits.unansweredBytes,
    packetsPerSecond: limits.packetsPerSecond,
    bytesPerSecond: limits.bytesPerSecond,
  };
  return {
    keeper: new DoorKeeper({ connectionsPerSecond: limits.connectionsPerSecond, mostWaiting: limits.waitingConnections }, clock, {
      onRefused(address, code) {
        board.door.heldOff(address, code);
        sparse.tell('warn', 'connection.held_off', code, { code });
      },
    }),
    guard: new DoorGuard(clock, flow, { onWaits }),
    quota: new RowQuota(limits.rowsPerDay, clock, onWaits),
    log: sparse,
  };
}

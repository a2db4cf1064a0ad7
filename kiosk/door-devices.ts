/** The devices of a kiosk, and what comes of what they say: scans and readings at the door, presses, and how each does. */
import type { Restarts } from '../hardware/supervise.ts';
import type { ExpectedError } from '../protocol/errors.ts';
import type { Happening } from '../protocol/event.ts';
import type { Answers } from './answers.ts';
import { boardRest, obeyButton } from './board-rest.ts';
import { calibrationAge } from './calibration.ts';
import type { ClockWatch } from './clock-state.ts';
import { runDevices } from './devices.ts';
import type { Sight } from './doctor-words.ts';
import type { FrontCommand } from './front.ts';
import type { Health } from './health.ts';
import type { Moment } from './recorder.ts';
import type { Turn } from './setup/in-turns.ts';
import type { Staff } from './staff/open-staff.ts';

export interface DoorDevices {
  readonly turn: Turn;
  readonly staff: Staff;
  readonly health: Health;
  readonly watch: ClockWatch;
  readonly answers: Answers;
  readonly restarts: Restarts;
  /** What is done at the door; a bug there is the kiosk's. */
  readonly atDoor: (serve: () => void) => void;
  readonly command: (command: FrontCommand) => void;
  readonly note: (happening: Happening) => void;
  /** Told of each thing that a device does. */
  readonly onSight: (sight: Sight) => void;
  /** Told of a device that nobody configured, before anything else of it. */
  readonly onFound: (device: string, path: string) => void;
  readonly onDevice: (device: string, isUp: boolean, why: ExpectedError | undefined) => void;
  readonly now: () => Moment;
}

/** Until abort. */
export async function runDoorDevices(door: DoorDevices, signal: AbortSignal): Promise<void> {
  const { turn, staff, health, watch, answers, restarts, atDoor, command, note, onSight, onFound, onDevice, now } = door;
  const { config, options, credentials, setup } = turn;
  const { front, settings } = staff;
  const { clock, log, input, hidPlaces } = options;
  const calibrationAgeDays = () => {
    const { calibratedOn } = config.temperature;
    return calibratedOn !== undefined && watch.state !== 'unsynced' ? calibrationAge(calibratedOn, clock.wall()) : undefined;
  };
  await runDevices(
    {
      config,
      clock,
      log,
      random: Math.random,
      input,
      restarts,
      answers,
      ...(hidPlaces && { hidPlaces }),
      onScan: ({ device, text, scannedAt }) => {
        // First what somebody waits for.
        atDoor(() => front.scan(text, scannedAt));
        onSight({ device, what: 'scan' });
      },
      onNoScan: (device) => {
        atDoor(() => front.noScan(now()));
        onSight({ device, what: 'no-scan' });
      },
      onReading: ({ device, objectRaw, ambientRaw, takenAt }) => {
        onSight({ device, what: 'reading' });
        atDoor(() => front.reading({ objectRaw, ambientRaw, calibrationAgeDays: calibrationAgeDays() }, takenAt));
      },
      onFound,
      onOccupancy: note,
      rest: () => boardRest(health.snapshot(), config, credentials.role),
      onButton: (device, press) => obeyButton({ setup, settings, answers, direction: front.direction, command }, device, press, now()),
      onReport: (report) => onDevice(report.device, report.isUp, report.isUp ? undefined : report.why),
    },
    signal,
  );
}

/**
 * The doctor's live test: waits for scans and readings, and tells of each as it comes, by device and kind. A kiosk that runs goes on serving and is
 * listened to; where none runs, the devices are opened here. Bounded in time; shows no code and no temperature.
 */

import { Answers } from '../kiosk/answers.ts';
import { askKiosk } from '../kiosk/ask-kiosk.ts';
import type { KioskConfig } from '../kiosk/config.ts';
import { runDevices } from '../kiosk/devices.ts';
import type { Sight } from '../kiosk/doctor-words.ts';
import { ConfigError } from '../protocol/errors.ts';
import { silentLog } from '../protocol/log.ts';
import type { Clock } from '../protocol/time.ts';
import type { TrustDocument } from '../protocol/trust.ts';
import type { Finding } from './doctor-findings.ts';
import { codeWords, sightOfCode } from './identify-code.ts';
import { COMMAND } from './version.ts';

export interface LiveTest {
  readonly config: KioskConfig;
  readonly clock: Clock;
  readonly isRunning: boolean;
  readonly trust: TrustDocument | undefined;
  readonly seconds: number;
  readonly tell: (line: string) => void;
}

const WORDS: Readonly<Record<Sight['what'], string>> = {
  scan: 'a code was read',
  'no-scan': `something came that makes no code: ${COMMAND} identify tells more`,
  reading: 'a steady reading came',
};

/** @returns what was heard, a finding each device; one that is wrong when nothing was. */
export async function runLive(test: LiveTest, signal: AbortSignal): Promise<readonly Finding[]> {
  const { clock, seconds, tell, isRunning } = test;
  const counts = new Map<string, Map<Sight['what'], number>>();
  const hear = ({ device, what }: Sight, more = ''): void => {
    const ofDevice = counts.get(device) ?? new Map<Sight['what'], number>();
    counts.set(device, ofDevice.set(what, (ofDevice.get(what) ?? 0) + 1));
    tell(`  ${device}: ${WORDS[what]}${more}`);
  };
  tell('');
  tell(`Scan now; hold a hand before the thermometer, and take it away. ${seconds} s, or Ctrl-C.`);
  if (isRunning) tell('(The kiosk runs and serves: a card that is scanned now is checked in.)');
  const late = new AbortController();
  const cancel = clock.after(seconds * 1_000, () => late.abort());
  const ending = AbortSignal.any([signal, late.signal]);
  try {
    await (isRunning ? watchKiosk(test, hear, ending) : openDevices(test, hear, ending));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return [{ area: 'device', subject: 'live test', state: 'wrong', says: `${error.message}.`, code: error.code }];
  } finally {
    cancel();
  }
  if (counts.size === 0)
    return [
      {
        area: 'device',
        subject: 'live test',
        state: 'wrong',
        says: `nothing was heard in ${seconds} s.`,
        fix: [`${COMMAND} identify listens to every scanner there is, whatever the settings say.`],
      },
    ];
  return [...counts].map(([device, heard]): Finding => {
    const isRead = heard.has('scan') || heard.has('reading');
    const says = [...heard].map(([what, count]) => `${count} × ${WORDS[what].split(':')[0]}`).join(', ');
    return { area: 'device', subject: `live test of ${device}`, state: isRead ? 'fine' : 'wrong', says: `${says}.` };
  });
}

async function watchKiosk({ config }: LiveTest, hear: (sight: Sight) => void, ending: AbortSignal): Promise<void> {
  for await (const answer of askKiosk(config.dataDir, 'watch', ending)) if ('sight' in answer) hear(answer.sight);
}

async function openDevices(
  { config, clock, trust, tell }: LiveTest,
  hear: (sight: Sight, more?: string) => void,
  ending: AbortSignal,
): Promise<void> {
  await runDevices(
    {
      config: { ...config, sniffers: [] },
      clock,
      log: silentLog,
      random: Math.random,
      input: undefined,
      answers: new Answers(),
      onScan: ({ device, text }) => hear({ device, what: 'scan' }, `: ${codeWords(sightOfCode(text, trust))}`),
      onNoScan: (device) => hear({ device, what: 'no-scan' }),
      onReading: ({ device }) => hear({ device, what: 'reading' }),
      onOccupancy: () => {},
      onButton: (device, press) => tell(`  ${device}: its button was pressed (${press})`),
      onReport: (report) => tell(`  ${report.device}: ${report.isUp ? 'works' : `does not work [${report.why.code}]`}`),
    },
    ending,
  );
}

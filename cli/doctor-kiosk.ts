/**
 * How the kiosk of a data directory does: directory, trust, clock, store, gateway, and whether a test event arrives. A kiosk that runs is asked;
 * where none runs, one without devices is run for the moment, by the same code, so that what is shown is the real road.
 */
import { existsSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { askKiosk } from '../kiosk/ask-kiosk.ts';
import { BUILT_AT_MS, SYNCED_PATH } from '../kiosk/clock-state.ts';
import type { KioskConfig } from '../kiosk/config.ts';
import { lockDataDir } from '../kiosk/data-lock.ts';
import type { Answer, KioskNow, Question } from '../kiosk/doctor-words.ts';
import { trustOf } from '../kiosk/read-trust.ts';
import { runKiosk } from '../kiosk/run-kiosk.ts';
import { ConfigError, codeOf } from '../protocol/errors.ts';
import { silentLog } from '../protocol/log.ts';
import type { Clock } from '../protocol/time.ts';
import type { TrustDocument } from '../protocol/trust.ts';
import type { Finding } from './doctor-findings.ts';
import { clockFinding, deliveryFinding, gatewayFinding, storeFindings } from './doctor-road.ts';
import { COMMAND } from './version.ts';

export interface KioskExamination {
  readonly config: KioskConfig;
  readonly clock: Clock;
  readonly version: string;
  /** Of this process. */
  readonly uid: number;
  /** Whether a test event may be sent. */
  readonly mayDeliver: boolean;
}

export interface KioskExamined {
  readonly findings: readonly Finding[];
  /** What a kiosk says that runs of its own; `undefined` when none does. */
  readonly now: KioskNow | undefined;
  readonly isRunning: boolean;
  readonly trust: TrustDocument | undefined;
}

/** What a day of a busy door writes, with room for the write-ahead log. */
const LEAST_FREE_BYTES = 64 * 1024 * 1024;

const finding = (subject: string, state: Finding['state'], says: string, more: Partial<Finding> = {}): Finding => ({
  area: 'kiosk',
  subject,
  state,
  says,
  ...more,
});

/** Changes nothing but for the test event: a few rows of the kiosk's own in its outbox. */
export async function examineKiosk(examination: KioskExamination, signal: AbortSignal): Promise<KioskExamined> {
  const { config, uid, clock } = examination;
  const { trust, findings: trustFindings } = examineTrust(config);
  const directory = examineDirectory(config.dataDir, uid);
  const findings = [...directory.findings, ...trustFindings];
  if (!directory.isOurs) return { findings: [...findings, clockFinding(clockHere(clock))], now: undefined, isRunning: false, trust };
  const isRunning = isLocked(config.dataDir);
  findings.unshift(
    isRunning
      ? finding('kiosk', 'fine', 'runs.')
      : finding('kiosk', 'note', 'does not run now.', { fix: [`${COMMAND} kiosk run …, or: sudo systemctl start vestibule-kiosk`] }),
  );
  const road = isRunning ? await askRunning(examination, signal) : await runForNow(examination, trust, signal);
  if (road === undefined) return { findings: [...findings, clockFinding(clockHere(clock))], now: undefined, isRunning, trust };
  if (road instanceof ConfigError)
    return {
      findings: [...findings, finding('kiosk', 'wrong', `${road.message}.`, { code: road.code })],
      now: undefined,
      isRunning,
      trust,
    };
  const { now, delivery } = road;
  const where = trust === undefined ? undefined : `${trust.gateway.host}:${trust.gateway.port}`;
  return {
    findings: [
      ...findings,
      ...storeFindings(now),
      clockFinding(now.clock),
      gatewayFinding(now, where),
      ...(delivery === undefined ? [] : [deliveryFinding(delivery)]),
    ],
    now: isRunning ? now : undefined,
    isRunning,
    trust,
  };
}

function examineTrust({ dataDir, trustPath }: KioskConfig): { trust: TrustDocument | undefined; findings: Finding[] } {
  try {
    const trust = trustOf(dataDir, trustPath);
    const many = trust.issuers.length;
    const says = `names a gateway at ${trust.gateway.host}:${trust.gateway.port} and ${many === 1 ? 'one issuer' : `${many} issuers`} of cards.`;
    if (many === 0)
      return {
        trust,
        findings: [
          finding('trust document', 'wrong', says, {
            fix: ['Print cards or name an issuer at the gateway, and carry its trust.json here.'],
          }),
        ],
      };
    return { trust, findings: [finding('trust document', 'fine', says)] };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const says = `${error.message.replace(/^trust document: /, '')}${trustPath === undefined ? '' : ` (${trustPath})`}.`;
    const fix = ["Scan the code on the kiosk's label, or carry the gateway's <data>/gateway/trust.json here and name it with --trust."];
    return { trust: undefined, findings: [finding('trust document', 'wrong', says, { code: error.code, fix })] };
  }
}

function examineDirectory(dir: string, uid: number): { isOurs: boolean; findings: Finding[] } {
  if (!existsSync(join(dir, 'kiosk.json')))
    return {
      isOurs: false,
      findings: [
        finding('data directory', 'wrong', `${dir} holds no kiosk, or this user may not look.`, {
          code: 'config.invalid',
          fix: [
            `Name the right one with --data, ask as the user the kiosk runs as (sudo -u vestibule …), or make a kiosk: ${COMMAND} kiosk key --data …`,
          ],
        }),
      ],
    };
  const owner = statSync(dir).uid;
  // Files that another user makes in there would keep the kiosk from its own store.
  if (owner !== uid)
    return {
      isOurs: false,
      findings: [
        finding(
          'data directory',
          'wrong',
          `${dir} is another user's (number ${owner}): store, gateway and test event were not looked at.`,
          {
            fix: [`Ask as that user: sudo -u '#${owner}' npx vestibule doctor …`],
          },
        ),
      ],
    };
  const { bavail, bsize } = statfsSync(dir);
  const free = `${Math.floor((bavail * bsize) / (1024 * 1024))} MB free`;
  if (bavail * bsize < LEAST_FREE_BYTES)
    return {
      isOurs: true,
      findings: [finding('data directory', 'wrong', `${dir}: ${free}.`, { code: 'store.disk_full', fix: [`Make room: df -h '${dir}'`] })],
    };
  return { isOurs: true, findings: [finding('data directory', 'fine', `${dir}: ${free}.`)] };
}

/** The lock is asked for and given back at once. */
function isLocked(dir: string): boolean {
  try {
    lockDataDir(dir)();
    return false;
  } catch (error) {
    if (codeOf(error) === 'config.locked') return true;
    throw error;
  }
}

interface Road {
  readonly now: KioskNow;
  readonly delivery: Extract<Answer, { test: unknown }>['test'] | undefined;
}

async function askRunning({ config, mayDeliver }: KioskExamination, signal: AbortSignal): Promise<Road | ConfigError | undefined> {
  try {
    const tested = mayDeliver ? await askOnce(config.dataDir, 'test', signal) : undefined;
    const told = await askOnce(config.dataDir, 'state', signal);
    if (told === undefined || !('state' in told)) return undefined;
    return { now: told.state, delivery: tested !== undefined && 'test' in tested ? tested.test : undefined };
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
}

async function askOnce(dir: string, question: Question, signal: AbortSignal): Promise<Answer | undefined> {
  for await (const answer of askKiosk(dir, question, signal)) return answer;
  return undefined;
}

async function runForNow(
  examination: KioskExamination,
  trust: TrustDocument | undefined,
  signal: AbortSignal,
): Promise<Road | ConfigError | undefined> {
  const { config, clock, version, mayDeliver } = examination;
  if (trust === undefined || !mayDeliver) return undefined;
  const stopping = new AbortController();
  const bare = { ...config, scanners: [], thermometers: [], sniffers: [], boards: [], page: { ...config.page, isOn: false } };
  let isReady = () => {};
  const ready = new Promise<void>((resolve) => {
    isReady = resolve;
  });
  const running = runKiosk(bare, { clock, log: silentLog, version, onReady: isReady }, AbortSignal.any([signal, stopping.signal]));
  try {
    await Promise.race([ready, running]);
    return await askRunning(examination, signal);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  } finally {
    stopping.abort();
    await running.catch(() => {});
  }
}

const clockHere = (clock: Clock) => (existsSync(SYNCED_PATH) ? 'synced' : clock.wall() < BUILT_AT_MS ? 'unsynced' : 'assumed');

/**
 * Thousands of scans a kind of scanner at the byte door of the whole kiosk: any chunks, double scans, codes joined without a pause, the plug pulled
 * at random moments. Every complete code is kept once and in order, no part of one ever, and the kiosk lives on.
 */
import t from 'tap';
import { seededRandom, suiteSize } from '../support/suite-size.ts';
import { breakOff, KINDS, makeScanner, type SoakScanner } from './scanners.ts';
import { distribution, SoakedKiosk } from './soaked-kiosk.ts';

const { isFull, seed } = suiteSize();
const SCANS = isFull ? 10_000 : 400;
const UNPLUG_EVERY = 50;

interface Scanned {
  readonly card: number;
  /** The plug was pulled before the kiosk had answered: it had reached this machine, or had not. */
  readonly isInFlight: boolean;
}

for (const kind of KINDS) {
  t.test(`byte door: ${SCANS} scans of a scanner of kind ${kind}: every complete code once, no part of one ever`, async (t) => {
    const dir = t.testdir();
    const random = seededRandom(seed);
    const scanner = makeScanner(kind, dir);
    const kiosk = await SoakedKiosk.start(dir, { scanners: [scanner.settings] }, scanner.options);
    await kiosk.until(() => kiosk.status.includes('ready'));
    const { sent, waitsMs, unplugged } = await soak(kiosk, scanner, random);
    await kiosk.stop();
    await scanner.unplug();
    const found = await kiosk.checkIns(sent.length);
    t.equal(faultIn(found, sent), undefined, `seed ${seed}`);
    t.equal(found.length, kiosk.kept, 'what was promised is what is kept');
    t.equal(kiosk.scans, kiosk.kept, 'no driver handed up a part of a code');
    const inFlight = sent.filter((one) => one.isInFlight).length;
    t.comment(
      `${kind}: ${sent.length} codes sent, ${found.length} kept, ${inFlight} in flight at one of ${unplugged} unpluggings; seed ${seed}`,
    );
    t.comment(`${kind}: last byte to promise, ${distribution(waitsMs)}`);
  });
}

/** @returns what was sent whole, in order; how long single codes waited for their promise. */
async function soak(kiosk: SoakedKiosk, scanner: SoakScanner, random: () => number) {
  const sent: Scanned[] = [];
  const waitsMs: number[] = [];
  /** Sent since the kiosk had last answered all. */
  let open: number[] = [];
  let due = 0;
  let unplugged = 0;
  const untilAnswered = async (): Promise<void> => {
    await kiosk.untilKept(due);
    sent.push(...open.map((card) => ({ card, isInFlight: false })));
    open = [];
  };
  for (let card = 0; sent.length + open.length < SCANS; card++) {
    // Some scanners read a card twice; half of the codes come without waiting for the answer to the one before.
    const times = random() < 0.1 ? 2 : 1;
    const isAlone = random() < 0.5;
    for (let time = 0; time < times; time++) {
      if (isAlone) await untilAnswered();
      const pieces = scanner.pieces(kiosk.code(card), random);
      const answers = kiosk.feedback.length;
      for (const piece of pieces) await scanner.send(piece);
      const sentAtMs = performance.now();
      open.push(card);
      due += 1;
      if (!isAlone) continue;
      await untilAnswered();
      waitsMs.push((kiosk.answeredAtMs[answers] ?? sentAtMs) - sentAtMs);
    }
    if (!scanner.hasPlug || card % UNPLUG_EVERY !== UNPLUG_EVERY - 1) continue;
    if (random() < 0.5) await untilAnswered();
    await breakOff(scanner, kiosk.code(card), random);
    unplugged += 1;
    // Down is told after everything that had been read.
    await kiosk.untilDoor(false);
    const answered = kiosk.kept - (due - open.length);
    sent.push(...open.map((one, at) => ({ card: one, isInFlight: at >= answered })));
    open = [];
    due = kiosk.kept;
    scanner.plug(random);
    await kiosk.untilDoor(true);
  }
  await untilAnswered();
  return { sent, waitsMs, unplugged };
}

/** @returns what is wrong: kept are all that were sent, each once and in order; those in flight need not be. */
function faultIn(found: readonly number[], sent: readonly Scanned[]): string | undefined {
  const must = sent.filter(({ isInFlight }) => !isInFlight).map(({ card }) => card);
  const at = must.findIndex((card, index) => card !== found[index]);
  if (at >= 0) return `kept number ${at} is card ${found[at]}, sent was ${must[at]}`;
  return found.length === must.length ? undefined : `${found.length} kept of ${must.length} sent`;
}

// Tones, made here: told apart by their rhythm, not by their pitch alone, so that they serve whoever hears little of one or the other.

const LEVELS = { silent: 0, quiet: 0.06, normal: 0.3, loud: 0.9 };

/** Pairs of [hertz, milliseconds]; 0 Hz is a rest. One long for in, two falling for out, two ticks for a note, three slow, long-short-long, one short, five fast. */
export const PATTERNS = {
  in: [[880, 320]],
  out: [
    [784, 170],
    [0, 60],
    [523, 260],
  ],
  note: [
    [1047, 60],
    [0, 70],
    [1047, 60],
  ],
  again: [
    [659, 260],
    [0, 200],
    [659, 260],
    [0, 200],
    [659, 260],
  ],
  staff: [
    [587, 420],
    [0, 110],
    [587, 120],
    [0, 110],
    [587, 420],
  ],
  'go-on': [[988, 90]],
  stop: [
    [196, 90],
    [0, 60],
    [196, 90],
    [0, 60],
    [196, 90],
    [0, 60],
    [196, 90],
    [0, 60],
    [196, 90],
  ],
  none: [],
};
/** Behind what is kept here: three short ticks, as a board's three flickers. */
const KEPT_HERE = [
  [0, 160],
  [1319, 40],
  [0, 60],
  [1319, 40],
  [0, 60],
  [1319, 40],
];

let context;
let playing;

/** Whether the browser lets it sound; some wait for a touch. */
export const isBlocked = () => context?.state === 'suspended';

/** Asks once whether it may sound, and again at each touch. */
export function wake() {
  context ??= new AudioContext();
  return context.resume();
}

/** What sounds still is cut off: the last answer counts. */
export function play(name, level, isKeptHere = false) {
  playing?.disconnect();
  playing = undefined;
  const loudness = LEVELS[level] ?? 0;
  const pattern = [...(PATTERNS[name] ?? []), ...(isKeptHere ? KEPT_HERE : [])];
  if (loudness === 0 || pattern.length === 0) return;
  context ??= new AudioContext();
  if (context.state === 'suspended') return;
  const gain = context.createGain();
  gain.connect(context.destination);
  let at = context.currentTime + 0.005;
  for (const [hertz, ms] of pattern) {
    const end = at + ms / 1000;
    if (hertz > 0) sound(gain, hertz, at, end, loudness);
    at = end;
  }
  playing = gain;
}

function sound(into, hertz, from, to, loudness) {
  const tone = context.createOscillator();
  const edge = context.createGain();
  tone.type = hertz < 300 ? 'square' : 'triangle';
  tone.frequency.value = hertz;
  // A tone that begins or ends at once clicks.
  edge.gain.setValueAtTime(0, from);
  edge.gain.linearRampToValueAtTime(hertz < 300 ? loudness * 0.6 : loudness, from + 0.01);
  edge.gain.setValueAtTime(hertz < 300 ? loudness * 0.6 : loudness, Math.max(from + 0.01, to - 0.02));
  edge.gain.linearRampToValueAtTime(0, to);
  tone.connect(edge).connect(into);
  tone.start(from);
  tone.stop(to);
}

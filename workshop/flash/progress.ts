/** How fast and how long still, for a person who watches. Pure: time is handed in. */
import { sizeText } from './disks.ts';

/** Long enough that a card's pauses do not make the numbers jump. */
const WINDOW_MS = 5_000;

/** The way of one stage. */
export class Pace {
  readonly #marks: { readonly atMs: number; readonly doneBytes: number }[] = [];

  /**
   * @returns `37 %  1.1 GiB of 2.9 GiB  28.4 MiB/s  1:05 left`; without rate and time before a second has passed, without share and time where nobody
   * knows the total.
   */
  line(doneBytes: number, totalBytes: number | undefined, atMs: number): string {
    this.#marks.push({ atMs, doneBytes });
    while (this.#marks.length > 2 && (this.#marks[1]?.atMs ?? atMs) <= atMs - WINDOW_MS) this.#marks.shift();
    const since = this.#marks[0] ?? { atMs, doneBytes };
    const passedMs = atMs - since.atMs;
    const isKnown = totalBytes !== undefined && totalBytes > 0;
    const percent = isKnown ? `${String(Math.floor((100 * doneBytes) / totalBytes)).padStart(3)} %` : '     ';
    const parts = [percent, isKnown ? `${sizeText(doneBytes)} of ${sizeText(totalBytes)}` : sizeText(doneBytes)];
    const perSecond = ((doneBytes - since.doneBytes) * 1_000) / passedMs;
    if (passedMs >= 1_000 && perSecond > 0) {
      parts.push(`${sizeText(perSecond)}/s`);
      if (isKnown) parts.push(`${timeText((totalBytes - doneBytes) / perSecond)} left`);
    }
    return parts.join('  ');
  }
}

/** `1:05`, `1:02:03`. */
export function timeText(seconds: number): string {
  const whole = Math.ceil(seconds);
  const two = (part: number): string => String(part).padStart(2, '0');
  const [hours, minutes] = [Math.floor(whole / 3_600), Math.floor(whole / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** What `vestibule identify` says of a burst: lines for a person, none of them with anything of a code in it. Pure. */
import { type BurstSight, isGarbage } from './identify-burst.ts';
import { codeWords, symbologyWords } from './identify-code.ts';

/** @param source what it came from, such as `serial port /dev/ttyACM0`. */
export function burstLines(source: string, sight: BurstSight): string[] {
  const { lengthBytes, pieces, tookMs, isEndless, start, end, symbology, codes, made, code } = sight;
  const came = `  ${lengthBytes}${isEndless ? ' and more' : ''} ${lengthBytes === 1 ? 'byte' : 'bytes'} in ${pieces} ${pieces === 1 ? 'piece' : 'pieces'} over ${tookMs} ms`;
  if (isEndless) return [source, came, '  → It does not pause: no scanner, or one that is set to send by itself.'];
  if (isGarbage(sight)) return [source, came, '  → Not text: the wrong speed, or a mode that is none of text.'];
  if (code === undefined) return [source, `${came}: ${start === '' ? 'nothing' : start} and no code`];
  const lines = [
    source,
    `${came}${codes > 1 ? `, ${codes} codes` : ''}`,
    `  ended by ${end === '' ? 'nothing but silence' : end}${start === '' ? '' : `, begun by ${start}`}`,
    ...(symbology === undefined ? [] : [`  with the symbology identifier ${symbologyWords(symbology)}, which the kiosk takes off`]),
    `  ${made}`,
    `  → ${codeWords(code)}`,
  ];
  return [...lines, ...advice(sight).map((words) => `  → ${words}`)];
}

/** What to change at the scanner or in the settings. */
function advice({ start, end, code }: BurstSight): string[] {
  const around = code?.kind === undefined ? undefined : code;
  return [
    ...(start === ''
      ? []
      : ['Switch what it sends before a code off (STX/ETX framing, block check): the kiosk refuses it as unprintable.']),
    ...(end !== '' && !/^(CR|LF|CR LF|Tab)$/.test(end)
      ? [`Set its suffix to CR: ${end} is refused, or taken for a part of the code.`]
      : []),
    ...(end === '' ? ['Set its suffix to CR: without one the kiosk waits 0.1 s after each code.'] : []),
    ...(around !== undefined && around.before + around.after > 0
      ? [
          `It puts ${around.before} characters before and ${around.after} after the code: switch prefix and suffix off, or name them in the settings.`,
        ]
      : []),
  ];
}

/** What the staff chose at this kiosk: kept in its data directory, so that it survives a restart. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { writeWhole } from '../../disk/files.ts';
import type { Log } from '../../protocol/log.ts';
import { LANGUAGES } from '../screen/languages.ts';

export const SOUND_LEVELS = ['silent', 'quiet', 'normal', 'loud'] as const;
export type SoundLevel = (typeof SOUND_LEVELS)[number];

const directions = z.enum(['in', 'out', 'both']);

const settings = z.strictObject({
  language: z.enum(LANGUAGES),
  sound: z.enum(SOUND_LEVELS),
  isOutOfOrder: z.boolean(),
  /** What the door is for, over what the entrance was for when it was chosen: an entrance that is changed later has the last word. */
  door: z.strictObject({ direction: directions, over: directions.optional() }).optional(),
});

export type StaffSettings = Readonly<z.infer<typeof settings>>;

const FILE = 'staff.json';
/** A file of ours has a tenth of it. */
const MOST_BYTES = 4_096;

export class SettingsKeeper {
  readonly #dir: string;
  readonly #log: Log;
  readonly #onChange: () => void;
  #now: StaffSettings;

  /** @param first what holds until somebody chooses. @param onChange told after each change. */
  constructor(dir: string, first: Pick<StaffSettings, 'language' | 'sound'>, log: Log, onChange: () => void) {
    this.#dir = dir;
    this.#log = log;
    this.#onChange = onChange;
    this.#now = { isOutOfOrder: false, ...first, ...this.#read() };
  }

  get now(): StaffSettings {
    return this.#now;
  }

  /** Holds from now on; where the disk does not keep it, until the next start. */
  change(change: Partial<StaffSettings>): void {
    const next = { ...this.#now, ...change };
    if (JSON.stringify(next) === JSON.stringify(this.#now)) return;
    this.#now = next;
    try {
      writeWhole(join(this.#dir, FILE), Buffer.from(`${JSON.stringify(next)}\n`), 0o600);
    } catch (error) {
      this.#log.warn('staff.not_kept', { why: error instanceof Error && 'code' in error ? String(error.code) : 'unknown' });
    }
    this.#onChange();
  }

  #read(): StaffSettings | undefined {
    try {
      const bytes = readFileSync(join(this.#dir, FILE));
      const read = settings.safeParse(bytes.length > MOST_BYTES ? undefined : JSON.parse(bytes.toString('utf8')));
      if (read.success) return read.data;
      this.#log.warn('staff.not_read');
    } catch (error) {
      const isNone = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      if (!isNone) this.#log.warn('staff.not_read');
    }
    return undefined;
  }
}

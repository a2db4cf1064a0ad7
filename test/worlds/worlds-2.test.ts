/** The second half: another process with `--jobs 2`. */
import { compareWorlds } from './some-worlds.ts';

compareWorlds(1, 2);

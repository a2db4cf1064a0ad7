/** The first half of 150 small random worlds, or of 10,000 with `--full`, traced by the core and by the reference of docs/tracing.md. */
import { compareWorlds } from './some-worlds.ts';

compareWorlds(0, 2);

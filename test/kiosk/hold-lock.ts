/** Holds the lock of a data directory until it is killed: run by data-lock.test.ts. */
import { lockDataDir } from '../../kiosk/data-lock.ts';

lockDataDir(process.argv[2] ?? '');
process.stdout.write('locked\n');
setInterval(() => {}, 60_000);

/** Run in the guest: ends with 0 when the outbox at that path holds no row that still has to be sent. */
import { countUnsent } from '../support/count-unsent.ts';

const [path = ''] = process.argv.slice(2);
process.exitCode = countUnsent(path) === 0 ? 0 : 1;

/** Run by `sharedImage`, one at a time. Argument: the directory. */
import { buildShared } from './built.ts';

const [directory = ''] = process.argv.slice(2);
await buildShared(directory);

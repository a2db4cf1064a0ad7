/** Appends until it is refused, and says how far it came: run by outbox.test.ts under a limit on the size of files. */
import { join } from 'node:path';
import { Outbox } from '../../kiosk/outbox.ts';
import { codeOf } from '../../protocol/errors.ts';
import type { KeyId } from '../../protocol/ids.ts';
import { LIMITS, mono } from './fixtures.ts';

const outbox = new Outbox(join(process.argv[2] ?? '', 'outbox.db'), LIMITS, mono(0));
const key = outbox.keepKey(new Uint8Array(8) as KeyId, new Uint8Array(300));
let appended = 0;
const refusal = (): string | undefined => {
  try {
    outbox.append(key, () => new Uint8Array(220), { wallMs: undefined, monotonicMs: mono(0) });
    appended += 1;
    return undefined;
  } catch (error) {
    return codeOf(error) ?? `bug: ${error}`;
  }
};
let code = refusal();
while (code === undefined) code = refusal();
process.stdout.write(JSON.stringify({ appended, code, again: refusal() }));
process.kill(process.pid, 'SIGKILL');

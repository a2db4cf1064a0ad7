/** What the memory of what was seen costs in RAM. What it says is in ledger-recovery.test.ts. */
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { openLedgerFile } from '../../gateway/ledger.ts';
import { SeenRows } from '../../gateway/seen.ts';
import { type Epoch, type KeyId, type KioskId, newPlaceId } from '../../protocol/ids.ts';
import { digestTextOf } from '../../protocol/row.ts';
import { STORE_KEY } from '../support/test-ingest.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const KIOSKS = 400;

t.test('seen: a window that is held for each of many kiosks holds nothing else', async (t) => {
  const db = openLedgerFile(join(t.testdir(), 'ledger.db'), STORE_KEY);
  t.teardown(() => db.close());
  const seen = new SeenRows(db);
  const held = async (): Promise<number> => {
    // What one collection finds is let go of beside the program; the next one waits for that.
    for (let round = 0; round < 3; round++) {
      collect();
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    return process.memoryUsage().arrayBuffers;
  };
  const before = await held();
  for (let n = 0; n < KIOSKS; n++) {
    const kiosk = newPlaceId<KioskId>();
    const epochNo = seen.epochNo(kiosk, new Uint8Array(8).fill(1) as Epoch);
    const keyNo = seen.keyNo(kiosk, new Uint8Array(8).fill(n % 256) as KeyId, epochNo) ?? 0;
    t.equal(seen.stand(epochNo, keyNo, 1, digestTextOf(Buffer.from(`${n}`)), 1), 'new');
    // What else a gateway makes and lets go of meanwhile.
    for (let short = 0; short < 100; short++) Buffer.allocUnsafe(1_000);
  }
  const each = ((await held()) - before) / KIOSKS;
  t.ok(each < 4_096, `${Math.round(each)} bytes each`);
});

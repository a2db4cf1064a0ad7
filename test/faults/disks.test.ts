/** Runs what needs disks of its own with mounts of its own: as root, or as anybody in a user namespace. */
import { join } from 'node:path';
import t from 'tap';

const namespaces = process.getuid?.() === 0 ? ['--mount'] : ['--map-root-user', '--mount'];

for (const name of ['kiosk-disk', 'gateway-disk', 'gateway-reserve', 'core-disk'])
  t.test(name, async (t) => {
    await t.spawn('unshare', [...namespaces, process.execPath, join(import.meta.dirname, `${name}.ts`)], {}, name);
  });

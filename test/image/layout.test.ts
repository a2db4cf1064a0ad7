/** The partition table, as another program reads it. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import { makeCard } from '../../workshop/image/card-file.ts';
import { DISK_ID, PARTITIONS, SECTOR_BYTES } from '../../workshop/image/layout.ts';

t.test('layout: sfdisk reads the partitions where they are said to lie', async (t) => {
  const path = join(t.testdir(), 'card');
  makeCard(path);
  const asked = spawnSync('/sbin/sfdisk', ['--json', path], { encoding: 'utf8' });
  t.equal(asked.status, 0, asked.stderr);
  const { partitiontable: table } = JSON.parse(asked.stdout) as {
    readonly partitiontable: { readonly id: string; readonly partitions: { node: string; start: number; size: number; type: string }[] };
  };
  t.equal(Number(table.id), DISK_ID);
  t.strictSame(
    table.partitions
      .filter(({ type }) => type !== 'f')
      .map(({ node, start, size, type }) => [Number(node.replace(path, '')), start * SECTOR_BYTES, size * SECTOR_BYTES, type]),
    PARTITIONS.map(({ number, startBytes, sizeBytes, type }) => [number, startBytes, sizeBytes, type.toString(16)]),
  );
});

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { keepDeployment } from '../../kiosk/deployment-mark.ts';
import { type DeploymentId, newPlaceId } from '../../protocol/ids.ts';
import { cardOf, newDeployment } from './fixtures.ts';
import { startKiosk } from './running-kiosk.ts';

const NOWHERE = 1;

t.test('runKiosk: a trust document of another deployment is refused while rows wait for theirs', async (t) => {
  const [ours, other] = [await newDeployment(), await newDeployment()];
  const dataDir = join(t.testdir({ ours: {}, other: {} }), 'kiosk');
  const trustPath = ours.writeTrust(join(dataDir, '../ours'), NOWHERE);
  const first = await startKiosk({ dataDir, trustPath });
  t.equal(await first.scan(ours.textOf(cardOf(1))), 'welcome');
  await first.stop();
  // That gateway would take them for forged, put them aside and acknowledge them: promised, and gone.
  const swapped = { dataDir, trustPath: other.writeTrust(join(dataDir, '../other'), NOWHERE) };
  await t.rejects(startKiosk(swapped), { code: 'config.invalid', message: /another deployment than 3 records/ });
  const again = await startKiosk({ dataDir, trustPath });
  t.equal(await again.scan(ours.textOf(cardOf(2))), 'welcome');
  await again.stop();
});

t.test('keepDeployment: one that nothing waits for gives way, and a damaged mark stops nobody', async (t) => {
  const dir = t.testdir();
  const [one, two] = [newPlaceId<DeploymentId>(), newPlaceId<DeploymentId>()];
  keepDeployment(dir, one, 0);
  keepDeployment(dir, one, 5);
  t.throws(() => keepDeployment(dir, two, 5), { code: 'config.invalid' });
  keepDeployment(dir, two, 0);
  t.throws(() => keepDeployment(dir, one, 1), { code: 'config.invalid' });
  writeFileSync(join(dir, 'deployment'), '');
  keepDeployment(dir, one, 1);
  t.equal(readFileSync(join(dir, 'deployment'), 'utf8'), `${one}\n`);
});

t.test('keepDeployment: where nothing can be written the kiosk starts all the same', async (t) => {
  keepDeployment(join(t.testdir(), 'not-there'), newPlaceId<DeploymentId>(), 0);
  t.end();
});

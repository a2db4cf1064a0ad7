/** The issuer of a data directory, made before or after its gateway started. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openIssuer } from '../../cards/issuer.ts';
import { dataPaths } from '../../cli/data-paths.ts';
import { issuerHere } from '../../cli/issuer-here.ts';
import { type DeploymentId, newPlaceId } from '../../protocol/ids.ts';

t.test('issuer here: one that is made later is found without asking twice', async (t) => {
  const paths = dataPaths(t.testdir());
  const deployment = newPlaceId<DeploymentId>();
  const issuers = issuerHere(paths, deployment);
  t.strictSame(issuers(), []);
  const { publicKey } = openIssuer(paths.issuer, { deployment });
  t.strictSame(issuers(), [publicKey]);
  t.strictSame(issuerHere(paths, deployment)(), [publicKey]);
});

t.test('issuer here: of another deployment it ends a start, and is none for a gateway that runs', async (t) => {
  const paths = dataPaths(t.testdir());
  const deployment = newPlaceId<DeploymentId>();
  const issuers = issuerHere(paths, deployment);
  openIssuer(paths.issuer, { deployment: newPlaceId<DeploymentId>() });
  t.strictSame(issuers(), []);
  t.throws(() => issuerHere(paths, deployment), { code: 'config.invalid' });
});

t.test('issuer here: half of one is none for a gateway that runs', async (t) => {
  const paths = dataPaths(t.testdir());
  const issuers = issuerHere(paths, newPlaceId<DeploymentId>());
  mkdirSync(paths.issuer);
  writeFileSync(join(paths.issuer, 'issuer.key'), 'half');
  t.strictSame(issuers(), []);
});

import t from 'tap';
import { parseConfig } from '../../../kiosk/config.ts';
import { generateSigningKey, rawPublicKey } from '../../../protocol/ed25519.ts';
import { formatReleaseKey } from '../../../protocol/release-key.ts';
import { addKioskSettings } from '../../../workshop/image/kiosk-settings.ts';
import { IMAGE_BOARD, takeReleases } from '../../../workshop/image/take-releases.ts';
import { Tree } from '../../../workshop/image/tree.ts';

const UNIT = 'etc/systemd/system/vestibule-kiosk.service';
const text = (tree: Tree, path: string): string => Buffer.from(tree.file(path)).toString();

t.test('image: with a key of releases its kiosk takes them, into slots and by a switch that the image has', async (t) => {
  const tree = new Tree();
  tree.addFile(UNIT, '[Service]\nExecStart=/opt/node kiosk run --data /var/lib/vestibule\nRestart=always\n');
  const key = formatReleaseKey(rawPublicKey(generateSigningKey()));
  addKioskSettings(tree, { page: { isOn: false }, updates: takeReleases(tree, key) });
  t.equal(text(tree, 'usr/lib/vestibule/release.pub'), key);
  const { updates, page } = parseConfig({ dataDir: '-', ...JSON.parse(text(tree, 'usr/lib/vestibule/kiosk.json')) });
  t.match(updates, { board: IMAGE_BOARD, keys: ['/usr/lib/vestibule/release.pub'], switch: { kind: 'wish' } });
  t.equal(page.isOn, false);
  t.strictSame(Object.keys(updates?.slots.a ?? {}), ['boot', 'root'], 'the parts that a bundle of an image has');
  t.match(
    text(tree, `${UNIT}.d/settings.conf`),
    'ExecStart=\nExecStart=/opt/node kiosk run --data /var/lib/vestibule --config /usr/lib/vestibule/kiosk.json\n',
  );
});

t.test('image: what is no public key of releases is refused, a private one above all', async (t) => {
  for (const wrong of ['', 'nothing', generateSigningKey().export({ format: 'pem', type: 'pkcs8' }).toString()])
    t.throws(() => takeReleases(new Tree(), wrong), { code: 'config.invalid' });
});

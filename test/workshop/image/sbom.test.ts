import t from 'tap';
import { makeSbom } from '../../../workshop/image/sbom.ts';

const order = {
  version: '1.2.3',
  suite: 'trixie',
  epochS: 1_700_000_000,
  debian: [
    {
      name: 'libc6',
      version: '2.41-12+deb13u4',
      architecture: 'arm64',
      path: 'debian/pool/x.deb',
      sizeBytes: 1,
      sha256: 'a'.repeat(64),
      screens: ['none'],
    },
  ],
  npmLock: {
    packages: {
      '': { version: '0.1.0' },
      'node_modules/zod': { version: '4.0.0', license: 'MIT', integrity: `sha512-${Buffer.from('ab').toString('base64')}` },
      'node_modules/@x/y': { version: '1.0.0' },
      'node_modules/better-sqlite3': { name: 'better-sqlite3-multiple-ciphers', version: '2.0.0' },
      'node_modules/tap': { version: '3.0.0', dev: true },
      'node_modules/elsewhere': { version: '5.0.0' },
    },
  },
  isThere: (path: string) => !path.endsWith('elsewhere'),
} as const;

t.test('sbom: names what is in the image by its package URL, and nothing else', async (t) => {
  const document = JSON.parse(makeSbom({ ...order, debian: [{ ...order.debian[0], screens: ['none'] }] }));
  t.equal(document.specVersion, '1.6');
  t.equal(document.metadata.timestamp, '2023-11-14T22:13:20Z');
  t.match(document.serialNumber, /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/);
  t.strictSame(
    document.components.map(({ purl }: { purl: string }) => purl),
    [
      'pkg:deb/debian/libc6@2.41-12%2Bdeb13u4?arch=arm64&distro=trixie',
      'pkg:npm/zod@4.0.0',
      'pkg:npm/%40x/y@1.0.0',
      'pkg:npm/better-sqlite3-multiple-ciphers@2.0.0',
    ],
  );
  t.strictSame(document.components[1].hashes, [{ alg: 'SHA-512', content: '6162' }]);
});

/**
 * What an image is made of, for whoever asks which version of a library stands at a thousand doors.
 * Source: CycloneDX 1.6 (ECMA-424), JSON; package URLs as github.com/package-url/purl-spec has them.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { LockedPackage } from './debian-lock.ts';

const npmLock = z.object({
  packages: z.record(
    z.string(),
    z.object({
      version: z.string().optional(),
      name: z.string().optional(),
      license: z.string().optional(),
      integrity: z.string().optional(),
      dev: z.boolean().optional(),
    }),
  ),
});

export interface SbomOrder {
  readonly version: string;
  readonly suite: string;
  readonly epochS: number;
  readonly debian: readonly LockedPackage[];
  /** `package-lock.json`, parsed. */
  readonly npmLock: unknown;
  /** Whether a package of the lockfile is in the image, by its path there. */
  readonly isThere: (path: string) => boolean;
}

/** npm's package for Node is known to no list of weaknesses; the program in it is, by this name. */
const NODE = /^node-linux-(?:arm64|x64)$/;

const withNode = <Part extends { readonly name: string; readonly version: string; readonly purl: string }>(part: Part) =>
  NODE.test(part.name)
    ? [
        part,
        {
          type: 'application',
          name: 'node',
          version: part.version,
          purl: `pkg:generic/node@${part.version}`,
          cpe: `cpe:2.3:a:nodejs:node.js:${part.version}:*:*:*:*:*:*:*`,
        },
      ]
    : [part];

/** @returns the document; the same for the same order. */
export function makeSbom({ version, suite, epochS, debian, npmLock: lock, isThere }: SbomOrder): string {
  const system = debian.map((locked) => ({
    type: 'library',
    name: locked.name,
    version: locked.version,
    purl: `pkg:deb/debian/${encodeURIComponent(locked.name)}@${encodeURIComponent(locked.version)}?arch=${locked.architecture}&distro=${suite}`,
    hashes: [{ alg: 'SHA-256', content: locked.sha256 }],
  }));
  const packages = Object.entries(npmLock.parse(lock).packages).flatMap(([path, { name, version: of, license, integrity, dev }]) => {
    if (path === '' || of === undefined || dev === true || !isThere(path)) return [];
    const own = name ?? path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
    return [
      {
        type: 'library',
        name: own,
        version: of,
        purl: `pkg:npm/${own.replace('@', '%40')}@${of}`,
        ...(license !== undefined && { licenses: [{ expression: license }] }),
        ...(integrity?.startsWith('sha512-') && {
          hashes: [{ alg: 'SHA-512', content: Buffer.from(integrity.slice('sha512-'.length), 'base64').toString('hex') }],
        }),
      },
    ];
  });
  const components = [...new Map([...system, ...packages.flatMap(withNode)].map((component) => [component.purl, component])).values()];
  const digest = createHash('sha256').update(JSON.stringify(components)).digest('hex');
  const document = {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    // Of what is listed: the same list has the same number (RFC 9562, version 8).
    serialNumber: `urn:uuid:${digest.slice(0, 8)}-${digest.slice(8, 12)}-8${digest.slice(13, 16)}-a${digest.slice(17, 20)}-${digest.slice(20, 32)}`,
    version: 1,
    metadata: {
      timestamp: `${new Date(epochS * 1_000).toISOString().slice(0, 19)}Z`,
      component: { type: 'firmware', name: 'vestibule-kiosk', version },
    },
    components,
  };
  return `${JSON.stringify(document, undefined, 1)}\n`;
}

const firmware = z.object({ metadata: z.object({ component: z.object({ type: z.literal('firmware'), version: z.string() }) }) });

/** @param text of a bill of materials. @returns which version of the software the image is; `undefined` for what `makeSbom` did not make. */
export function versionInSbom(text: string): string | undefined {
  try {
    return firmware.parse(JSON.parse(text)).metadata.component.version;
  } catch {
    return undefined;
  }
}

/** `vestibule release`: makes the key that signs releases, makes bundles, tells what is in one and whether it is whole. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { ConfigError } from '../protocol/errors.ts';
import { BOARD_FORM, type ReleaseManifest } from '../protocol/release.ts';
import { parseVersion, versionText } from '../protocol/release-version.ts';
import { OUR_WIRE, type WireRevisions } from '../protocol/wire-revision.ts';
import { versionInSbom } from '../workshop/image/sbom.ts';
import { IMAGE_BOARD, imageParts, imageSbom } from '../workshop/image/take-releases.ts';
import { checkBundle } from '../workshop/release/check-bundle.ts';
import { type BundleOrder, makeBundle } from '../workshop/release/make-bundle.ts';
import { makeReleaseKey, openPublicKey, openReleaseKey, PRIVATE_NAME, PUBLIC_NAME } from '../workshop/release/release-keys.ts';
import { VERSION } from './version.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const HELP = `
Examples:
  vestibule release key keys
  vestibule release make --image vestibule-kiosk.img --key keys/release.key vestibule-1.4.0.vrelease
  vestibule release verify --key keys/release.pub vestibule-1.4.0.vrelease

Keep release.key off line: who has it can give every kiosk another software. release.pub goes into images, and is no secret.`;

interface MakeOptions {
  readonly release?: string;
  readonly image?: string;
  readonly board?: string;
  readonly part?: readonly string[];
  readonly key: string;
  readonly wire?: string;
}

export function releaseCommand(): Command {
  const release = new Command('release')
    .description('releases for kiosks: the key that signs them, and bundles')
    .addHelpText('after', HELP);

  release
    .command('key')
    .argument('<directory>', `gets ${PRIVATE_NAME} and ${PUBLIC_NAME}`)
    .description('make the key that signs releases')
    .action((directory: string) => {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      makeReleaseKey(directory);
      say(`${join(directory, PRIVATE_NAME)}: keep it off line, and a copy of it elsewhere`);
      say(`${join(directory, PUBLIC_NAME)}: for images, and for "vestibule release verify"`);
    });

  release
    .command('make')
    .argument('<file>', 'the bundle; its name ends in .vrelease, so that kiosks find it on a stick')
    .description('make a bundle of the images of its parts')
    .option('--release <version>', "three numbers; the image's own, or this software's, when left out")
    .option('--image <file>', 'what "vestibule image" built: board and parts are its own')
    .option('--board <name>', 'what it runs on, where it is no such image')
    .option('--part <name=file>', 'such as root=root.img; may be given again', collect)
    .requiredOption('--key <file>', `the private key, ${PRIVATE_NAME}`)
    .addOption(new Option('--wire <least-greatest>', "revisions of the wire that it speaks; this software's when left out"))
    .action(async (file: string, options: MakeOptions) => {
      const order = { version: versionOf(releaseOf(options)), wire: wireOf(options.wire), ...contentOf(options) };
      const { digest, lengthBytes } = await makeBundle(order, openReleaseKey(options.key), resolve(file));
      say(`${file}: ${lengthBytes} bytes, release ${versionText(order.version)} for ${order.board}`);
      say(Buffer.from(digest).toString('hex'));
    });

  for (const [name, description] of [
    ['show', 'tell what is in a bundle; also looks at all of it'],
    ['verify', 'look at all of a bundle as a kiosk does, and say whether it is whole and signed'],
  ] as const)
    release
      .command(name)
      .argument('<file>', 'a bundle')
      .description(description)
      .requiredOption('--key <file>', `a public key, ${PUBLIC_NAME}; may be given again`, collect)
      .action(async (file: string, { key }: { key: readonly string[] }) => {
        const { manifest, digest, lengthBytes } = await checkBundle(file, key.map(openPublicKey));
        if (name === 'show') say(manifestLines(manifest).join('\n'));
        say(`${Buffer.from(digest).toString('hex')}: whole and signed, ${lengthBytes} bytes`);
      });

  return release;
}

/** Once it runs, a kiosk goes by what its software says of itself: an operator sees the release's name, and has to meet that. @throws ConfigError `config.invalid`. */
function releaseOf({ release, image }: MakeOptions): string {
  const sbom = image === undefined ? undefined : imageSbom(image);
  const own = sbom !== undefined && existsSync(sbom) ? versionInSbom(readFileSync(sbom, 'utf8')) : undefined;
  if (release !== undefined && own !== undefined && release !== own)
    throw new ConfigError('config.invalid', `--release: the image is ${own}, by which a kiosk that runs it knows what is newer`);
  return release ?? own ?? VERSION;
}

/** What is in it, and for what board. @throws ConfigError `config.invalid`. */
function contentOf({ image, board, part }: MakeOptions): Pick<BundleOrder, 'board' | 'parts'> {
  if (image !== undefined) {
    if (board !== undefined || part !== undefined) throw new ConfigError('config.invalid', '--image: has a board and parts of its own');
    const { boot, root } = imageParts(image);
    const parts = [
      { name: 'boot', path: boot },
      { name: 'root', path: root },
    ];
    for (const { path } of parts)
      if (!existsSync(path)) throw new ConfigError('config.invalid', `${path}: is not there (vestibule image makes it)`);
    return { board: IMAGE_BOARD, parts };
  }
  if (board === undefined || part === undefined) throw new ConfigError('config.invalid', '--image, or --board and --part: what is in it?');
  if (!BOARD_FORM.test(board)) throw new ConfigError('config.invalid', '--board: expected 1 to 32 of a-z, 0-9 and -');
  return { board, parts: part.map(partOf) };
}

const collect = (text: string, before: readonly string[] = []): string[] => [...before, text];

function partOf(text: string): { readonly name: string; readonly path: string } {
  const [, name = '', path = ''] = /^([a-z0-9-]{1,16})=(.+)$/.exec(text) ?? [];
  if (path === '') throw new ConfigError('config.invalid', '--part: expected a name of 1 to 16 of a-z, 0-9 and -, "=" and a file');
  return { name, path };
}

function versionOf(text: string): ReleaseManifest['version'] {
  try {
    return parseVersion(text);
  } catch (cause) {
    throw new ConfigError('config.invalid', '--release: expected three numbers such as 1.4.0', { cause });
  }
}

function wireOf(text: string | undefined): WireRevisions {
  if (text === undefined) return OUR_WIRE;
  const [, least, greatest] = /^([1-9]\d{0,4})-([1-9]\d{0,4})$/.exec(text) ?? [];
  if (least === undefined || Number(greatest) < Number(least))
    throw new ConfigError('config.invalid', '--wire: expected two ascending numbers such as 1-2');
  return { least: Number(least), greatest: Number(greatest) };
}

const manifestLines = ({ version, board, wire, chunkBytes, parts }: ReleaseManifest): string[] => [
  `release ${versionText(version)} for ${board}, revisions ${wire.least} to ${wire.greatest} of the wire`,
  ...parts.map(({ name, sizeBytes, chunks }) => {
    const stored = chunks.reduce((sum, { storedBytes }) => sum + storedBytes, 0);
    return `  ${name}: ${sizeBytes} bytes, ${stored} in the bundle, ${chunks.length} chunks of ${chunkBytes}`;
  }),
];

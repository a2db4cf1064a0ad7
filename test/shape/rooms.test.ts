/**
 * Which room may import which, and which single file of a room may import a library. A breach fails with the room's name.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import t from 'tap';

const root = resolve(import.meta.dirname, '../..');

/** What each room may import of ours; a file's path opens that one file only. */
const DOORS: Record<string, readonly string[]> = {
  // Words and wire of both ends: pure, so that anything may stand on it.
  protocol: [],
  // What all who keep files do alike: whole or as it was, and whose turn it is when a disk fails.
  disk: ['protocol'],
  // Devices know nothing of visits, stores or brokers.
  hardware: ['protocol'],
  // The kiosk and the gateway meet as bytes only, or one could not be updated without the other.
  kiosk: ['protocol', 'disk', 'hardware'],
  // The core may run on another machine: it trusts bytes, not the gateway's reading of them.
  core: ['protocol', 'disk'],
  gateway: ['protocol', 'disk', 'core/intake.ts'],
  cards: ['protocol', 'disk'],
  // Makes what is put on cards and machines; what runs there does not need it.
  workshop: ['protocol', 'disk', 'cards'],
  // The composition root.
  cli: ['protocol', 'disk', 'hardware', 'kiosk', 'gateway', 'core', 'cards', 'workshop'],
};

const filesOf = (room: string): string[] =>
  readdirSync(join(root, room), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name));

const importsOf = (file: string): string[] =>
  [...readFileSync(file, 'utf8').matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1] ?? '');

for (const [room, doors] of Object.entries(DOORS)) {
  t.test(`rooms: ${room} imports only ${doors.join(', ') || 'itself'}`, async (t) => {
    const files = filesOf(room);
    const breaches = files.flatMap((file) =>
      importsOf(file)
        .filter((specifier) => specifier.startsWith('.'))
        .map((specifier) => relative(root, resolve(dirname(file), specifier)))
        .filter((target) => ![room, ...doors].some((door) => target === door || target.startsWith(`${door}/`)))
        .map((target) => `${relative(root, file)} may not import ${target}`),
    );
    t.ok(files.length > 0, 'the room is not empty');
    t.strictSame(breaches, []);
  });
}

t.test('rooms: a library is imported by one file of a room, which translates its errors and events', async (t) => {
  const guarded = [
    'aedes',
    'better-sqlite3',
    'mqtt',
    'serialport',
    'node-hid',
    'firmata-io',
    'johnny-five',
    'fastify',
    'jose',
    'pdfkit',
    'qrcode',
    'cborg',
    'cloudevents',
    'pino',
    '@hpke/core',
    '@peculiar/x509',
    '@stoprocent/noble',
  ];
  for (const room of Object.keys(DOORS)) {
    for (const library of guarded) {
      const importers = filesOf(room).filter((file) => importsOf(file).some((name) => name === library || name.startsWith(`${library}/`)));
      t.ok(importers.length <= 1, `${library} in ${room}: ${importers.map((file) => relative(root, file)).join(', ') || 'nowhere'}`);
    }
  }
});

t.test('rooms: properties are made large, which fast-check by itself makes small', async (t) => {
  const importers = filesOf('test').filter((file) => importsOf(file).includes('fast-check'));
  t.strictSame(
    importers.map((file) => relative(root, file)),
    ['test/support/properties.ts'],
  );
});

/** Lines of a room's files that fit, comments left out. */
const linesWith = (room: string, pattern: RegExp): string[] =>
  filesOf(room).flatMap((file) =>
    readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => !/^\s*(\/\/|\/?\*)/.test(line) && pattern.test(line))
      .map((line) => `${relative(root, file)}: ${line.trim()}`),
  );

t.test('rooms: one file reads the clock, so that a test can move time by hand', async (t) => {
  const clock = /(?<![.\w])(setTimeout|setInterval)\(|Date\.now|new Date\(\)|performance\.now|process\.hrtime/;
  t.ok(linesWith('protocol', clock).length >= 3, 'what is looked for can be found');
  const found = Object.keys(DOORS).flatMap((room) => linesWith(room, clock));
  t.strictSame(
    found.filter((line) => !line.startsWith('protocol/time.ts:')),
    [],
  );
});

t.test('rooms: the command line alone reads arguments, environment and signals, and ends the process', async (t) => {
  const own = /process\.(argv|env|exit|exitCode|kill|on|once|stderr|stdin|stdout)\b/;
  t.ok(linesWith('cli', own).length > 0, 'what is looked for can be found');
  const others = Object.keys(DOORS).filter((room) => room !== 'cli');
  t.strictSame(
    others.flatMap((room) => linesWith(room, own)),
    [],
  );
});

t.test('rooms: no thread is terminated, they are asked to end: one that loads an addon just then takes the process with it', async (t) => {
  const threads = Object.keys(DOORS).flatMap((room) => linesWith(room, /new Worker\(/));
  t.ok(threads.length > 0, 'there are threads');
  t.strictSame(
    Object.keys(DOORS).flatMap((room) => linesWith(room, /\.terminate\(\)/)),
    [],
  );
});

t.test('rooms: a file is one thing, and none is past 400 lines', async (t) => {
  const long = [...Object.keys(DOORS), 'test'].flatMap(filesOf).filter((file) => readFileSync(file, 'utf8').split('\n').length > 400);
  t.strictSame(
    long.map((file) => relative(root, file)),
    [],
  );
});

/** The addon itself, on what every kernel has: named pipes for a device that speaks, and all that is no device. */
import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, readdirSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { type Bus, type EventDevice, loadNative, type Native } from '../../../hardware/native/native.ts';
import { codeOf } from '../../../protocol/errors.ts';
import { until } from '../../support/until.ts';

const native: Native = loadNative();
const addonUrl = new URL('../../../hardware/native/native.ts', import.meta.url);

const pipe = (dir: string): string => {
  const path = join(dir, 'pipe');
  execFileSync('mkfifo', [path]);
  return path;
};

/** Without waiting for a reader, and without one of its own process ending it. */
const writer = (path: string): number => openSync(path, constants.O_WRONLY);

const descriptors = (): number => readdirSync('/proc/self/fd').length;
const threads = (): number => readdirSync('/proc/self/task').length;

const readAll = (device: EventDevice): Buffer => {
  const chunks: Uint8Array[] = [];
  for (let chunk = native.readEvents(device); chunk !== undefined; chunk = native.readEvents(device)) chunks.push(chunk);
  return Buffer.concat(chunks);
};

const codeThrown = (call: () => unknown): unknown => {
  try {
    call();
  } catch (error) {
    return (error as { code?: unknown; name: string }).code ?? (error as Error).name;
  }
  return undefined;
};

t.test('native addon: what is no input device is told by the name of the errno, without its path', async (t) => {
  const file = join(t.testdir({ file: 'text' }), 'file');
  await t.rejects(native.openEvents('/nowhere/event0'), { code: 'ENOENT', message: 'open: ENOENT' });
  await t.rejects(native.openEvents(join(file, 'event0')), { code: 'ENOTDIR' });
  for (const path of [file, '/dev/null', pipe(t.testdirName)]) {
    const device = await native.openEvents(path);
    t.equal(
      codeThrown(() => native.describeEvents(device)),
      'ENOTTY',
    );
    t.equal(
      codeThrown(() => native.grabEvents(device, true)),
      'ENOTTY',
    );
    t.equal(
      codeThrown(() => native.keysDown(device)),
      'ENOTTY',
    );
    await native.closeEvents(device);
    t.equal(
      codeThrown(() => native.readEvents(device)),
      'EBADF',
    );
  }
});

t.test('native addon: what is no I2C bus is told likewise', async (t) => {
  await t.rejects(native.openBus('/nowhere/i2c-1', 0x5a), { code: 'ENOENT', message: 'open: ENOENT' });
  await t.rejects(native.openBus('/dev/null', 0x5a), { code: 'ENOTTY', message: 'functions: ENOTTY' });
  for (const address of [0, 0x07, 0x78, 1.5, Number.NaN]) t.throws(() => native.openBus('/dev/null', address), TypeError);
});

t.test('native addon: arguments that are none are refused, and nothing is opened for them', async (t) => {
  const before = descriptors();
  const any = native as unknown as Record<string, (...values: unknown[]) => unknown>;
  for (const path of [undefined, 7, {}, 'a\0b']) {
    t.throws(() => any.openEvents?.(path), TypeError);
    t.throws(() => any.openBus?.(path, 0x5a), TypeError);
  }
  for (const path of ['', `/${'a'.repeat(2_000)}`])
    t.equal(
      codeThrown(() => native.openEvents(path)),
      'ENAMETOOLONG',
    );
  const device = await native.openEvents('/dev/null');
  for (const name of ['readEvents', 'waitForEvents', 'keysDown', 'describeEvents', 'closeEvents']) {
    for (const value of [undefined, null, 7, {}, []]) t.throws(() => any[name]?.(value), TypeError);
  }
  t.throws(() => native.transferOnBus(device as unknown as Bus, Uint8Array.of(7), 3), TypeError, 'an input device is no bus');
  t.throws(() => native.transferOnBus({} as Bus, new Uint8Array(33), 3), TypeError);
  t.throws(() => native.transferOnBus({} as Bus, new Uint8Array(0), 0), TypeError);
  await native.closeEvents(device);
  t.equal(descriptors(), before);
});

t.test('native addon: a read never waits, and a wait ends when there is something', async (t) => {
  const path = pipe(t.testdir());
  const device = await native.openEvents(path);
  t.equal(native.readEvents(device), undefined);
  const to = writer(path);
  const waiting = native.waitForEvents(device);
  t.equal(
    codeThrown(() => native.waitForEvents(device)),
    'EBUSY',
    'one waits at a time',
  );
  writeSync(to, Buffer.alloc(24, 1));
  await waiting;
  t.equal(native.readEvents(device)?.length, 24);
  t.equal(native.readEvents(device), undefined);
  closeSync(to);
  await native.closeEvents(device);
});

t.test('native addon: what came before the unplugging is read first, then ENODEV', async (t) => {
  const path = pipe(t.testdir());
  const device = await native.openEvents(path);
  const to = writer(path);
  writeSync(to, Buffer.alloc(48, 2));
  closeSync(to);
  await native.waitForEvents(device);
  await until(() => codeThrown(() => readAll(device)) === 'ENODEV');
  await native.waitForEvents(device);
  t.equal(
    codeThrown(() => native.readEvents(device)),
    'ENODEV',
    'and again',
  );
  await native.closeEvents(device);
});

t.test('native addon: while the event loop is held, events are taken from the kernel, in order', async (t) => {
  const path = pipe(t.testdir());
  const device = await native.openEvents(path);
  const to = writer(path);
  const sent = Buffer.from(Uint32Array.from({ length: 75_000 }, (_, at) => at).buffer);
  // A pipe holds 64 KiB: these 300,000 bytes can only go while this thread stands in the call because another one reads.
  let written = 0;
  while (written < sent.length) written += writeSync(to, sent, written);
  await native.waitForEvents(device);
  const got: Buffer[] = [];
  await until(() => got.push(readAll(device)) > 0 && Buffer.concat(got).length === sent.length);
  t.ok(Buffer.concat(got).equals(sent));
  closeSync(to);
  await native.closeEvents(device);
});

t.test('native addon: a flood is held up, not kept', async (t) => {
  const path = pipe(t.testdir());
  const device = await native.openEvents(path);
  const to = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  const chunk = Buffer.alloc(4_096, 3);
  let sentBytes = 0;
  const fill = () => {
    try {
      for (;;) sentBytes += writeSync(to, chunk);
    } catch {
      // The pipe is full for now.
    }
    return sentBytes;
  };
  let before = -1;
  await until(() => {
    const isStill = before === fill();
    before = sentBytes;
    return isStill && sentBytes > 400_000;
  });
  t.ok(sentBytes < 600_000, `${sentBytes} bytes taken`);
  // Room again: the rest comes.
  let gotBytes = 0;
  await until(() => {
    gotBytes += readAll(device).length;
    return gotBytes === sentBytes;
  });
  closeSync(to);
  await native.closeEvents(device);
});

t.test('native addon: closing ends a wait, twice is no error, and 300 devices leave no descriptor and no thread', async (t) => {
  const path = pipe(t.testdir());
  await native.closeEvents(await native.openEvents(path));
  const before = [descriptors(), threads()];
  for (let round = 0; round < 300; round++) {
    const device = await native.openEvents(path);
    const waiting = native.waitForEvents(device);
    const closing = native.closeEvents(device);
    await t.rejects(waiting, { code: 'ECANCELED' });
    await Promise.all([closing, native.closeEvents(device)]);
  }
  t.strictSame([descriptors(), threads()], before);
});

t.test('native addon: a closed device keeps no room for events, whether it is collected or not', async (t) => {
  const path = pipe(t.testdir());
  const before = process.memoryUsage.rss();
  for (let round = 0; round < 1_000; round++) await native.closeEvents(await native.openEvents(path));
  const grownBytes = process.memoryUsage.rss() - before;
  t.ok(grownBytes < 50_000_000, `${grownBytes} bytes for 1,000 devices that had room for 393,216 each`);
});

t.test('native addon: an open that fails leaves nothing', async (t) => {
  const before = descriptors();
  for (let round = 0; round < 200; round++) {
    await t.rejects(native.openEvents('/nowhere'), { code: 'ENOENT' });
    await t.rejects(native.openBus('/dev/null', 0x5a), { code: 'ENOTTY' });
  }
  t.equal(descriptors(), before);
});

t.test('native addon: no more than 64 are open, and one that was forgotten is closed when it is collected', async (t) => {
  const path = pipe(t.testdir());
  const before = [descriptors(), threads()];
  let held: EventDevice[] = [];
  for (let count = 0; count < 64; count++) held.push(await native.openEvents(path));
  t.equal(
    codeThrown(() => native.openEvents(path)),
    'EMFILE',
  );
  t.equal(held.length, 64);
  held = [];
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  await until(() => {
    collect();
    return descriptors() === before[0] && threads() === before[1];
  });
  await native.closeEvents(await native.openEvents(path));
});

t.test('native addon: a worker thread that is ended with a device open leaves nothing of it', async (t) => {
  const dir = t.testdir();
  const path = pipe(dir);
  const before = descriptors();
  const script = join(dir, 'worker.mjs');
  writeFileSync(
    script,
    `import { parentPort } from 'node:worker_threads';
     import { loadNative } from ${JSON.stringify(addonUrl.href)};
     const native = loadNative();
     const device = await native.openEvents(${JSON.stringify(path)});
     parentPort.postMessage('open');
     await native.waitForEvents(device);`,
  );
  for (let round = 0; round < 5; round++) {
    const worker = new Worker(pathToFileURL(script));
    await new Promise((resolve) => worker.once('message', resolve));
    await worker.terminate();
  }
  await until(() => descriptors() <= before);
  t.pass('closed');
});

t.test('native addon: a process ends as it should with a device open and waited for', async (t) => {
  const dir = t.testdir();
  const path = pipe(dir);
  const script = join(dir, 'process.mjs');
  const run = (end: string) => {
    writeFileSync(
      script,
      `import { loadNative } from ${JSON.stringify(addonUrl.href)};
       const native = loadNative();
       const device = await native.openEvents(${JSON.stringify(path)});
       const waiting = native.waitForEvents(device).catch(({ code }) => code);
       ${end}`,
    );
    return execFileSync(process.execPath, [script], { encoding: 'utf8', timeout: 120_000 });
  };
  t.equal(run('process.stdout.write("exit"); process.exit(0);'), 'exit');
  t.equal(run('await native.closeEvents(device); process.stdout.write(await waiting);'), 'ECANCELED', 'by itself, once closed');
});

t.test('native addon: where there is none, that is said, and how to get it', async (t) => {
  const dir = pathToFileURL(`${t.testdir()}/`);
  try {
    loadNative(dir);
    t.fail('loaded');
  } catch (error) {
    t.equal(codeOf(error), 'device.no_driver');
    t.match((error as Error).message, /npm run native/);
  }
});

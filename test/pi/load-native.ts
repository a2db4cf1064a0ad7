/** Run in the guest: loads every native module that the kiosk has, and writes a line for each: its name, and why it did not load. */
import { writeFileSync } from 'node:fs';
import { arch } from 'node:os';
import { loadNative } from '../../hardware/native/native.ts';

const MODULES: Readonly<Record<string, () => Promise<unknown>>> = {
  'better-sqlite3': async () => {
    const { default: Database } = await import('better-sqlite3');
    return new Database(':memory:').prepare('SELECT 1').get();
  },
  serialport: async () => {
    const { SerialPort } = await import('serialport');
    const words = await SerialPort.binding.open({ path: '/dev/none', baudRate: 9_600 }).then(
      () => 'opened',
      (error: Error) => error.message,
    );
    // The binding's own words, from its own system call.
    if (!words.includes('No such file')) throw new Error(words);
  },
  'node-hid': async () => (await import('node-hid')).default.devicesAsync(),
  '@stoprocent/noble': async () => await import('@stoprocent/noble'),
  'our addon': async () => {
    const words = await loadNative()
      .openEvents('/dev/none')
      .then(
        () => 'opened',
        (error: Error & { readonly code?: string }) => error.code ?? error.message,
      );
    // As its own system call ended.
    if (words !== 'ENOENT') throw new Error(words);
  },
};

const lines: string[] = [];
for (const [name, load] of Object.entries(MODULES)) {
  try {
    await load();
    lines.push(`${name} ${arch()} loaded`);
  } catch (error) {
    lines.push(`${name} ${arch()} ${error instanceof Error ? error.message.split('\n')[0] : 'not loaded'}`);
  }
}
writeFileSync('/dev/virtio-ports/said', `${lines.join('\n')}\nall tried\n`);

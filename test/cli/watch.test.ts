/** Watching a gateway from its machine's terminal: accounts, state, events, quarantine, log level and audit log, over its TLS listener. */
import { join } from 'node:path';
import t from 'tap';
import { overviewLines } from '../../cli/overview-lines.ts';
import { eventLine } from '../../cli/tail-lines.ts';
import { openDatabase } from '../../gateway/database.ts';
import { openIdentity } from '../../gateway/identity.ts';
import { gatewayPaths } from '../../gateway/paths.ts';
import { VestibuleProcess } from '../support/child.ts';

t.test('watch: a person is added, state, level and audit log are read, and an altered log is found', async (t) => {
  const data = join(t.testdir(), 'data');
  const run = (args: string, input = ''): Promise<string> => VestibuleProcess.run([...args.split(' '), '--data', data], input);
  const gateway = new VestibuleProcess([
    'gateway',
    'run',
    '--data',
    data,
    '--tls-port',
    '0',
    '--tcp-port',
    '0',
    '--web-port',
    '0',
    '--host',
    '127.0.0.1',
  ]);
  const ready = await gateway.line((line) => line.includes('gateway ready'));
  t.match(ready, /operators on https:\/\/127\.0\.0\.1:\d+/);
  t.equal(await run('operator add ann --role manager', 'correct horse battery\n'), 'ann may log in (manager)');
  await t.rejects(run('operator add bob', 'short\n'), /config\.invalid/);
  t.match(await run('status'), /No kiosk is admitted yet/);
  t.equal(await run('log-level debug'), 'debug');
  t.equal(await run('log-level'), 'debug');
  t.equal(await run('quarantine list'), '');
  await t.rejects(run('quarantine replay 7'), /no such item/);
  const port = /MQTT 127\.0\.0\.1:(\d+)/.exec(ready)?.[1] ?? '';
  await t.rejects(
    VestibuleProcess.run(['tail', '--data', data, '--port', port, '--account', 'ann'], 'a wrong password\n'),
    /link\.unauthorised/,
  );
  const audit = await run('audit list');
  for (const action of ['operator.add ann', 'look.overview', 'log-level.set debug', 'look.quarantine', 'quarantine.replay 7'])
    t.match(audit, action);
  const [whole = '', head = ''] = (await run('audit verify')).split('\n');
  t.match(whole, /^whole: \d+ entries$/);
  t.equal(await gateway.end('SIGTERM'), 0);
  t.match(await run('status'), /gateway not running/, 'it says what is left there');
  t.match(await run(`audit verify --head ${head}`), /^whole/);

  const paths = gatewayPaths(join(data, 'gateway'));
  const { storeKey } = await openIdentity(join(data, 'gateway'));
  const db = openDatabase({ path: paths.audit, key: storeKey, steps: [''] });
  db.prepare('DROP TRIGGER deeds_stay').run();
  db.prepare("UPDATE deeds SET who = 'nobody' WHERE entry = 2").run();
  db.close();
  await t.rejects(run('audit verify'), /entry 2 does not follow.*store\.altered/);
  await t.rejects(run('log-level'), /config\.invalid/, 'nothing runs here');
});

t.test('tail: an event is a line, and nothing in it moves the cursor', async (t) => {
  const event = {
    type: 'vestibule.check-in',
    time: '2026-11-21T09:00:00.000Z',
    subject: '0123456789abcdef',
    data: { kiosk: 'k000000000000000', entrance: 'e', uncertaintyMs: 5, groupSize: 2, isSigned: true },
  };
  const topic = 'vestibule/1/events/v000000000000000/check-in';
  const venues = new Map([['v000000000000000', 'Library']]);
  t.equal(
    eventLine(topic, event, venues),
    '2026-11-21 09:00:00  Library  kiosk k000000000000000  check-in  card 01234567  groupSize 2, isSigned true',
  );
  t.notMatch(
    eventLine(topic, { ...event, data: { why: '\u001b[2Jx\r\n' } }, new Map([['v000000000000000', '\u001b]0;x']])),
    /[^\x20-\x7e]/,
  );
  t.type(eventLine('x', {}, new Map()), 'string');
});

t.test('status: the gravest first, what to do below it, no line wider than the terminal but a list', async (t) => {
  const text = 'A sentence that goes on for so long that a terminal of forty columns can not have it in one line.';
  const kiosk = {
    kiosk: 'k000000000000000',
    venue: 'v000000000000000',
    standing: 'admitted',
    tone: 'act',
    summary: 'Withheld',
    troubles: [{ tone: 'act', text, advice: 'Do this.', code: 'store.disk_full' }],
    isConnected: true,
    queued: 3,
    clock: 'unsynced',
    devices: [{ name: 'scanner', isUp: false }],
    rowsPerMinute: [],
    withheldBatches: 1,
    quarantined: 0,
    missingRows: 0,
  } as const;
  const gateway = {
    tone: 'act',
    headline: '1 kiosk needs you',
    troubles: [],
    connectedKiosks: 1,
    admittedKiosks: 1,
    rowsPerMinute: [4, 0],
    queued: 3,
    disk: { freeBytes: 2 ** 30, usedBytes: 0, growthBytesPerDay: 2 ** 28, daysLeft: 4.2 },
    sinks: [{ name: 'core', behindEntries: 5, setAsideEntries: 0, droppedEntries: 0 }],
    flags: { confirmed: 1, unconfirmed: 0, pending: 0 },
    quarantined: 0,
    refused: [],
  };
  const venue = { id: 'v000000000000000', name: 'Library', entrances: [] };
  const lines = overviewLines({ gateway, venues: [venue], kiosks: [kiosk] } as unknown as Parameters<typeof overviewLines>[0], 40);
  t.equal(lines[0], '! 1 kiosk needs you');
  t.match(lines.join('\n'), /disk: 1,024 MiB free, 4 days as things go; core 5 behind/);
  t.match(lines.at(-1), /^! k000000000000000 {2}Withheld +Library: 3 waiting, clock unsynced, no scanner$/);
  const trouble = lines.filter((line) => line.startsWith('    '));
  t.equal(trouble.join(' ').replaceAll(/\s+/g, ' ').trim(), `${text} [store.disk_full] Do this.`);
  t.ok(trouble.every((line) => line.length <= 40));
});

/** Watching a gateway from its machine's terminal: accounts, state, events, quarantine, log level and audit log, over its TLS listener. */
import { join } from 'node:path';
import t from 'tap';
import { overviewLines } from '../../cli/overview-lines.ts';
import { eventLine } from '../../cli/tail-lines.ts';
import { openDatabase } from '../../gateway/database.ts';
import { openIdentity } from '../../gateway/identity.ts';
import { gatewayPaths } from '../../gateway/paths.ts';
import { readErrorWords } from '../../gateway/web/error-words.ts';
import { OPERATOR_EVENT_DATA, type OperatorEventType } from '../../protocol/operator-event.ts';
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
  await t.rejects(run('operator add ann --role read-only', 'another long password\n'), /is there already \(--change-password/);
  t.match(await run('operator list'), /ann +manager/, 'nobody is demoted by the way');
  t.equal(await run('operator add ann --change-password', 'another long password\n'), 'ann has a new password (manager)');
  await t.rejects(run('operator add eve --change-password', 'another long password\n'), /there is none/);
  t.match(await run('status'), /No kiosk is admitted yet/);
  t.equal(await run('log-level debug'), 'debug');
  t.equal(await run('log-level'), 'debug');
  t.equal(await run('quarantine list'), 'nothing is in quarantine');
  await t.rejects(run('quarantine replay 7'), /nothing is number 7/);
  await t.rejects(run('quarantine list --kiosk Till'), /--kiosk: no admitted kiosk is called "Till"/);
  await t.rejects(run('quarantine list --sink nobody'), /no sink is called nobody/);
  const port = /MQTT 127\.0\.0\.1:(\d+)/.exec(ready)?.[1] ?? '';
  await t.rejects(
    VestibuleProcess.run(['tail', '--data', data, '--port', port, '--account', 'ann'], 'a wrong password\n'),
    /link\.unauthorised/,
  );
  await t.rejects(
    VestibuleProcess.run(['tail', '--data', data, '--account', 'ann'], 'a wrong password\n'),
    /link\.unauthorised/,
    'it finds the port by itself',
  );
  const audit = await run('audit list');
  for (const action of ['operator.add ann', 'look.overview', 'log-level.set debug', 'look.quarantine', 'quarantine.replay 7'])
    t.match(audit, action);
  const [whole = '', head = ''] = (await run('audit verify')).split('\n');
  t.match(whole, /^whole: \d+ entries$/);
  t.equal(await gateway.end('SIGTERM'), 0);
  const stopped = await statusOf(data);
  t.equal(stopped.code, 2, 'a dead gateway needs somebody');
  t.match(stopped.written, /^! The gateway does not run\. Kiosks keep what they take\.\n +Start it: npx vestibule gateway run --data /);
  t.match(stopped.written, /gateway not running/, 'it says what is left there');
  const told = await statusOf(data, '--json');
  t.equal(told.code, 2);
  t.match(
    JSON.parse(told.written),
    { gateway: { tone: 'act', isRunning: false }, venues: [], kiosks: [] },
    'in the shape of one that runs',
  );
  t.match(await run(`audit verify --head ${head}`), /^whole/);

  const paths = gatewayPaths(join(data, 'gateway'));
  const { storeKey } = await openIdentity(join(data, 'gateway'));
  const db = openDatabase({ path: paths.audit, key: storeKey, steps: [''] });
  db.prepare('DROP TRIGGER deeds_stay').run();
  db.prepare("UPDATE deeds SET who = 'nobody' WHERE entry = 2").run();
  db.close();
  await t.rejects(run('audit verify'), /entry 2 does not follow.*store\.altered/);
  await t.rejects(run('log-level'), /config\.invalid/, 'nothing runs here');
  await t.rejects(run('tail --venue Nowhere'), /--venue: no venue "Nowhere"/, 'who follows one that is not there would wait for ever');
  await t.rejects(run('tail'), /the gateway does not run.*config\.invalid/, 'the secret is shown to no other program on the usual port');
});

async function statusOf(data: string, ...more: readonly string[]): Promise<{ readonly code: unknown; readonly written: string }> {
  const asked = new VestibuleProcess(['status', '--data', data, ...more]);
  return { code: await asked.ended(), written: asked.written };
}

t.test('status: a gateway that was killed and left its address behind is told as stopped', async (t) => {
  const data = join(t.testdir(), 'data');
  const ports = ['--tls-port', '0', '--tcp-port', '0', '--web-port', '0'];
  const gateway = new VestibuleProcess(['gateway', 'run', '--data', data, ...ports]);
  await gateway.line((line) => line.includes('gateway ready'));
  t.equal((await statusOf(data)).code, 0);
  await gateway.end('SIGKILL');
  const killed = await statusOf(data);
  t.equal(killed.code, 2);
  t.match(killed.written, /^! The gateway does not run/);
});

t.test('tail: an event is a line, and nothing in it moves the cursor', async (t) => {
  const event = {
    type: 'vestibule.check-in',
    time: '2026-11-21T09:00:00.000Z',
    subject: '0123456789abcdef',
    data: { kiosk: 'k000000000000000', entrance: 'e', uncertaintyMs: 5, groupSize: 2, isSigned: true },
  };
  const topic = 'vestibule/1/events/v000000000000000/check-in';
  const venues = new Map([['v000000000000000', 'Bücherei']]);
  const kiosks = new Map([['k000000000000000', 'Till 3']]);
  const words = readErrorWords();
  t.match(eventLine(topic, event, { venues, kiosks }, words), 'Bücherei  Till 3 (k000000000000000)  check-in');
  t.equal(
    eventLine(topic, event, { venues: new Map([['v000000000000000', 'Library']]), kiosks: new Map() }, words),
    '2026-11-21 09:00:00  Library  kiosk k000000000000000  check-in, 2 people  card 01234567',
  );
  const hostile = {
    venues: new Map([['v000000000000000', '\u001b]0;x']]),
    kiosks: new Map([['k000000000000000', '\u202ex\u009b2J']]),
  };
  for (const type of [...Object.keys(OPERATOR_EVENT_DATA), '\u001b[2J', 'constructor']) {
    const evil = '\u001b[2Jx\r\n';
    const data = { why: evil, device: evil, state: evil, reason: evil, expiresAt: evil, groupSize: evil, tokens: evil, slotMs: evil };
    t.notMatch(eventLine(topic, { ...event, type: `vestibule.${type}`, data }, hostile, words), /[^\x20-\x7e]/, type);
  }
  t.type(eventLine('x', {}, { venues: new Map(), kiosks: new Map() }, words), 'string');
});

t.test('tail: each type of event in words', async (t) => {
  const words = readErrorWords();
  const nobody = { venues: new Map(), kiosks: new Map() };
  const said = (type: OperatorEventType, data: object) =>
    eventLine('', { type: `vestibule.${type}`, data }, nobody, words).replace(/^kiosk +/, '');
  t.equal(said('check-in', { groupSize: 1, isSigned: true }), 'check-in');
  t.equal(said('check-in', { groupSize: 3, isSigned: false }), 'check-in, 3 people, card without a signature');
  t.equal(said('undo', { undoes: '0011223344556677-8' }), 'a scan is taken back');
  t.equal(said('occupancy', { slotMs: 900_000, tokens: 7 }), '7 Bluetooth devices within 15 min');
  t.equal(said('occupancy', { slotMs: 900_000 }), 'too few Bluetooth devices to count within 15 min');
  t.equal(said('device-state', { device: 'scanner', isUp: true }), 'scanner works');
  t.match(
    said('device-state', { device: 'scanner', isUp: false, why: 'device.gone' }),
    /^scanner does not work: [A-Z].*\. \[device\.gone\]$/,
  );
  t.equal(said('kiosk-state', { state: 'clock-stepped', byMs: -120_000 }), 'its clock was set back by 2 min');
  t.equal(
    said('temperature-flag', { state: 'confirmed', expiresAt: '2026-11-22T09:00:00.000Z' }),
    'high temperature, confirmed, stands until 2026-11-22 09:00',
  );
  t.match(said('doubt', { of: 'x', reason: 'night-burst' }), /^doubtful: many came in at night/);
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
    queueUnknownKiosks: 0,
    disk: { freeBytes: 2 ** 30, usedBytes: 0, growthBytesPerDay: 2 ** 28, daysLeft: 4.2 },
    sinks: [{ name: 'core', behindEntries: 5, setAsideEntries: 0, droppedEntries: 0 }],
    flags: { confirmed: 1, unconfirmed: 0, pending: 0 },
    quarantined: 0,
    notices: { cards: 2, leftOut: 0, kiosks: 3, told: 1, unheard: [{ sink: 'core', code: 'sink.unreachable', sinceMs: 0 }] },
    takenBack: { cards: 1, pending: 1 },
    atMs: 3_600_000,
    refused: [],
  };
  const venue = { id: 'v000000000000000', name: 'Library', entrances: [] };
  const lines = overviewLines({ gateway, venues: [venue], kiosks: [kiosk] } as unknown as Parameters<typeof overviewLines>[0], 40);
  t.equal(lines[0], '! 1 kiosk needs you');
  t.match(lines.join('\n'), /disk: 1,024 MiB free, 4 days as things go; tracing: 5 wait/);
  t.match(
    lines.join('\n'),
    /notices: for 2 cards, told to 1 of 3 kiosks, core not heard for 1 h \[sink.unreachable\]; 1 card taken back, 1 pending/,
  );
  t.match(lines.at(-1), /^! k000000000000000 {2}Withheld +Library: 3 waiting, clock not set, no scanner$/);
  const trouble = lines.filter((line) => line.startsWith('    '));
  t.equal(trouble.join(' ').replaceAll(/\s+/g, ' ').trim(), `${text} [store.disk_full] Do this.`);

  const offline = {
    ...kiosk,
    tone: 'look',
    summary: 'Offline',
    isConnected: false,
    troubles: [{ tone: 'look', text: 'Not connected.', advice: 'Look at its power.', sinceMs: 40_000 }],
  } as const;
  const later = overviewLines(
    { gateway: { ...gateway, atMs: 100_000 }, venues: [venue], kiosks: [offline] } as unknown as Parameters<typeof overviewLines>[0],
    80,
  ).join('\n');
  t.match(later, /~ Library \(k000000000000000\)\n {4}Not connected\. For 1 min\.\n {4}Look at its power\./, 'why, since when, what to do');
  t.match(later, /Offline +Library: for 1 min$/, 'and nothing that it said before');
  const { queued: _queued, ...untold } = { ...kiosk, reportedAtMs: 0 };
  const unknown = { gateway: { ...gateway, queued: 0, queueUnknownKiosks: 1 }, venues: [venue], kiosks: [untold] };
  const dark = overviewLines(unknown as unknown as Parameters<typeof overviewLines>[0], 80).join('\n');
  t.match(dark, /, 0 waiting at kiosks \(not known of 1 kiosk\)$/m);
  t.match(dark, /Library: not known how many wait, clock not set/);
  t.ok(trouble.every((line) => line.length <= 40));
});

import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { gatewayCommand } from '../../cli/gateway-command.ts';
import { kioskCommand } from '../../cli/kiosk-command.ts';
import { notifySettings, serve } from '../../cli/service.ts';
import { silentLog } from '../../protocol/log.ts';
import { until } from '../support/until.ts';

t.test('service: what serves tells systemd that it does, that it lives, and that it stops', async (t) => {
  const dir = t.testdir();
  const said = join(dir, 'said');
  const program = join(dir, 'systemd-notify');
  writeFileSync(program, `#!/bin/sh\necho "$NOTIFY_SOCKET $*" >>'${said}'\n`);
  chmodSync(program, 0o755);
  const heard = () => (existsSync(said) ? readFileSync(said, 'utf8').trimEnd().split('\n') : []);
  const settings = notifySettings({ NOTIFY_SOCKET: '/run/notify', WATCHDOG_USEC: '60000000' });
  t.match(settings, { socket: '/run/notify', watchdogUs: 60_000_000 });
  const stopping = new AbortController();
  const done = new Promise<void>((resolve) => stopping.signal.addEventListener('abort', () => resolve(), { once: true }));
  const serving = serve(settings && { ...settings, program }, done, silentLog, stopping.signal);
  await until(() => heard().length === 2);
  stopping.abort();
  await serving;
  await until(() => heard().length === 3);
  t.strictSame(heard(), ['/run/notify READY=1', '/run/notify WATCHDOG=1', '/run/notify STOPPING=1']);
});

t.test('service: a process that systemd did not start tells nobody, and ends as what serves ends', async (t) => {
  t.equal(notifySettings({}), undefined);
  const never = new AbortController().signal;
  await t.resolves(serve(undefined, Promise.resolve(), silentLog, never));
  await t.rejects(serve(undefined, Promise.reject(new Error('a bug')), silentLog, never), /a bug/);
});

t.test('service: the units in the documentation start commands that there are', async (t) => {
  const units = new URL('../../docs/systemd/', import.meta.url);
  const commands = { gateway: gatewayCommand(), kiosk: kioskCommand() };
  t.strictSame(readdirSync(units), ['vestibule-gateway.service', 'vestibule-kiosk.service']);
  for (const [name, command] of Object.entries(commands)) {
    const unit = readFileSync(new URL(`vestibule-${name}.service`, units), 'utf8');
    const [, program, room, verb, ...rest] =
      /^ExecStart=(?:\/opt\/vestibule\/node_modules\/\.bin\/node )?\/opt\/vestibule\/(\S+) (\S+) (\S+) (.*)$/m.exec(unit) ?? [];
    t.equal(program, 'cli/vestibule.js');
    t.equal(room, name);
    const run = command.commands.find((known) => known.name() === verb);
    t.ok(run);
    for (const option of rest.join(' ').match(/--\S+/g) ?? [])
      t.ok(
        run?.options.some(({ long }) => long === option),
        option,
      );
    t.match(unit, /^RestartPreventExitStatus=78$/m);
    t.match(unit, /^Type=notify\nNotifyAccess=all$/m);
  }
});

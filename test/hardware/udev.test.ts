/** The udev rules that are shipped: for the scanners that are known, in udev's own grammar, and for nobody's keyboard. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t from 'tap';
import { FINGERPRINTS } from '../../hardware/scanner/fingerprints.ts';
import { rulesText } from '../../hardware/udev/rules.ts';

const path = resolve(import.meta.dirname, '../../hardware/udev/70-vestibule.rules');
const shipped = readFileSync(path, 'utf8');
const rules = shipped.split('\n').filter((line) => line !== '' && !line.startsWith('#'));

/** udev(7): keys that are compared, and keys that are assigned, of those that are used here. */
const MATCH = /^(ACTION|KERNEL|SUBSYSTEM|PROGRAM|RESULT|ENV\{\w+\}|ATTRS?\{\w+\})(==|!=)"[^"]*"$/;
const ASSIGN = /^((GROUP|MODE|GOTO|LABEL|ENV\{\w+\})="[^"]+"|TAG\+="\w+")$/;

t.test(
  'udev rules: the shipped file is that of the table (npx vestibule doctor --udev-rules > hardware/udev/70-vestibule.rules)',
  async (t) => {
    t.equal(shipped, rulesText(FINGERPRINTS));
    for (const { vendorId, productId } of FINGERPRINTS)
      t.ok(rules.includes(`ATTRS{idVendor}=="${vendorId}", ATTRS{idProduct}=="${productId}", ENV{VESTIBULE_SCANNER}="1"`));
  },
);

t.test('udev rules: every line is in the grammar of udev, and every jump lands', async (t) => {
  for (const rule of rules) {
    const parts = rule.split(/, (?=[A-Z])/);
    const wrong = parts.filter((part) => !MATCH.test(part) && !ASSIGN.test(part));
    t.strictSame(wrong, [], rule);
    t.ok(
      parts.some((part) => ASSIGN.test(part)),
      `${rule} does something`,
    );
  }
  const labels = rules.flatMap((rule) => /LABEL="(\w+)"/.exec(rule)?.[1] ?? []);
  for (const rule of rules) {
    const target = /GOTO="(\w+)"/.exec(rule)?.[1];
    if (target !== undefined) t.ok(labels.includes(target));
  }
  const verified = spawnSync('udevadm', ['verify', path], { encoding: 'utf8' });
  // Since systemd 254; an older one knows no such verb.
  if (verified.error === undefined && !/Unknown command verb/.test(verified.stderr)) t.equal(verified.status, 0, verified.stderr);
});

t.test('udev rules: nothing is opened but what is known as a scanner, and the one bus', async (t) => {
  const given = rules.filter((rule) => /GROUP=|uaccess/.test(rule));
  const end = rules.findIndex((rule) => rule.startsWith('ENV{VESTIBULE_SCANNER}!="1", GOTO='));
  for (const rule of given) t.ok(rules.indexOf(rule) > end || rule.startsWith('SUBSYSTEM=="i2c-dev"'), rule);
  t.notMatch(shipped, /MODE="0?666"/, 'nothing is for everybody');
  t.ok(join(path).endsWith('70-vestibule.rules'), 'before 73-seat-late.rules, which acts on uaccess');
});

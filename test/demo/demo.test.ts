/**
 * The demonstration as a test: nothing lost, nothing doubled, flags right; and of all that it leaves behind, nothing tells a card, a key
 * code, a temperature or a key. `-- --full` plays three seeds, three runs each.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { parseConfig } from '../../kiosk/config.ts';
import { decodeCode } from '../../protocol/code.ts';
import { deriveVisitor } from '../../protocol/visitor.ts';
import type { RoadAudit } from '../support/audit-road.ts';
import { bytesSecret, type Leak, type Secret, searchBytes, searchTree, temperatureSecret, textSecret } from '../support/leak-search.ts';
import { type OperatorWatch, watchAsOperator } from '../support/operator-watch.ts';
import { suiteSize } from '../support/suite-size.ts';
import { HIGH_CENTI_CELSIUS, isRight, NORMAL_CENTI_CELSIUS, playDemo } from './play.ts';
import type { Road } from './road.ts';

const { isFull, seed } = suiteSize();
const seeds = isFull ? [seed, seed + 1, seed + 2] : [seed];
const RUNS = isFull ? 3 : 1;
const CARDS = 45;
const OFFSET = parseConfig({ dataDir: '-', trustPath: '-' }).temperature.offsetCentiCelsius;
const LEAST_PROMISED = 200;

/** Secrets have files of their own, which only their owner reads; anywhere else they are a leak. */
const isKeyFile = (path: string): boolean => /\.key$|operator\.(txt|hash)$/.test(path);

for (const seed of seeds) {
  for (let run = 1; run <= RUNS; run++) {
    t.test(`demo: nothing is lost, doubled or told, seed ${seed}, run ${run}`, async (t) => {
      let watch: OperatorWatch | undefined;
      const count = await playDemo({
        seed,
        cards: CARDS,
        say: (line) => t.comment(line),
        onOpen: (road) => {
          watch = watchAsOperator(join(road.data, 'gateway'), road.operatorPort);
        },
        inspect: async (road, audit, codes) => {
          await watch?.close();
          const heard = watch?.heard ?? [];
          t.ok(heard.length > LEAST_PROMISED / 2, `operators heard ${heard.length} messages`);
          const said = [...road.processes.map((process) => process.written), ...heard];
          const secrets = [...secretsOf(codes), ...keysOf(road.data)];
          t.ok(secrets.length > CARDS * 3, `${secrets.length} secrets are looked for`);
          t.strictSame(leaks(road, said, secrets), [], 'nothing is told outside the sealed stores');
          provesItself(t, road, audit, codes, secrets);
        },
      });
      t.comment(JSON.stringify(count));
      t.ok(count.promised >= LEAST_PROMISED, `${count.promised} promised`);
      t.equal(count.lost, 0, 'nothing promised is lost');
      t.equal(count.duplicates, 0, 'nothing is there twice');
      t.equal(count.flagged, count.expectedFlags, 'the flags are those that the readings call for');
      t.ok(isRight(count));
    });
  }
}

/** Every file that is no key file, by name and content, and everything that was written or heard. */
function leaks(road: Road, said: readonly string[], secrets: readonly Secret[]): Leak[] {
  const temperatures = [NORMAL_CENTI_CELSIUS, HIGH_CENTI_CELSIUS, NORMAL_CENTI_CELSIUS + OFFSET, HIGH_CENTI_CELSIUS + OFFSET];
  const numbers = temperatures.map((value) => temperatureSecret('temperature', value));
  return [
    ...searchTree(road.data, secrets, isKeyFile),
    ...said.flatMap((text, at) => searchBytes(`said ${at}`, Buffer.from(text, 'latin1'), [...secrets, ...numbers])),
  ];
}

/** The cards and stubs as printed, and what is made of them. */
function secretsOf(codes: readonly string[]): Secret[] {
  return codes.flatMap((text) => {
    const code = decodeCode(text);
    if (code.kind === 'visitor') return [textSecret('symbol', text), bytesSecret('visitor UUID', code.card)];
    if (code.kind !== 'key') return [];
    const { publicKey } = deriveVisitor(code.keyCode);
    return [textSecret('key code symbol', text), bytesSecret('key code', code.keyCode), bytesSecret('visitor key', publicKey)];
  });
}

/** Every key that the machine holds. */
const keysOf = (data: string): Secret[] =>
  readdirSync(data, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.key') && !path.endsWith('tls.key'))
    .map((path) => bytesSecret(path, readFileSync(join(data, path))));

/** A search that finds nothing proves nothing unless it finds what is there. */
function provesItself(t: Test, road: Road, audit: RoadAudit, codes: readonly string[], secrets: readonly Secret[]): void {
  const uuids = secrets.filter(({ name }) => name === 'visitor UUID');
  const opened = Buffer.from(
    JSON.stringify(audit.rows.map(({ event }) => ('card' in event ? Buffer.from(event.card).toString('hex') : ''))),
  );
  t.equal(searchBytes('opened ledger', opened, uuids).length, uuids.length, 'the same search finds every card in the opened ledger');
  const readings = Buffer.from(JSON.stringify(audit.rows.map(({ event }) => (event.type === 'temperature' ? event.objectRaw : 0))));
  t.equal(searchBytes('opened ledger', readings, [temperatureSecret('temperature', HIGH_CENTI_CELSIUS)]).length, 1, 'and a temperature');

  const [symbol = ''] = codes;
  const code = decodeCode(symbol);
  const planted = code.kind === 'visitor' ? Buffer.from(code.card).toString('base64url') : '';
  writeFileSync(join(road.data, 'kiosk', 'planted.txt'), `something ${planted} else`);
  writeFileSync(join(road.data, 'gateway', `planted-${symbol.toLowerCase()}`), '');
  const found = leaks(road, [`a line with ${(HIGH_CENTI_CELSIUS / 100).toFixed(2)} degrees`], secrets);
  t.strictSame(new Set(found.map(({ secret }) => secret)), new Set(['visitor UUID', 'symbol', 'temperature']), 'what is planted is found');
}

/** Which word of the gateway a kiosk goes by. The whole way: test/journey/update.test.ts. */
import t from 'tap';
import { WordKeeper } from '../../../kiosk/update/word-keeper.ts';
import { generateSigningKey, rawPublicKey } from '../../../protocol/ed25519.ts';
import { type DeploymentId, type KioskId, newPlaceId } from '../../../protocol/ids.ts';
import { encodeReleaseWord } from '../../../protocol/release-word.ts';
import type { EpochMillis } from '../../../protocol/units.ts';
import { OUR_WIRE } from '../../../protocol/wire-revision.ts';
import { LogRecorder } from '../../support/log-recorder.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const DAY = 86_400_000;

function opened() {
  const clock = new ManualClock();
  const key = generateSigningKey();
  const place = { deployment: newPlaceId<DeploymentId>(), kiosk: newPlaceId<KioskId>() };
  const log = new LogRecorder();
  const keeper = new WordKeeper({ ...place, receiptKey: rawPublicKey(key), clock, log, mayJudgeTime: () => true });
  const say = (number: number, digestByte: number, { signedWith = key, lastsMs = DAY } = {}) => {
    const issuedAtMs = (clock.wall() - 2 * DAY) as EpochMillis;
    const expiresAtMs = (clock.wall() + lastsMs) as EpochMillis;
    const offered = { digest: new Uint8Array(32).fill(digestByte), lengthBytes: 1_000, version: [1, 4, 0] } as const;
    keeper.take(encodeReleaseWord({ number, issuedAtMs, expiresAtMs, wire: OUR_WIRE, offered }, place, signedWith));
  };
  return { keeper, say, lines: log.lines, offered: () => keeper.offered?.digest[0] };
}

t.test('release word: the latest is gone by, in whatever order they come', async (t) => {
  const { say, offered } = opened();
  say(5, 1);
  say(4, 2);
  say(5, 3);
  t.equal(offered(), 1);
  say(6, 4);
  t.equal(offered(), 4);
});

t.test('release word: the first of a connection is gone by though its number is lower; what is older than that is not', async (t) => {
  const { keeper, say, offered } = opened();
  say(100, 1);
  keeper.cutOff();
  t.equal(offered(), 1, 'until another word comes, the last one stands');
  say(50, 2);
  t.equal(offered(), 2);
  say(49, 3);
  t.equal(offered(), 2);
});

t.test('release word: one that is refused is not the first of a connection', async (t) => {
  const { keeper, say, lines, offered } = opened();
  say(100, 1);
  keeper.cutOff();
  say(200, 2, { signedWith: generateSigningKey() });
  say(300, 3, { lastsMs: -1 });
  keeper.take(new Uint8Array(0));
  t.equal(offered(), 1);
  t.strictSame(
    lines.map(({ fields }) => fields.code),
    ['seal.signature', 'policy.expired'],
  );
  say(50, 4);
  t.equal(offered(), 4);
});

t.test('release word: one that offers what is offered already breaks off nothing, as each connection begins with it', async (t) => {
  const { keeper, say } = opened();
  let told = 0;
  keeper.onWord = () => {
    told += 1;
  };
  say(5, 1);
  t.equal(told, 1);
  keeper.cutOff();
  say(5, 1);
  say(6, 1);
  t.equal(told, 1);
  say(7, 2);
  t.equal(told, 2);
});

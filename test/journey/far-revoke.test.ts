/** A card that its holder takes back at a core on another machine, to which two gateways send: both erase and say so, over HTTPS. */
import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { HolderReceipt } from '../../core/holder/receipt.ts';
import { encodeCode } from '../../protocol/code.ts';
import { decodeChallenge, encodeProof, type HolderAction, signProof } from '../../protocol/holder.ts';
import type { DeploymentId } from '../../protocol/ids.ts';
import { newKeyCode } from '../../protocol/key-code.ts';
import { deriveVisitor, type Visitor } from '../../protocol/visitor.ts';
import { FarCore } from '../support/far-core.ts';
import { telling, until } from '../support/until.ts';
import { AheadClock, Road } from './road.ts';

interface Region {
  readonly far: FarCore;
  /** Its core and the second gateway know each other by a token. */
  readonly north: Road;
  readonly south: Road;
}

async function openRegion(t: Test): Promise<Region> {
  const dir = t.testdir();
  const directories = ['north', 'south'].map((name) => join(dir, name));
  for (const directory of directories) mkdirSync(directory);
  const [inNorth = '', inSouth = ''] = directories;
  let far: FarCore | undefined;
  const open = async (deployment: DeploymentId): Promise<FarCore> => await FarCore.open(join(dir, 'far'), deployment, new AheadClock());
  const north = await Road.open(t, {
    directory: inNorth,
    sinks: async (deployment) => {
      far = await open(deployment);
      return [far.sink()];
    },
  });
  if (far === undefined) throw new Error('no core');
  const { core, sink } = { core: far.core, sink: far.sink() };
  const south = await Road.open(t, {
    directory: inSouth,
    sinks: (deployment) => {
      const token = core.gateways.add({ name: 'south', role: 'gateway', deployment, regions: 'all' }, Date.UTC(2026, 0)) ?? '';
      const tokenPath = join(inSouth, 'token');
      writeFileSync(tokenPath, token, { mode: 0o600 });
      return [{ ...sink, tokenPath }];
    },
  });
  const close = far;
  t.teardown(() => close.close());
  return { far, north, south };
}

async function ask({ far }: Region, visitor: Visitor, action: HolderAction): Promise<HolderReceipt | undefined> {
  const { holder } = far.core;
  const proof = encodeProof(signProof(action, decodeChallenge(holder.challenge()), visitor));
  const { receipt } = JSON.parse(await holder.ask(proof, `page ${randomUUID()}`)) as { receipt: string | null };
  return receipt === null ? undefined : (JSON.parse(Buffer.from(receipt.split('.')[1] ?? '', 'base64url').toString()) as HolderReceipt);
}

const statesOf = (receipt: HolderReceipt | undefined): string =>
  (receipt?.tiers ?? [])
    .map((one) => `${one.tier} ${one.state}${'of' in one && one.of !== undefined ? ` ${one.done} of ${one.of}` : ''}`)
    .join(', ');

async function untilSaid(region: Region, visitor: Visitor, wanted: RegExp): Promise<string> {
  const told = telling(`the receipt to say ${wanted}`);
  for (; ; told()) {
    const said = statesOf(await ask(region, visitor, 'receipt'));
    if (wanted.test(said)) return said;
    // Not oftener than a core lets all pages together.
    await new Promise((resolve) => setTimeout(resolve, 110));
  }
}

t.test(
  'journey: two gateways of a core elsewhere erase a card; the one that is away keeps its tiers pending, by name, until it is back',
  async (t) => {
    const region = await openRegion(t);
    const { far, north, south } = region;
    const keyCode = newKeyCode();
    const anna = deriveVisitor(keyCode);
    for (const road of [north, south]) await road.admit('door', road.ownVenue());
    const [a, b] = [
      await north.startKiosk('door', { direction: 'both', page: { isOn: true, port: 0 } }),
      await south.startKiosk('door', { direction: 'both' }),
    ];
    t.equal(await a.scan(north.textOf(anna.card)), 'welcome');
    t.equal(await b.scan(south.textOf(anna.card)), 'welcome');
    for (const road of [north, south]) {
      await road.delivered('door');
      await road.state();
    }
    t.equal(far.core.counts().checkIns, 2);
    await b.stop();
    await south.stopGateway();

    // At a kiosk of the one, with the stub: the core is asked by way of the gateway.
    const press = (command: string) =>
      fetch(`${a.ready.pageUrl}/staff`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ command }),
      });
    await press('holder');
    await press('holder-revoke');
    await a.scan(encodeCode({ kind: 'key', keyCode }));
    await until(() => a.feedback.at(-1)?.kind === 'holder-erasing');
    const away = await untilSaid(region, anna, /gateway pending 1 of 2, kiosks pending 1 of 1/);
    t.equal(away, 'core done, gateway pending 1 of 2, kiosks pending 1 of 1, sinks pending 0 of 0, backups pending');
    t.equal(far.core.counts().checkIns, 0);
    await press('holder');
    t.equal(await a.scan(north.textOf(anna.card)), 'card-withdrawn');

    await south.startGateway();
    await untilSaid(region, anna, /gateway done 2 of 2, kiosks pending 1 of 2, sinks done/);
    const back = await south.startKiosk('door', { direction: 'both' });
    t.equal(
      await untilSaid(region, anna, /kiosks done/),
      'core done, gateway done 2 of 2, kiosks done 2 of 2, sinks done 0 of 0, backups pending',
    );
    t.equal(await back.scan(south.textOf(anna.card)), 'card-withdrawn');
    t.equal(far.core.counts().checkIns, 0);
  },
);

t.test(
  'journey: a gateway that can not reach its core keeps what it has until it can, and one core that is away holds up nobody',
  async (t) => {
    const region = await openRegion(t);
    const { far, north } = region;
    const anna = deriveVisitor(newKeyCode());
    await north.admit('door', north.ownVenue());
    const kiosk = await north.startKiosk('door', { direction: 'both' });
    t.equal(await kiosk.scan(north.textOf(anna.card)), 'welcome');
    await north.delivered('door');
    await north.state();
    far.link.cut();
    await ask(region, anna, 'revoke');
    t.match(statesOf(await ask(region, anna, 'receipt')), /core done, gateway pending 0 of 2/);
    t.equal(await kiosk.scan(north.textOf(deriveVisitor(newKeyCode()).card)), 'welcome', 'the door goes on');
    far.link.mend();
    await untilSaid(region, anna, /gateway done 2 of 2, kiosks done 1 of 1/);
  },
);

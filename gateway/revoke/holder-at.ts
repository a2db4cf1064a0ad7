/** Passes on what a holder asks at a kiosk. The gateway reads none of it: a proof is for the core alone, and each is good once. */
import type { HolderDoor } from '../../core/intake.ts';
import { AdmissionError, HolderError } from '../../protocol/errors.ts';
import type { KioskId } from '../../protocol/ids.ts';
import type { Registry } from '../registry.ts';

export function holderAt(registry: Pick<Registry, 'kiosks'>, holder: HolderDoor | undefined) {
  /** @throws AdmissionError `admission.unknown_kiosk`, `admission.revoked`; HolderError `holder.not_reached`. */
  const admit = (publicKey: Uint8Array): { readonly kiosk: KioskId; readonly door: HolderDoor } => {
    const kiosk = [...registry.kiosks()].find((one) => Buffer.compare(one.publicKey, publicKey) === 0);
    if (kiosk === undefined) throw new AdmissionError('admission.unknown_kiosk', 'holder: asked by no kiosk that is known');
    if (kiosk.revokedAtMs !== undefined) throw new AdmissionError('admission.revoked', `holder: kiosk ${kiosk.kiosk} is revoked`);
    if (holder === undefined) throw new HolderError('holder.not_reached', 'holder: no core can be asked here');
    return { kiosk: kiosk.kiosk, door: holder };
  };
  return {
    async challenge(publicKey: Uint8Array): Promise<string> {
      return await admit(publicKey).door.challenge();
    },
    async ask(body: string, publicKey: Uint8Array): Promise<string> {
      const { kiosk, door } = admit(publicKey);
      return await door.ask(body, kiosk);
    },
  };
}

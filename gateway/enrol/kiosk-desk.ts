/** What an admitted kiosk may say of itself: what its entrance is called, while nobody has said, and that it is gone for good. */
import { AdmissionError } from '../../protocol/errors.ts';
import type { KioskPlace } from '../../protocol/kiosk-place.ts';
import type { Log } from '../../protocol/log.ts';
import type { Clock } from '../../protocol/time.ts';
import type { Kiosk, Registry } from '../registry.ts';

export class KioskDesk {
  readonly #registry: Registry;
  readonly #clock: Clock;
  readonly #log: Log;

  constructor(registry: Registry, clock: Clock, log: Log) {
    this.#registry = registry;
    this.#clock = clock;
    this.#log = log;
  }

  /**
   * @param name taken where the entrance has none: what an operator called it is not a kiosk's to change.
   * @param publicKey whose possession the handshake proved. @returns where it hangs, as it is now.
   * @throws AdmissionError `admission.unknown_kiosk`, `admission.revoked`; ConfigError when another entrance there has the name; StoreError.
   */
  place(name: string | undefined, publicKey: Uint8Array): KioskPlace {
    const { kiosk, placement } = this.#admitted(publicKey);
    const venue = this.#registry.venueBook.venue(placement.venue);
    const entrance = venue.entrances.find(({ id }) => id === placement.entrance)?.name ?? '';
    if (entrance !== '' || name === undefined) return { venue: venue.name, entrance };
    this.#registry.venueBook.renameEntrance(placement.venue, placement.entrance, name);
    this.#log.info('entrance.named', { kiosk, entrance: placement.entrance });
    return { venue: venue.name, entrance: name };
  }

  /**
   * Shuts the kiosk out for good: it destroys its key. Its rows that are here stay. Asked again it is refused as any revoked one.
   * @throws as `place`.
   */
  leave(publicKey: Uint8Array): void {
    const { kiosk } = this.#admitted(publicKey);
    this.#registry.revoke(kiosk, this.#clock.wall());
    this.#log.info('kiosk.left', { kiosk });
  }

  #admitted(publicKey: Uint8Array): Kiosk {
    const kiosk = [...this.#registry.kiosks()].find((one) => Buffer.compare(one.publicKey, publicKey) === 0);
    if (kiosk === undefined) throw new AdmissionError('admission.unknown_kiosk', 'kiosk desk: a key that is not admitted here');
    if (kiosk.revokedAtMs !== undefined) throw new AdmissionError('admission.revoked', `kiosk ${kiosk.kiosk}: is revoked`);
    return kiosk;
  }
}

/**
 * The door between what takes a release and the two slots of a machine. The update logic writes bytes and asks for a start; it knows neither
 * boards nor boot loaders. Whoever implements it for a machine keeps these three promises, whatever is cut off when:
 *
 * - The machine starts from the lasting slot, always, but for the one start after `tryOther`.
 * - What `tryOther` started and nobody kept is left at the next start, also when nothing in it runs: a hardware watchdog, and a timer that
 *   restarts a machine whose trial was not kept within `TRIAL_LONGEST_MS` of its start, do not need this software.
 * - The slot that runs is never written to.
 */

export const SLOT_NAMES = ['a', 'b'] as const;
export type SlotName = (typeof SLOT_NAMES)[number];
export const otherSlot = (slot: SlotName): SlotName => (slot === 'a' ? 'b' : 'a');

/** A trial that is longer is over, whoever is asked: the kiosk's own bound is well below. */
export const TRIAL_LONGEST_MS = 20 * 60_000;

/** Which slot is started from. */
export interface SlotSwitch {
  /** From which this process was started. */
  running(): SlotName;
  /** From which the machine starts when nobody asks for anything. */
  lasting(): SlotName;
  /** Starts the machine anew, once from the other slot. When it resolves this process is about to be ended. @throws StoreError. */
  tryOther(): Promise<void>;
  /** Makes the running slot the lasting one. When it resolves a power cut can not undo it. Twice is once. @throws StoreError. */
  keep(): Promise<void>;
  /** Starts the machine anew from the lasting slot. @throws StoreError. */
  leave(): Promise<void>;
}

/** The bytes of the slot that does not run. A part is such as `boot` or `root`, an image of that partition. */
export interface SlotBytes {
  /**
   * Makes the slot one that nobody starts from, and ready to be written to. Twice is once.
   * @throws ReleaseError `release.no_room` when a part does not fit, or there is no such part here; StoreError.
   */
  begin(parts: readonly { readonly name: string; readonly sizeBytes: number }[]): Promise<void>;
  /** @throws StoreError. */
  write(part: string, offset: number, bytes: Uint8Array): Promise<void>;
  /** When it resolves, what was written outlasts a power cut. Few bytes wait for it, so that the outbox does not. @throws StoreError. */
  sync(): Promise<void>;
  /** @returns what lies there, as far as that can be told from the medium. @throws StoreError. */
  read(part: string, offset: number, lengthBytes: number): Promise<Uint8Array>;
  /** All of it is written, and was read back: makes it one that can be started from. Twice is once. @throws StoreError. */
  seal(): Promise<void>;
}

export interface Slots extends SlotSwitch, SlotBytes {}

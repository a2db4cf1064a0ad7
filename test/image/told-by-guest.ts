/** What a card's machine tells a test, besides what the kiosk says: the keys that its kernel has had, and what its console shows. */

/** Lines between guest and test. */
export const PORTS = ['answers', 'keys', 'screen', 'go'] as const;
/** Of Linux's `struct input_event` with 64 bits: its length, and where type, code and value are. Source: include/uapi/linux/input.h. */
const EVENT = { bytes: 24, type: 16, value: 20, key: 1, released: 0, pressed: 1 } as const;
/** As long as an event: the keyboard is listened to from here on. */
const LISTENS = 'keys are told from here.';
/** Of an arm64 kernel (COMMAND_LINE_SIZE), which cuts off what is beyond. */
const LONGEST_COMMAND_LINE = 2_047;

/**
 * What a test adds to the command line of the card: where the kernel speaks, where the kiosk does, since a program is to read it, and what tells
 * of its keyboard and its console; all by systemd's own means (systemd.system-credentials(7)). The image knows nothing of it.
 */
const answersOf = (settings: object | undefined, isHeld: boolean): string => `[Unit]
Requires=dev-virtio\\x2dports-answers.device
After=dev-virtio\\x2dports-answers.device
[Service]
ExecStart=
ExecStart=/opt/vestibule/cli/vestibule.js kiosk run --data /var/lib/vestibule --output json --log info${settings === undefined ? '' : ' --config %d/kiosk.json\nImportCredential=kiosk.json'}
StandardOutput=file:/dev/virtio-ports/answers
StandardError=journal+console
DeviceAllow=char-virtio-portsdev rw
${isHeld ? `ExecStartPre=+/bin/sh -c 'echo {}; dd if=/dev/virtio-ports/go of=/dev/null bs=1 count=1 status=none'\n` : ''}`;
/** Begun anew until there is what they read, and where they write to. The console is read without end: 80 by 25 letters. */
const unitOf = (script: string, port: string): string => `[Unit]
StartLimitIntervalSec=0
[Service]
ExecStart=/bin/sh -c '${script}'
StandardOutput=file:/dev/virtio-ports/${port}
StandardError=journal
Restart=always
RestartSec=1
`;
const UNITS = {
  keys: `for keys in /dev/input/by-id/*-event-kbd; do exec 3<$$keys; done; printf "${LISTENS}"; exec cat <&3`,
  screen: 'while cat /dev/vcs1; do sleep 1; done',
} as const;
export const CONSOLE_BYTES = 80 * 25;

const credential = (name: string, content: string): string =>
  `systemd.set_credential_binary=${name}:${Buffer.from(content).toString('base64')}`;

export interface Additions {
  /** What the kiosk runs by in place of its image's; of one that has them no keys are told, since a command line has no room for both. */
  readonly settings: object | undefined;
  /** Whether the kiosk waits for a byte on `go` before it starts, and the console is told. */
  readonly isHeld: boolean;
}

/** @param own of the card. @throws Error when it is longer than a kernel takes. */
export function commandLineWith(own: string, { settings, isHeld }: Additions): string {
  const units = [...(settings === undefined ? (['keys'] as const) : []), ...(isHeld ? (['screen'] as const) : [])];
  const line = [
    ...[own, 'console=ttyAMA0', 'systemd.journald.forward_to_console=1', 'systemd.journald.max_level_console=info'],
    credential('systemd.unit-dropin.vestibule-kiosk.service~zz', answersOf(settings, isHeld)),
    ...units.map((name) => credential(`systemd.extra-unit.${name}.service`, unitOf(UNITS[name], name))),
    ...units.map((name) => `systemd.wants=${name}.service`),
    ...(settings === undefined ? [] : [credential('kiosk.json', JSON.stringify(settings))]),
  ].join(' ');
  if (line.length > LONGEST_COMMAND_LINE)
    throw new Error(`the kernel takes no more than ${LONGEST_COMMAND_LINE} of ${line.length} letters`);
  return line;
}

/** Counts presses and releases that the guest's kernel has had of its keyboard. */
export class KeysTaken {
  count = 0;
  isListening = false;
  #half = Buffer.alloc(0);

  /** @param bytes of the line `keys`. */
  hear(bytes: Uint8Array): void {
    this.#half = Buffer.concat([this.#half, bytes]);
    for (; this.#half.length >= EVENT.bytes; this.#half = this.#half.subarray(EVENT.bytes)) {
      if (this.#half.toString('latin1', 0, EVENT.bytes) === LISTENS) this.isListening = true;
      else if (isKey(this.#half)) this.count += 1;
    }
  }
}

/** A key that is held is repeated by the kernel; nobody has pressed it again. */
function isKey(event: Buffer): boolean {
  const value = event.readInt32LE(EVENT.value);
  return event.readUInt16LE(EVENT.type) === EVENT.key && (value === EVENT.pressed || value === EVENT.released);
}

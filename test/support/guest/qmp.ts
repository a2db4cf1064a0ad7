/** Speaks to a running QEMU by its machine protocol. Source: qemu.org, "QEMU Machine Protocol Specification". */
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';

interface Message {
  readonly QMP?: unknown;
  readonly id?: number;
  readonly return?: unknown;
  readonly error?: { readonly class: string; readonly desc: string };
}

export class Qmp {
  /** Resolves when QEMU takes commands. */
  readonly ready: Promise<unknown>;
  readonly #socket: Socket;
  readonly #asked = new Map<number, { readonly resolve: (answer: unknown) => void; readonly reject: (error: Error) => void }>();
  #nextId = 1;
  #greeted: () => void = () => {};

  /** @param socket QEMU's end has not spoken yet. */
  constructor(socket: Socket) {
    this.#socket = socket;
    // Until it is told so, it takes no other command.
    this.ready = new Promise<void>((greeted) => {
      this.#greeted = greeted;
    }).then(() => this.execute('qmp_capabilities'));
    createInterface({ input: socket }).on('line', (line) => this.#hear(JSON.parse(line) as Message));
    socket.on('error', () => {});
    socket.once('close', () => {
      for (const { reject } of this.#asked.values()) reject(new Error('QEMU has ended'));
      this.#asked.clear();
    });
  }

  /** @returns what QEMU answers. @throws Error with its words when it refuses, or is gone. */
  execute(command: string, args: object = {}): Promise<unknown> {
    const id = this.#nextId;
    this.#nextId += 1;
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) {
        reject(new Error('QEMU has ended'));
        return;
      }
      this.#asked.set(id, { resolve, reject });
      this.#socket.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    });
  }

  #hear(message: Message): void {
    if (message.QMP !== undefined) {
      this.#greeted();
      return;
    }
    const asked = this.#asked.get(message.id ?? 0);
    this.#asked.delete(message.id ?? 0);
    if (message.error !== undefined) asked?.reject(new Error(`QMP: ${message.error.desc}`));
    else asked?.resolve(message.return);
  }
}

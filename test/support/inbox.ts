/** What an MQTT client was sent, kept for a test to look at. */
import type { MqttClient } from 'mqtt';
import { GATEWAY_STATE_TOPIC } from '../../protocol/topics.ts';
import type { TestGateway } from './test-gateway.ts';
import { untilSome } from './until.ts';

export interface Message {
  readonly topic: string;
  readonly payload: Buffer;
  readonly isRetained: boolean;
}

/** JSON that a test takes to have the form it expects; t.match finds out. */
export type Json = ReturnType<typeof JSON.parse>;

export class Inbox {
  readonly messages: Message[] = [];
  #seen = 0;

  constructor(client: MqttClient) {
    client.on('message', (topic, payload, packet) => this.messages.push({ topic, payload, isRetained: packet.retain }));
  }

  /** The next message that fits, behind the last one given: there already, or when it comes. */
  next(isIt: (message: Message) => boolean): Promise<Message> {
    return untilSome(() => this.take(isIt));
  }

  /** As `next`, if it is there. */
  take(isIt: (message: Message) => boolean): Message | undefined {
    const index = this.messages.findIndex((message, at) => at >= this.#seen && isIt(message));
    if (index >= 0) this.#seen = index + 1;
    return this.messages[index];
  }

  /** The next JSON on the topic that fits. */
  async json(topic: string, isIt: (value: Json) => boolean = () => true): Promise<Json> {
    const { payload } = await this.next((message) => message.topic === topic && isIt(JSON.parse(message.payload.toString())));
    return JSON.parse(payload.toString());
  }
}

/** Follows the gateway's retained state as an operator would. */
export async function watchState(gateway: TestGateway): Promise<{ next(isIt: (state: Json) => boolean): Promise<Json> }> {
  const operator = await gateway.operator();
  const inbox = new Inbox(operator);
  await operator.subscribeAsync(GATEWAY_STATE_TOPIC);
  return {
    async next(isIt) {
      for (;;) {
        // The state is told by the clock, what it tells of comes over the network: one does not wait for the other.
        await gateway.clock.advance(1_000);
        const message = inbox.take(({ payload }) => isIt(JSON.parse(payload.toString())));
        if (message !== undefined) return JSON.parse(message.payload.toString());
      }
    },
  };
}

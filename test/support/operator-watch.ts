/** An operator who watches everything that the gateway lets operators read, through its restarts. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import mqtt from 'mqtt';

export interface OperatorWatch {
  /** Each message, topic first. */
  readonly heard: readonly string[];
  close(): Promise<void>;
}

/** @param gatewayDir holds `operator.txt`. */
export function watchAsOperator(gatewayDir: string, port: number): OperatorWatch {
  const password = readFileSync(join(gatewayDir, 'operator.txt'), 'utf8').trim();
  const heard: string[] = [];
  const client = mqtt.connect({ host: '127.0.0.1', port, username: 'operator', password, reconnectPeriod: 100, protocolVersion: 4 });
  client.on('connect', () => client.subscribe(['vestibule/1/events/#', 'vestibule/1/kiosk/+/state', 'vestibule/1/gateway/#']));
  client.on('message', (topic, payload) => heard.push(`${topic} ${payload.toString('latin1')}`));
  client.on('error', () => {});
  return { heard, close: () => client.endAsync(true) };
}

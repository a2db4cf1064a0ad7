/** An operator's client of a gateway on this machine. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectAsync, type MqttClient } from 'mqtt';

/** @param directory the gateway's. @param port its TCP port. */
export const operatorOf = (directory: string, port: number): Promise<MqttClient> =>
  connectAsync({
    host: '127.0.0.1',
    port,
    username: 'operator',
    password: readFileSync(join(directory, 'operator.txt'), 'utf8').trim(),
    reconnectPeriod: 0,
  });

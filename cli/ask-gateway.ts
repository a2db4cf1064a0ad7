/** Asks the gateway that runs on this machine, over its operators' listener, with the token that lies in its directory. */
import { type RequestOptions as PlainOptions, request as requestPlain } from 'node:http';
import { type RequestOptions, request as requestTls } from 'node:https';
import { type Control, readControl } from '../gateway/control-file.ts';
import { gatewayPaths } from '../gateway/paths.ts';
import { ConfigError, type ErrorCode, ExpectedError, LinkError } from '../protocol/errors.ts';
import { type DataPaths, refuseNoGateway } from './data-paths.ts';
import { systemUser } from './system-user.ts';

const LONGEST_ANSWER_BYTES = 64 * 1_048_576;
const WAIT_MS = 30_000;

/** @returns how to reach it; `undefined` when no gateway runs there, or one without that listener. */
export const runningGateway = (paths: DataPaths): Control | undefined => readControl(gatewayPaths(paths.gateway).control);

/**
 * @returns the answer's JSON. @throws ConfigError `config.invalid` when no gateway runs there; LinkError `link.refused` when it does not
 * answer; ExpectedError with the code that the gateway names.
 */
export async function askGateway(paths: DataPaths, method: string, path: string, body?: unknown): Promise<unknown> {
  refuseNoGateway(paths);
  const control = runningGateway(paths);
  if (control === undefined)
    throw new ConfigError('config.invalid', `${paths.gateway}: the gateway does not run (vestibule gateway run starts it)`);
  const { status, text } = await exchange(control, method, path, body);
  const answer = JSON.parse(text) as { title?: string; code?: ErrorCode };
  if (status >= 400) throw new ExpectedError(answer.code ?? 'config.invalid', answer.title ?? `the gateway answers ${status}`);
  return answer;
}

function exchange(control: Control, method: string, path: string, body: unknown): Promise<{ status: number; text: string }> {
  const url = new URL(path, control.url);
  const json = body === undefined ? undefined : JSON.stringify(body);
  const headers = {
    authorization: `Bearer ${control.token}`,
    'x-vestibule-user': systemUser(),
    ...(json === undefined ? {} : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(json)) }),
  };
  const options: PlainOptions & RequestOptions = {
    method,
    headers,
    timeout: WAIT_MS,
    ...(control.certificatePem && { ca: control.certificatePem }),
  };
  const send = url.protocol === 'https:' ? requestTls : requestPlain;
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown) => reject(new LinkError('link.refused', `gateway: does not answer at ${control.url}`, { cause }));
    const request = send(url, options, (reply) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      reply.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > LONGEST_ANSWER_BYTES) request.destroy();
        else chunks.push(chunk);
      });
      reply.on('end', () => resolve({ status: reply.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }));
      reply.on('error', fail);
    });
    request.on('error', fail);
    request.on('timeout', () => request.destroy());
    request.end(json);
  });
}

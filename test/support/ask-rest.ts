/** A plain HTTPS client that trusts whatever answers: what it asks is the test's, what it is told is all there is. */
import { request } from 'node:https';

export interface RestAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  readonly json: Readonly<Record<string, unknown>>;
}

export interface RestQuestion {
  readonly port: number;
  readonly path: string;
  readonly method?: string;
  readonly token?: string;
  readonly purpose?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** A client's certificate. */
  readonly client?: { readonly key: string; readonly cert: string };
}

export function askRest({ port, path, method = 'GET', token, purpose, headers = {}, body, client }: RestQuestion): Promise<RestAnswer> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port,
        method,
        path,
        rejectUnauthorized: false,
        agent: false,
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(purpose === undefined ? {} : { 'vestibule-purpose': purpose }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...client,
      },
      (reply) => {
        const chunks: Buffer[] = [];
        reply.on('data', (chunk: Buffer) => chunks.push(chunk));
        reply.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          const isJson = text !== '' && /json/.test(String(reply.headers['content-type']));
          resolve({ status: reply.statusCode ?? 0, headers: reply.headers, text, json: isJson ? JSON.parse(text) : {} });
        });
      },
    );
    sent.on('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

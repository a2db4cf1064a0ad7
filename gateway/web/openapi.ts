/**
 * docs/openapi.json, made of the routes and the one schema that checks and types them. A test holds the file to it.
 * Source: OpenAPI Specification 3.1.1.
 */
import { z } from 'zod';
import type { Route } from './route.ts';
import { problem, sessionView } from './schema.ts';

const SECURITY = [{ session: [] }, { token: [] }];

/** @returns the document as a value. */
export function openApiOf(routes: readonly Route[], version: string): object {
  const paths: Record<string, Record<string, object>> = {};
  const add = (path: string, method: string, operation: object): void => {
    const url = path.replaceAll(/:(\w+)/g, '{$1}');
    paths[url] = { ...paths[url], [method.toLowerCase()]: operation };
  };
  for (const [path, method, operation] of BY_HAND) add(path, method, operation);
  for (const made of routes) add(made.path, made.method, operationOf(made));
  return {
    openapi: '3.1.1',
    info: {
      title: "Vestibule gateway, operators' API",
      version,
      description:
        'What the dashboard, scripts and Prometheus ask of a running gateway. No visitor is named anywhere: a card appears as a pseudonym of one venue and day. Every look and every change by a person is in the audit log.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    paths,
    components: {
      schemas: { problem: jsonOf(problem), session: jsonOf(sessionView) },
      securitySchemes: {
        session: {
          type: 'apiKey',
          in: 'cookie',
          name: '__Host-vestibule-8443',
          description: 'Made by POST /api/1/session. Every change needs x-vestibule-csrf besides.',
        },
        token: { type: 'http', scheme: 'bearer', description: "A program's, from: vestibule operator add NAME --program" },
      },
    },
  };
}

function operationOf({ summary, role, method, params, query, body, answer }: Route): object {
  const parameters = [
    ...parametersIn('path', params),
    ...parametersIn('query', query),
    ...(method === 'GET'
      ? []
      : [
          {
            name: 'x-vestibule-csrf',
            in: 'header',
            required: false,
            schema: { type: 'string' },
            description: "The session's; a token needs none.",
          },
        ]),
  ];
  return {
    summary,
    description: role === 'manager' ? 'For managers.' : 'For every account.',
    security: SECURITY,
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined ? {} : { requestBody: { required: true, content: { 'application/json': { schema: jsonOf(body) } } } }),
    responses: { 200: { description: 'Done', content: { 'application/json': { schema: jsonOf(answer) } } }, ...REFUSALS },
  };
}

function parametersIn(place: 'path' | 'query', schema: z.ZodType | undefined): object[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = jsonOf(schema) as { properties?: Record<string, object>; required?: string[] };
  return Object.entries(properties).map(([name, rule]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    schema: rule,
  }));
}

function jsonOf(schema: z.ZodType): object {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { target: 'draft-2020-12' });
  return rest;
}

const refusal = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/problem' } } },
});
const REFUSALS = {
  400: refusal('Not as the schema says'),
  401: refusal('Nobody known asks'),
  403: refusal('This account may not, or the page is not ours'),
  404: refusal('There is no such thing'),
  503: refusal('The store can not keep it now, so that it was not done'),
};
const said = (description: string, type = 'application/json', schema: object = { type: 'object' }) => ({
  200: { description, content: { [type]: { schema } } },
});

const session = { $ref: '#/components/schemas/session' };
const BY_HAND: readonly (readonly [string, string, object])[] = [
  [
    '/api/1/session',
    'POST',
    {
      summary: 'Logs a person in: sets the cookie of a session',
      security: [],
      requestBody: {
        required: true,
        content: {
          'application/json': {
            schema: {
              type: 'object',
              required: ['account', 'password'],
              additionalProperties: false,
              properties: { account: { type: 'string', maxLength: 64 }, password: { type: 'string', maxLength: 256 } },
            },
          },
        },
      },
      responses: {
        ...said('Logged in', 'application/json', session),
        401: REFUSALS[401],
        429: refusal('Too many tries: Retry-After says how long to wait'),
      },
    },
  ],
  [
    '/api/1/session',
    'GET',
    { summary: 'Who asks', security: SECURITY, responses: { ...said('Somebody known', 'application/json', session), 401: REFUSALS[401] } },
  ],
  [
    '/api/1/session',
    'DELETE',
    { summary: 'Logs out: the session ends', security: SECURITY, responses: { ...said('Ended'), 401: REFUSALS[401] } },
  ],
  [
    '/api/1/live',
    'GET',
    {
      summary:
        'Server-sent events: `all` (an overview) at first, `change` (gateway, venues, and the kiosks that are not as they were, with `gone`), `still`, `ended`',
      security: SECURITY,
      responses: { ...said('A stream without end', 'text/event-stream', { type: 'string' }), 401: REFUSALS[401] },
    },
  ],
  [
    '/metrics',
    'GET',
    {
      summary: 'Prometheus text exposition 0.0.4',
      security: SECURITY,
      responses: { ...said('All metrics', 'text/plain', { type: 'string' }), 401: REFUSALS[401] },
    },
  ],
  ['/healthz', 'GET', { summary: 'Whether the process answers', security: [], responses: said('It does') }],
  [
    '/readyz',
    'GET',
    {
      summary: 'Whether rows can be taken',
      security: [],
      responses: { ...said('They can'), 503: { description: 'They can not; the body names why' } },
    },
  ],
];

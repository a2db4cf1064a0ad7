/**
 * docs/core-openapi.json, made of the routes and the schemas that check and type them. A test holds the file to it.
 * Source: OpenAPI Specification 3.1.1.
 */
import { z } from 'zod';
import { PURPOSE_HEADER } from './roles.ts';
import type { Route } from './route.ts';

/** @returns the document as a value. */
export function openApiOf(routes: readonly Route[], version: string): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const made of routes) {
    const url = made.path.replaceAll(/:(\w+)/g, '{$1}');
    paths[url] = { ...paths[url], [made.method.toLowerCase()]: operationOf(made) };
  }
  paths['/healthz'] = {
    get: {
      summary: 'Whether the process answers',
      security: [],
      responses: { 200: { description: 'It does', content: { 'application/json': { schema: { type: 'object' } } } } },
    },
  };
  return {
    openapi: '3.1.1',
    info: {
      title: 'Vestibule core',
      version,
      description:
        'What clinicians, health officers, analysts, auditors, administrators, partner systems and holders may ask of a tracing core. Nobody is named: a card is sent in a body and never told. Each look, each deed and each refusal is in the audit log before it is answered.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    paths,
    components: {
      schemas: {
        problem: {
          type: 'object',
          required: ['title', 'status'],
          properties: { title: { type: 'string' }, status: { type: 'integer' }, code: { type: 'string', description: 'docs/errors.md' } },
        },
      },
      securitySchemes: {
        person: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description: 'Of an issuer in the settings of the core (OpenID Connect).',
        },
        machine: { type: 'http', scheme: 'bearer', description: 'From: vestibule core gateway add, vestibule core partner add' },
        key: { type: 'mutualTLS', description: 'Of a gateway or partner that was added by the pin of its key.' },
      },
    },
  };
}

const PEOPLE_ONLY = [{ person: [] }];
const MACHINES_ONLY = [{ machine: [] }, { key: [] }];

function operationOf({ summary, roles, purposes, method, params, query, body, answer, rows }: Route): object {
  const isMachine = roles.some((role) => role === 'gateway' || role === 'partner');
  const isPerson = roles.some((role) => role !== 'gateway' && role !== 'partner' && role !== 'holder');
  const parameters = [
    ...parametersIn('path', params),
    ...parametersIn('query', query),
    ...(purposes.length === 0
      ? []
      : [
          {
            name: PURPOSE_HEADER,
            in: 'header',
            required: true,
            schema: { type: 'string', enum: [...purposes] },
            description: 'What it is for',
          },
        ]),
  ];
  const most = rows === undefined ? '' : ` At most ${rows.most} rows.`;
  const proof = roles.includes('holder') ? 'For whoever proves a card: the proof is in the body.' : `For: ${roles.join(', ')}.`;
  return {
    summary,
    description: `${proof}${most}`,
    security: [...(isPerson ? PEOPLE_ONLY : []), ...(isMachine ? MACHINES_ONLY : [])],
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined ? {} : { requestBody: { required: true, content: { 'application/json': { schema: jsonOf(body, 'input') } } } }),
    responses: {
      200: { description: method === 'GET' ? 'The answer' : 'Done', content: { 'application/json': { schema: jsonOf(answer, 'output') } } },
      ...REFUSALS,
    },
  };
}

function parametersIn(place: 'path' | 'query', schema: z.ZodType | undefined): object[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = jsonOf(schema, 'input') as { properties?: Record<string, object>; required?: string[] };
  return Object.entries(properties).map(([name, rule]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    schema: rule,
  }));
}

function jsonOf(schema: z.ZodType, io: 'input' | 'output'): object {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { target: 'draft-2020-12', io, unrepresentable: 'any' });
  return rest;
}

const refusal = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/problem' } } },
});
const REFUSALS = {
  400: refusal('Not as the schema says'),
  401: refusal('Nobody known asks'),
  403: refusal('Not for this role, or not for this purpose'),
  404: refusal('There is no such thing, or not for this caller'),
  409: refusal('It does not fit what is known'),
  429: refusal('Too often: Retry-After says how long to wait'),
  503: refusal('It can not be kept, or written down, or nobody can be known now; so it was not done'),
};

/** docs/core-openapi.json is what the routes are. `UPDATE_OPENAPI=1` writes it anew. */
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import t from 'tap';
import { VERSION } from '../../../cli/version.ts';
import { openApiOf } from '../../../core/rest/openapi.ts';
import { allRoutes } from './all-routes.ts';

const path = resolve(import.meta.dirname, '../../../docs/core-openapi.json');
const made = `${JSON.stringify(openApiOf(allRoutes, VERSION), null, 2)}\n`;

t.test('core openapi: the document is what the routes are', async (t) => {
  if (process.env.UPDATE_OPENAPI === '1') writeFileSync(path, made);
  t.equal(readFileSync(path, 'utf8'), made, 'UPDATE_OPENAPI=1 tap test/core/rest/openapi.test.ts writes it anew');
});

t.test('core openapi: every parameter of a path is told, every answer has a schema, and each way in is one that there is', async (t) => {
  interface Operation {
    readonly security: readonly Record<string, unknown>[];
    readonly parameters?: readonly { readonly name: string; readonly in: string }[];
    readonly responses: Readonly<Record<string, { readonly content?: object }>>;
  }
  const document = JSON.parse(made) as { paths: Record<string, Record<string, Operation>>; components: { securitySchemes: object } };
  for (const [url, operations] of Object.entries(document.paths)) {
    for (const operation of Object.values(operations)) {
      const told = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path').map(({ name }) => name);
      t.strictSame(told.sort(), [...url.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort(), url);
      t.ok(operation.responses['200']?.content, url);
      for (const way of operation.security.flatMap(Object.keys)) t.ok(way in document.components.securitySchemes, way);
    }
  }
});

t.test('core openapi: no card, code or key is asked for where it would lie in a log of addresses', async (t) => {
  for (const { path: url, query, params } of allRoutes) {
    t.notMatch(url, /card|code/, url);
    for (const schema of [query, params])
      t.notMatch(Object.keys((schema as { shape?: object } | undefined)?.shape ?? {}), /card|code|key/, url);
  }
});

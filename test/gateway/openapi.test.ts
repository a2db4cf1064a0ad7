/** docs/openapi.json is what the routes are. `UPDATE_OPENAPI=1` writes it anew. */
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import t from 'tap';
import type { RolloutBook } from '../../gateway/rollout/rollout-book.ts';
import { type ManageSources, manageRoutesOf } from '../../gateway/web/manage-routes.ts';
import { openApiOf } from '../../gateway/web/openapi.ts';
import { rolloutRoutesOf } from '../../gateway/web/rollout-routes.ts';
import { type RouteSources, routesOf } from '../../gateway/web/routes.ts';
import { type SinkSources, sinkRoutesOf } from '../../gateway/web/sink-routes.ts';

const path = resolve(import.meta.dirname, '../../docs/openapi.json');
const { version } = JSON.parse(readFileSync(resolve(import.meta.dirname, '../../package.json'), 'utf8')) as { version: string };
// What a route does is not asked here, only what it is.
const routes = [
  ...routesOf({} as RouteSources),
  ...manageRoutesOf({} as ManageSources),
  ...rolloutRoutesOf({} as RolloutBook),
  ...sinkRoutesOf({} as SinkSources),
];
const made = `${JSON.stringify(openApiOf(routes, version), null, 2)}\n`;

t.test('openapi: the document is what the routes are', async (t) => {
  if (process.env.UPDATE_OPENAPI === '1') writeFileSync(path, made);
  t.equal(readFileSync(path, 'utf8'), made, 'UPDATE_OPENAPI=1 tap test/gateway/openapi.test.ts writes it anew');
});

t.test('openapi: every parameter of a path is told, every answer has a schema, and every reference leads somewhere', async (t) => {
  interface Operation {
    readonly parameters?: readonly { readonly name: string; readonly in: string }[];
    readonly responses: Readonly<Record<string, { readonly content?: object }>>;
  }
  const document = JSON.parse(made) as {
    paths: Record<string, Record<string, Operation>>;
    components: { schemas: Record<string, object> };
  };
  for (const [url, operations] of Object.entries(document.paths)) {
    for (const operation of Object.values(operations)) {
      const told = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path').map(({ name }) => name);
      t.strictSame(told.sort(), [...url.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort(), url);
      t.ok(operation.responses['200']?.content, url);
    }
  }
  for (const [, name = ''] of made.matchAll(/#\/components\/schemas\/(\w+)/g)) t.ok(document.components.schemas[name], name);
});

t.test('openapi: what changes something has a body or a name to confirm it, and is for managers', async (t) => {
  for (const { method, path: url, role, audit } of routes) {
    if (method !== 'GET') t.equal(role, 'manager', `${method} ${url}`);
    t.match(audit.action, method === 'GET' ? /^look\./ : /^[a-z-]+\.[a-z-]+$/, `${method} ${url}`);
  }
});

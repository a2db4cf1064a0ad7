import t from 'tap';
import { PAGE_HEADERS } from '../../protocol/page-headers.ts';

t.test("page headers: nothing is let in that is not the page's own, and nothing that is written in it runs", async (t) => {
  const rules = new Map(PAGE_HEADERS['content-security-policy'].split('; ').map((rule) => [rule.split(' ')[0], rule.split(' ').slice(1)]));
  t.strictSame(rules.get('default-src'), ["'none'"]);
  for (const [name, sources] of rules) {
    const most = name === 'img-src' ? ["'self'", 'data:'] : name === 'require-trusted-types-for' ? ["'script'"] : ["'self'", "'none'"];
    for (const source of sources) t.ok(most.includes(source), `${name} ${source}`);
  }
  for (const name of ['base-uri', 'form-action', 'frame-ancestors', 'trusted-types']) t.strictSame(rules.get(name), ["'none'"], name);
});

/** For the auditor: what was looked at and done, by whom and what for, and whether the log of it is whole. */
import { z } from 'zod';
import type { AuditLog } from '../audit.ts';
import { type Route, route } from './route.ts';

const MOST_ENTRIES = 200;
/** More would hold up the kiosks of a gateway in this process: `vestibule audit verify` reads all, in one of its own. */
const MOST_CHECKED = 20_000;

const text = z.string();
const entry = z.object({
  entry: z.int().min(1),
  atMs: z.int().describe('ms since 1970-01-01T00:00:00Z'),
  who: text.describe("a person's pseudonym, stable within this core; a machine's name; the operating system's user at the command line"),
  role: text,
  purpose: text,
  action: text,
  about: text,
  outcome: z.enum(['done', 'refused', 'failed']),
  rows: z.int().min(0).describe('rows of people that were told'),
  detail: text,
  hash: text,
});

export function oversightRoutesOf({ audit }: { readonly audit: Pick<AuditLog, 'entries' | 'head' | 'verify'> }): Route[] {
  return [
    route({
      method: 'GET',
      path: '/core/1/audit',
      summary: 'The audit log, the newest 200 entries before one',
      roles: ['auditor'],
      purposes: ['oversight'],
      query: z.strictObject({ before: z.coerce.number().int().min(1).optional() }),
      answer: z.object({ entries: z.array(entry) }),
      rows: { most: MOST_ENTRIES, of: ({ entries }) => entries.length },
      audit: { action: 'look.audit', about: ({ query }) => String(query.before ?? '') },
      handle: ({ query }) => ({ entries: audit.entries(MOST_ENTRIES, query.before) }),
    }),
    route({
      method: 'GET',
      path: '/core/1/audit/verification',
      summary: 'Whether nothing in the audit log was changed, taken out, moved or cut off; and its head, to be noted elsewhere',
      roles: ['auditor'],
      purposes: ['oversight'],
      query: z.strictObject({
        head: z
          .string()
          .regex(/^\d{1,15}:[0-9a-f]{64}$/)
          .optional()
          .describe('one that was noted before: entries, a colon, hash'),
      }),
      answer: z.object({ finding: z.enum(['whole', 'broken', 'cut', 'unchecked']), at: z.int().optional(), head: text }),
      audit: { action: 'look.verification' },
      handle: ({ query }) => {
        const head = audit.head();
        const told = `${head.entries}:${head.hash}`;
        if (head.entries > MOST_CHECKED) return { finding: 'unchecked' as const, head: told };
        const [entries = '', hash = ''] = query.head?.split(':') ?? [];
        const found = audit.verify(query.head === undefined ? undefined : { entries: Number(entries), hash });
        if (found.kind === 'whole') return { finding: found.kind, head: told };
        return { finding: found.kind, at: found.kind === 'broken' ? found.entry : found.entries, head: told };
      },
    }),
  ];
}

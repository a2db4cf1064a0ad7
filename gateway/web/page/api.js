// Asks the gateway, and hears what it tells. The session's cookie goes along by itself; its word goes along with each change.

let csrf = '';

export class Refused extends Error {
  constructor(answer, status) {
    super(answer?.title ?? 'The gateway does not answer');
    this.status = status;
    this.code = answer?.code;
    this.retryAfterS = answer?.retryAfterS;
  }
}

/** @returns the answer. @throws Refused; with status 0 when nobody answered. */
export async function ask(method, path, body) {
  const headers = { accept: 'application/json' };
  if (method !== 'GET') headers['x-vestibule-csrf'] = csrf;
  if (body !== undefined) headers['content-type'] = 'application/json';
  let reply;
  try {
    reply = await fetch(path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  } catch {
    throw new Refused(undefined, 0);
  }
  const answer = await reply.json().catch(() => undefined);
  if (!reply.ok) throw new Refused(answer, reply.status);
  if (answer?.csrf) csrf = answer.csrf;
  return answer;
}

/** Tells `on.all`, `on.change`, `on.still`, `on.lost` and `on.ended` until closed. A browser comes back by itself to a stream that broke. */
export function listen(on) {
  const source = new EventSource('/api/1/live');
  for (const name of ['all', 'change', 'still']) source.addEventListener(name, ({ data }) => on[name](JSON.parse(data)));
  source.addEventListener('ended', () => {
    source.close();
    on.ended();
  });
  source.addEventListener('error', () => on.lost(source.readyState === EventSource.CLOSED));
  return source;
}

// What the kiosk says, as it says it; and that it says nothing any more, which a browser would not tell of a machine that froze.

const SILENT_MS = 5000;
const AGAIN_MS = 1000;

/** @param hear.lost told `lost` or `not-connected`; all else by the names of the kiosk's events. */
export function listen(hear) {
  let stream;
  let watch;
  let build;
  // A kiosk that beats is missed when it stops; one that never did is believed.
  const beat = () => {
    clearTimeout(watch);
    watch = setTimeout(() => {
      stream.close();
      lose();
    }, SILENT_MS);
  };
  const lose = () => {
    clearTimeout(watch);
    hear.lost('lost');
    setTimeout(open, AGAIN_MS);
  };
  const open = () => {
    stream = new EventSource('/feedback');
    const on = (name, heard) => stream.addEventListener(name, ({ data }) => heard(JSON.parse(data)));
    on('begin', (begin) => {
      // Another version of the kiosk has another page.
      if (build !== undefined && build !== begin.build) location.reload();
      build = begin.build;
    });
    on('beat', beat);
    for (const name of ['state', 'feedback', 'menu']) on(name, (said) => hear[name](said));
    stream.addEventListener('error', () => {
      stream.close();
      clearTimeout(watch);
      // A kiosk that lives and does not want this page has too many of them.
      fetch('/healthz').then(() => {
        hear.lost('not-connected');
        setTimeout(open, AGAIN_MS);
      }, lose);
    });
  };
  open();
}

/** @returns whether the kiosk took it; `undefined` when it does not answer. */
export async function send(path, body) {
  try {
    const reply = await fetch(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    return reply.ok;
  } catch {
    return undefined;
  }
}

/** @returns what the kiosk answers; `undefined` when it does not, or refuses. */
export async function ask(path) {
  try {
    const reply = await fetch(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' });
    return reply.ok ? await reply.json() : undefined;
  } catch {
    return undefined;
  }
}

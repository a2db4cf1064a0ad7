/** `vestibule quarantine --sink`: entries that a sink refused for what they are, why, and another try once that is mended. */
import type { ReofferAnswer, SetAsideView } from '../gateway/web/schema.ts';
import { askGateway } from './ask-gateway.ts';
import type { DataPaths } from './data-paths.ts';

type Say = (line: string) => void;

const pathOf = (sink: string): string => `/api/1/sinks/${encodeURIComponent(sink)}/set-aside`;

const itemsOf = async (paths: DataPaths, sink: string): Promise<SetAsideView[]> =>
  ((await askGateway(paths, 'GET', pathOf(sink))) as { items: SetAsideView[] }).items;

/** @throws ExpectedError as `askGateway` does. */
export async function listSetAside(paths: DataPaths, sink: string, isJson: boolean, say: Say): Promise<void> {
  const items = await itemsOf(paths, sink);
  if (isJson) for (const item of items) say(JSON.stringify(item));
  else if (items.length === 0) say(`${sink} refuses nothing`);
  else
    for (const { position, setAsideAtMs, kiosk, kind, meaning, code, advice } of items) {
      say(`${position}  ${new Date(setAsideAtMs).toISOString()}  kiosk ${kiosk}, a ${kind}`);
      say(`    ${meaning} [${code}]`);
      if (advice !== '') say(`    ${advice}`);
    }
}

/** @param position `undefined` for all. @returns how many stay. @throws ExpectedError as `askGateway` does. */
export async function replaySetAside(paths: DataPaths, sink: string, position: number | undefined, say: Say): Promise<number> {
  const positions = position === undefined ? (await itemsOf(paths, sink)).map((item) => item.position) : [position];
  if (positions.length === 0) say(`${sink} refuses nothing`);
  let left = 0;
  for (const one of positions) {
    const answer = (await askGateway(paths, 'POST', `${pathOf(sink)}/${one}/replay`)) as ReofferAnswer;
    if (answer.outcome === 'taken') say(`${one}: taken`);
    else {
      left += 1;
      say(`${one}: stays, ${answer.meaning ?? ''} [${answer.code ?? ''}]`);
    }
  }
  return left;
}

/** @throws ExpectedError as `askGateway` does. */
export async function dropSetAside(paths: DataPaths, sink: string, position: number, say: Say): Promise<void> {
  await askGateway(paths, 'DELETE', `${pathOf(sink)}/${position}`);
  say(`dropped ${position}: ${sink} never gets it`);
}

/**
 * What a page owes to those who do not see it, see little, or have no mouse: rules of ours that run in the page itself, and axe-core's.
 * Source: WCAG 2.2, success criteria 1.3.1, 1.4.3, 1.4.10, 2.4.6, 2.5.8, 3.1.1, 3.3.2, 4.1.2.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from './browser.ts';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const LOOK_AROUND = readFileSync(new URL('./look-around.js', import.meta.url), 'utf8').replace(/^[\s\S]*?export /, '');

/** @returns what our rules find wrong with the page as it is now. */
export const faultsOf = (page: Page): Promise<string[]> => page.value(`(${LOOK_AROUND})()`);

/** @returns what axe-core finds wrong, an element each. Runs in a world of its own, where the page's policy does not hold. */
export async function axeFaultsOf(page: Page): Promise<string[]> {
  const { frameTree } = (await page.send('Page.getFrameTree')) as { frameTree: { frame: { id: string } } };
  const { executionContextId } = await page.send('Page.createIsolatedWorld', { frameId: frameTree.frame.id, worldName: 'axe' });
  const run = `${AXE};
    axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) =>
      violations.flatMap(({ id, help, nodes }) => nodes.map(({ target }) => id + ': ' + help + ': ' + target.join(' '))))`;
  const { result, exceptionDetails } = await page.send('Runtime.evaluate', {
    expression: run,
    contextId: executionContextId,
    awaitPromise: true,
    returnByValue: true,
  });
  if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
  return (result as { value: string[] }).value;
}

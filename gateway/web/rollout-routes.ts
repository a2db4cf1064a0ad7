/** The HTTP API's part for a release on its way to kiosks: what `vestibule rollout` does, but for the start, which needs the bundle. */
import { z } from 'zod';
import type { RolloutBook } from '../rollout/rollout-book.ts';
import { NotThere, type Route, route } from './route.ts';

/** What was confirmed is what is done: by then somebody may have stopped it, and started another. */
const confirm = z.int().min(1).describe("the rollout's number, as the overview tells it");
const done = z.object({});

export function rolloutRoutesOf(book: RolloutBook): Route[] {
  const confirmed = (number: number): void => {
    const newest = book.newest();
    if (newest?.number !== number || newest.state === 'stopped') throw new NotThere('no such rollout is under way');
  };
  return [
    route({
      method: 'POST',
      path: '/api/1/rollout/pause',
      summary: 'No further kiosk takes the release, and those that are taking it leave off',
      role: 'manager',
      body: z.strictObject({ confirm }),
      answer: done,
      audit: { action: 'rollout.pause', about: ({ body }) => String(body.confirm) },
      handle: ({ body }) => {
        confirmed(body.confirm);
        book.pause(body.confirm);
        return {};
      },
    }),
    route({
      method: 'POST',
      path: '/api/1/rollout/go-on',
      summary: 'Goes on after a pause, or with more kiosks; those that went back are not counted again',
      role: 'manager',
      body: z.strictObject({
        confirm,
        percent: z.int().min(1).max(100).optional().describe('of those that are meant; as before when left out'),
      }),
      answer: done,
      audit: {
        action: 'rollout.go-on',
        about: ({ body }) => (body.percent === undefined ? String(body.confirm) : `${body.confirm} to ${body.percent} %`),
      },
      handle: ({ body }) => {
        confirmed(body.confirm);
        book.goOn(body.percent, body.confirm);
        return {};
      },
    }),
    route({
      method: 'POST',
      path: '/api/1/rollout/stop',
      summary: 'Ends it for good; kiosks that keep the release go on with it',
      role: 'manager',
      body: z.strictObject({ confirm }),
      answer: done,
      audit: { action: 'rollout.stop', about: ({ body }) => String(body.confirm) },
      handle: ({ body }) => {
        confirmed(body.confirm);
        book.stop(body.confirm);
        return {};
      },
    }),
  ];
}

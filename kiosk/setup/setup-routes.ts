/** What the set-up page asks. Where the kiosk is set up, a person does a step anew only while a staff card has the menu open: nobody who passes may. */
import { z } from 'zod';
import { entranceName } from '../../protocol/kiosk-place.ts';
import { LANGUAGES, type Language } from '../screen/languages.ts';
import { type PageRoute, REFUSED } from '../screen/staff-routes.ts';
import type { SetupDesk, Unsent } from './setup-desk.ts';
import { PORT_USES, type SetupCommand } from './setup-state.ts';
import { outcomeOf, SETUP_WORDS } from './setup-words.ts';

const device = z.string().regex(/^[a-z0-9-]{1,32}$/);
const COMMAND = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('name'),
    name: entranceName,
  }),
  z.strictObject({ kind: z.literal('use'), device, as: z.enum(PORT_USES) }),
  z.strictObject({ kind: z.literal('sniffer'), isOn: z.boolean() }),
  z.strictObject({ kind: z.literal('seen'), device }),
  z.strictObject({ kind: z.literal('next') }),
  z.strictObject({ kind: z.literal('again') }),
  z.strictObject({ kind: z.literal('step'), step: z.enum(['name', 'devices', 'delivery']) }),
]);
const NOTHING = z.strictObject({});
const TEXT = z.strictObject({ text: z.string().min(1).max(4_296) });

/** @param isStaff whether the staff's menu is open. @param language of the screen at present. */
export function setupRoutes(setup: SetupDesk, language: () => Language, isStaff: () => boolean): readonly PageRoute[] {
  const mayChange = () => setup.state.step !== 'done' || isStaff();
  return [
    {
      path: '/setup/state',
      body: z.strictObject({ language: z.enum(LANGUAGES).optional() }),
      take: async ({ language: asked }: { language?: Language }) => {
        const chosen = asked ?? language();
        const words = SETUP_WORDS[chosen];
        return {
          state: setup.state,
          words,
          outcome: outcomeOf(words, setup.state),
          language: chosen,
          mayChange: mayChange(),
          unsent: setup.unsent,
          portUses: PORT_USES,
        };
      },
    },
    {
      path: '/setup/command',
      body: COMMAND,
      take: async (command: SetupCommand) => (mayChange() ? void setup.command(command) : REFUSED),
    },
    { path: '/setup/scan', body: TEXT, take: async ({ text }: { text: string }) => (mayChange() ? void setup.scan(text) : REFUSED) },
    {
      path: '/setup/reset',
      body: z.strictObject({ unsent: z.union([z.int().min(0), z.literal('unknown')]) }),
      take: async ({ unsent }: { unsent: Unsent }) => (mayChange() && setup.reset(unsent) ? undefined : REFUSED),
    },
    { path: '/setup/later', body: NOTHING, take: async () => void setup.putOff() },
  ];
}

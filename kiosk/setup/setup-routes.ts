/** What the set-up page asks. Where the kiosk is set up, a person does a step anew only while a staff card has the menu open: nobody who passes may. */
import { LANGUAGES, type Language } from '../screen/languages.ts';
import { type PageRoute, REFUSED } from '../screen/staff-routes.ts';
import type { SetupDesk } from './setup-desk.ts';
import { PORT_USES, type SetupCommand } from './setup-state.ts';
import { outcomeOf, SETUP_WORDS } from './setup-words.ts';

const kind = (name: SetupCommand['kind'], more: Readonly<Record<string, object>> = {}) => ({
  type: 'object',
  required: ['kind', ...Object.keys(more)],
  additionalProperties: false,
  properties: { kind: { const: name }, ...more },
});
const device = { type: 'string', pattern: '^[a-z0-9-]{1,32}$' };
const COMMAND = {
  oneOf: [
    kind('name', { name: { type: 'string', minLength: 1, maxLength: 64, pattern: '^(?!\\s*$)\\P{Cc}+$' } }),
    kind('use', { device, as: { enum: PORT_USES } }),
    kind('sniffer', { isOn: { type: 'boolean' } }),
    kind('seen', { device }),
    kind('next'),
    kind('again'),
    kind('step', { step: { enum: ['name', 'devices', 'delivery'] } }),
  ],
};
const NOTHING = { type: 'object', additionalProperties: false, properties: {} };
const TEXT = {
  type: 'object',
  required: ['text'],
  additionalProperties: false,
  properties: { text: { type: 'string', minLength: 1, maxLength: 4_296 } },
};

/** @param isStaff whether the staff's menu is open. @param language of the screen at present. */
export function setupRoutes(setup: SetupDesk, language: () => Language, isStaff: () => boolean): readonly PageRoute[] {
  const mayChange = () => setup.state.step !== 'done' || isStaff();
  return [
    {
      path: '/setup/state',
      body: { ...NOTHING, properties: { language: { enum: LANGUAGES } } },
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
      body: { type: 'object', required: ['unsent'], additionalProperties: false, properties: { unsent: { type: 'integer', minimum: 0 } } },
      take: async ({ unsent }: { unsent: number }) => (mayChange() && setup.reset(unsent) ? undefined : REFUSED),
    },
    { path: '/setup/later', body: NOTHING, take: async () => void setup.putOff() },
  ];
}

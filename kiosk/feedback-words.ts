/** What each answer says to the staff, for the page and the terminal. Neutral words: whoever stands beside the screen reads them, too. */
import type { FeedbackKind } from './feedback.ts';

/** `good`: go on. `note`: nothing to do. `wait`: one more step. `stop`: nothing was kept. */
export type Tone = 'good' | 'note' | 'wait' | 'stop';

export interface Words {
  readonly tone: Tone;
  readonly icon: string;
  readonly text: string;
  readonly more: string;
}

const words = (tone: Tone, icon: string, text: string, more = ''): Words => ({ tone, icon, text, more });

export const FEEDBACK_WORDS: Readonly<Record<FeedbackKind, Words>> = {
  welcome: words('good', '✓', 'Welcome'),
  'already-in': words('note', '✓', 'Already in'),
  goodbye: words('good', '→', 'Goodbye'),
  'already-out': words('note', '→', 'Already out'),
  undone: words('note', '↶', 'Taken back', 'The last scan at this door no longer counts.'),
  'nothing-to-undo': words('note', '↶', 'Nothing to take back', 'Only the last scan can be taken back, for two minutes.'),
  'door-in': words('note', '⇥', 'Door: in'),
  'door-out': words('note', '⇤', 'Door: out'),
  'door-both': words('note', '⇄', 'Door: in and out'),
  'staff-menu': words('note', '≡', 'Staff', 'Take back the last scan, or choose what this door is for.'),
  'thank-you': words('good', '✓', 'Thank you'),
  'please-measure-again': words('wait', '↻', 'Please measure again'),
  'please-see-staff': words('wait', '☺', 'Please see the staff'),
  'not-a-card': words('stop', '✕', 'Not a card', 'Please scan the card again, flat and close.'),
  'card-refused': words('stop', '✕', 'Card not taken here', 'It was not made for this place. Nothing was kept.'),
  'card-withdrawn': words('stop', '✕', 'Card withdrawn', 'Please hand out another card. Nothing was kept.'),
  'keep-at-home': words('stop', '⌂', 'Keep this at home', 'This is the key to the card, not the card. Nothing was kept.'),
  'not-enrolled': words('wait', '⚿', 'Not set up yet', 'Scan the code on this kiosk’s label. No card is taken until then.'),
  enrolling: words('note', '⚿', 'Code read', 'Asking the gateway.'),
  'enrol-unreached': words('wait', '↻', 'Gateway not reached', 'The code is kept and tried again: look at the network.'),
  enrolled: words('good', '✓', 'Set up', 'This kiosk is ready.'),
  'enrol-refused': words('stop', '✕', 'Code refused', 'Ask for another label.'),
  'refused-full': words('stop', '✕', 'Not kept: kiosk is full', 'Please write it on paper and call the technician.'),
  'refused-store': words('stop', '✕', 'Not kept: kiosk can not store', 'Please write it on paper and call the technician.'),
};

export const STORED_OFFLINE = 'Kept here until the gateway can be reached.';

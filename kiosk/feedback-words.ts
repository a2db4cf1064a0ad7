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
  'not-a-clinic': words('stop', '✕', 'Not at this kiosk', 'Test stickers are taken at the clinic’s own desk. Nothing was kept.'),
  'scan-card-now': words('wait', '1', 'Sticker read', 'Now scan the card.'),
  'scan-sticker-now': words('wait', '1', 'Card read', 'Now scan the sticker.'),
  'sticker-linked': words('good', '✓', 'Linked', 'Put the sticker on the form of the test.'),
  'sticker-used': words('stop', '✕', 'Sticker already used', 'Take a fresh one. Nothing was kept.'),
  'sticker-expired': words('stop', '✕', 'Sticker expired', 'No result counts for it any more. Nothing was kept.'),
  'sticker-void': words('stop', '✕', 'Sticker is void', 'It was taken out of use. Nothing was kept.'),
  'sticker-refused': words('stop', '✕', 'Sticker not taken here', 'It was not made for this place. Nothing was kept.'),
  'not-a-sticker': words('stop', '✕', 'Not a sticker', 'Please scan the sticker again, flat and close.'),
  'clinician-unknown': words('stop', '✕', 'Code not known here', 'It is another place’s, or was taken back. Nothing was kept.'),
  'scan-test-sticker': words('wait', '1', 'Code known', 'Now scan the sticker of the test.'),
  'choose-result': words('wait', '2', 'Which result?', 'Press positive, negative or void, or scan it.'),
  'no-test-yet': words('stop', '✕', 'No test to record', 'First scan your code, then the sticker.'),
  'result-recorded': words('good', '✓', 'Result recorded'),
  'result-there-already': words('stop', '✕', 'Result is there already', 'Nothing was kept.'),
  'took-too-long': words('note', '○', 'Begin again', 'It took too long: what was scanned is forgotten.'),
  'desk-cleared': words('note', '○', 'Cleared', 'What was scanned is forgotten.'),
  'not-enrolled': words('wait', '⚿', 'Not set up yet', 'Scan the code on this kiosk’s label. No card is taken until then.'),
  enrolling: words('note', '⚿', 'Code read', 'Asking the gateway.'),
  'enrol-unreached': words('wait', '↻', 'Gateway not reached', 'The code is kept and tried again: look at the network.'),
  enrolled: words('good', '✓', 'Set up', 'This kiosk is ready.'),
  'enrol-refused': words('stop', '✕', 'Code refused', 'Ask for another label.'),
  'holder-scan-key': words('wait', '⚷', 'Show your key code', 'It is on the stub, not on the card. It is used once, and forgotten.'),
  'holder-scan-to-revoke': words(
    'wait',
    '⚷',
    'Show your key code to take your card back',
    'Everything under the card is erased. It can not be undone.',
  ),
  'holder-asking': words('note', '…', 'One moment'),
  'holder-notice': words(
    'note',
    '✉',
    'There is a notice for you',
    'Please keep apart from others, and get a test. The page for holders says more.',
  ),
  'holder-no-notice': words('good', '✓', 'There is no notice for you'),
  'holder-erasing': words('good', '✓', 'Card taken back', 'It is being erased; what is switched off follows when it is back.'),
  'holder-erased': words('good', '✓', 'Card taken back', 'Everything under it is erased.'),
  'holder-refused': words('stop', '✕', 'That did not work', 'Please show the key code once more, or wait a minute.'),
  'holder-unreached': words('wait', '↻', 'Can not ask now', 'Please try again later, or use the page for holders.'),
  'holder-left': words('note', '⇥', 'Cards again'),
  'refused-full': words('stop', '✕', 'Not kept: kiosk is full', 'Please write it on paper and call the technician.'),
  'refused-store': words('stop', '✕', 'Not kept: kiosk can not store', 'Please write it on paper and call the technician.'),
};

/** The same for every notice, and small: whoever stands beside the screen need not read it. */
export const NOTICE = '✉ For you: please get tested, and stay apart from others until then. Your key code opens what it is about.';

export const STORED_OFFLINE = 'Kept here until the gateway can be reached.';

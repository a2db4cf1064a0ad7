import t from 'tap';
import { entranceName, formatPlaceAnswer, formatPlaceRequest, parsePlaceAnswer, parsePlaceRequest } from '../../protocol/kiosk-place.ts';
import fc from '../support/properties.ts';

const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }).filter((text) => entranceName.safeParse(text).data === text);

t.test('kiosk place: what is asked and answered comes back', async (t) => {
  fc.assert(fc.property(fc.option(name, { nil: undefined }), (wanted) => parsePlaceRequest(formatPlaceRequest(wanted)) === wanted));
  fc.assert(
    fc.property(name, name, (venue, entrance) => {
      t.strictSame(parsePlaceAnswer(formatPlaceAnswer({ venue, entrance })), { venue, entrance });
    }),
    { numRuns: 20 },
  );
});

t.test('kiosk place: what is no name, and what is cut, is refused', async (t) => {
  for (const wrong of ['', ' ', 'a\u001b[2J', 'x'.repeat(65), 7])
    t.throws(() => parsePlaceRequest(JSON.stringify({ name: wrong })), { code: 'decode.malformed' });
  const whole = formatPlaceRequest('Main door');
  for (let end = 0; end < whole.length; end++) t.throws(() => parsePlaceRequest(whole.slice(0, end)), { code: 'decode.malformed' });
});

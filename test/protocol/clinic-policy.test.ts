import t from 'tap';
import { CLINICIAN_DIGEST_BYTES, type ClinicPolicy, clinicianDigestOf, MOST_CLINICIANS, STICKER_LIFE_MS } from '../../protocol/clinic.ts';
import { generateSigningKey, publicKeyFromRaw, rawPublicKey } from '../../protocol/ed25519.ts';
import { type DeploymentId, type EntranceId, type KioskId, newPlaceId, type VenueId } from '../../protocol/ids.ts';
import { encodePolicy, openPolicy, type Policy } from '../../protocol/policy.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import fc from '../support/properties.ts';
import { outcomeOf } from '../support/wire.ts';

const key = generateSigningKey();
const place = { deployment: newPlaceId<DeploymentId>(), kiosk: newPlaceId<KioskId>() };
const signer = { ...place, publicKey: publicKeyFromRaw(rawPublicKey(key)) };
const policyWith = (clinic?: ClinicPolicy): Policy => ({
  version: 1,
  issuedAtMs: 1 as EpochMillis,
  expiresAtMs: 2 as EpochMillis,
  venue: newPlaceId<VenueId>(),
  entrance: newPlaceId<EntranceId>(),
  direction: undefined,
  issuers: [],
  mayTakeUnsigned: false,
  dwellMs: 3_600_000,
  threshold: undefined,
  lostCards: { key: new Uint8Array(32), marks: new Uint8Array(0) },
  ...(clinic && { clinic }),
});
const read = (clinic?: ClinicPolicy) => openPolicy(encodePolicy(policyWith(clinic), place, key), signer).clinic;

t.test('clinic policy: any comes back as it was, and one that is not there stays so', async (t) => {
  const digest = fc.uint8Array({ minLength: CLINICIAN_DIGEST_BYTES, maxLength: CLINICIAN_DIGEST_BYTES });
  const any = fc.record({
    stickerLifeMs: fc.integer({ min: STICKER_LIFE_MS.least, max: STICKER_LIFE_MS.most }),
    clinicians: fc.array(digest, { maxLength: 20 }),
  });
  fc.assert(fc.property(any, (clinic) => t.strictSame(read({ ...clinic }), { ...clinic })));
  t.equal(read(), undefined);
  const full = Array.from({ length: MOST_CLINICIANS }, (_, at) => clinicianDigestOf(new Uint8Array(16).fill(at)));
  t.equal(read({ stickerLifeMs: STICKER_LIFE_MS.usual, clinicians: full })?.clinicians.length, MOST_CLINICIANS);
});

t.test('clinic policy: a life out of bounds, a digest of another length and one clinician too many are refused', async (t) => {
  const digest = new Uint8Array(CLINICIAN_DIGEST_BYTES);
  const { least, most, usual } = STICKER_LIFE_MS;
  for (const [stickerLifeMs, clinicians] of [
    [least - 1, []],
    [most + 1, []],
    [usual, [new Uint8Array(15)]],
    [usual, [new Uint8Array(17)]],
    [usual, Array.from({ length: MOST_CLINICIANS + 1 }, () => digest)],
  ] as const)
    t.match(
      outcomeOf(() => read({ stickerLifeMs, clinicians })),
      /^decode\./,
    );
});

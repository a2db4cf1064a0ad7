"""
Writes event.json, row.json, key-record.json, batch.json, receipt.json, policy.json, notice.json, command.json and signed-time.json beside this file: a kiosk and a gateway written a second
time, in another language, from docs/protocol.md alone: own CBOR writer, own COSE, own HPKE.
Needs Python 3 and its `cryptography` package (Ed25519, X25519, AES-GCM). Not part of the test run: the vectors are kept, so that a
change of the code can not change what they expect.
"""
import hashlib, hmac, json, pathlib
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from wire_writer import cbor, fixed, sha, sign1

HERE = pathlib.Path(__file__).parent
SOURCE = "test/vectors/make-wire-vectors.py, from docs/protocol.md; Ed25519, X25519 and AES-GCM of Python's cryptography package (OpenSSL)"


# --- COSE, RFC 9052
def encrypt0(key, counter, aad, plaintext, protected=None):
    iv = bytes(4) + counter.to_bytes(8, "big")
    protected = cbor({1: 3, 5: iv}) if protected is None else protected
    return cbor([protected, {}, AESGCM(key).encrypt(iv, plaintext, cbor(["Encrypt0", protected, aad]))])


# --- HPKE base mode, RFC 9180: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM
KEM = b"KEM" + bytes.fromhex("0020")
SUITE = b"HPKE" + bytes.fromhex("002000010002")


def extract(suite, salt, label, ikm):
    return hmac.new(salt or bytes(32), b"HPKE-v1" + suite + label + ikm, "sha256").digest()


def expand(suite, prk, label, info, length):
    info = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    return hmac.new(prk, info + b"\1", "sha256").digest()[:length]


def raw(public):
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw)


def hpke_seal(recipient, info, plaintext, ikm):
    secret = X25519PrivateKey.from_private_bytes(expand(KEM, extract(KEM, b"", b"dkp_prk", ikm), b"sk", b"", 32))
    enc = raw(secret.public_key())
    dh = secret.exchange(X25519PublicKey.from_public_bytes(recipient))
    shared = expand(KEM, extract(KEM, b"", b"eae_prk", dh), b"shared_secret", enc + recipient, 32)
    context = b"\0" + extract(SUITE, b"", b"psk_id_hash", b"") + extract(SUITE, b"", b"info_hash", info)
    schedule = extract(SUITE, shared, b"secret", b"")
    key = expand(SUITE, schedule, b"key", context, 32)
    return enc, AESGCM(key).encrypt(expand(SUITE, schedule, b"base_nonce", context, 12), plaintext, b"")


# --- Fixed inputs: each the hash of its name, so that nobody chose them
DEPLOYMENT, KIOSK, OTHER_KIOSK = "d3p10ym3nt000001", "k10sk00000000001", "k10sk00000000002"
EPOCH, KEY_ID, CONTENT_KEY, BOOT = fixed("epoch", 8), fixed("key id", 8), fixed("content key"), fixed("boot", 16)
CARD, STICKER, CLINICIAN = bytearray(fixed("card", 16)), fixed("sticker", 16), fixed("clinician", 16)
CARD[6], CARD[8] = CARD[6] & 15 | 128, CARD[8] & 63 | 128
CARD = bytes(CARD)
KIOSK_SEED, RECEIPT_SEED, STRANGER_SEED = fixed("kiosk"), fixed("receipt"), fixed("stranger")
kiosk_key, receipt_key, stranger_key = (Ed25519PrivateKey.from_private_bytes(s) for s in (KIOSK_SEED, RECEIPT_SEED, STRANGER_SEED))
RECIPIENT_KEYS = [fixed("gateway recipient"), fixed("core recipient")]
RECIPIENTS = [raw(X25519PrivateKey.from_private_bytes(k).public_key()) for k in RECIPIENT_KEYS]
RECIPIENT_IDS = [hashlib.sha256(p).digest()[:8] for p in RECIPIENTS]
TOPIC = f"vestibule/1/kiosk/{KIOSK}/batch"


def X(b):
    return {"hex": b.hex()}


# --- Events
WALL, MONO = 1795251600000, 3600123
STAMP = {1: WALL, 2: MONO, 3: BOOT, 4: 0}
STAMP_JSON = {"wallMs": WALL, "monotonicMs": MONO, "bootId": X(BOOT), "clock": "synced"}
OF, OF_JSON = [KEY_ID, 1], {"keyId": X(KEY_ID), "seq": 1}
READING = {0: 4, **STAMP, 5: CARD, 6: OF, 9: 1, 10: 3630, 11: 2210, 12: 3715, 13: 3800, 14: 1, 15: 3, 16: 41, 17: True}
READING_JSON = {"type": "temperature", "card": X(CARD), "of": OF_JSON, "attempt": 1, "objectRaw": 3630, "ambientRaw": 2210, "estimate": 3715,
                "threshold": 3800, "offsetId": 1, "policyVersion": 3, "calibrationAgeDays": 41, "isRoomInRange": True}
FEWEST = {k: v for k, v in READING.items() if k not in (11, 16)} | {9: 2, 10: -10000, 12: 50000, 13: 0, 14: 0, 15: 0, 17: False}
FEWEST_JSON = {k: v for k, v in READING_JSON.items() if k not in ("ambientRaw", "calibrationAgeDays")} | {
    "attempt": 2, "objectRaw": -10000, "estimate": 50000, "threshold": 0, "offsetId": 0, "policyVersion": 0, "isRoomInRange": False}
IN = {0: 1, **STAMP, 5: CARD, 7: 1, 8: True}
IN_JSON = {"type": "check-in", "card": X(CARD), "groupSize": 1, "isSigned": True}
DEVICE = {0: 8, **STAMP, 23: "scanner-1", 24: False, 25: "device.gone"}
STATE = {0: 9, **STAMP, 26: 2, 27: -86400000}
EVENTS = [
    ("check-in of one, signed card", IN, IN_JSON, None),
    ("check-in of a group of 99, unsigned, clock unset", {**IN, 1: 0, 2: 0, 4: 2, 7: 99, 8: False}, {**IN_JSON, "groupSize": 99, "isSigned": False},
     {"wallMs": 0, "monotonicMs": 0, "bootId": X(BOOT), "clock": "unsynced"}),
    ("check-out, clock carried over, last moment and longest uptime", {0: 2, 1: 253402300799999, 2: 2**53 - 1, 3: BOOT, 4: 1, 5: CARD},
     {"type": "check-out", "card": X(CARD)}, {"wallMs": 253402300799999, "monotonicMs": 2**53 - 1, "bootId": X(BOOT), "clock": "assumed"}),
    ("undo of the last possible row", {0: 3, **STAMP, 6: [KEY_ID, 2**53 - 1]}, {"type": "undo", "of": {"keyId": X(KEY_ID), "seq": 2**53 - 1}}, None),
    ("temperature, everything known", READING, READING_JSON, None),
    ("temperature, second attempt, at its bounds, ambient and calibration unknown", FEWEST, FEWEST_JSON, None),
    ("sticker link", {0: 5, **STAMP, 5: CARD, 18: STICKER}, {"type": "sticker-link", "sticker": X(STICKER), "card": X(CARD)}, None),
    *((f"sticker result {name}", {0: 6, **STAMP, 18: STICKER, 19: CLINICIAN, 20: n},
       {"type": "sticker-result", "sticker": X(STICKER), "clinician": X(CLINICIAN), "result": name}, None)
      for n, name in enumerate(("positive", "negative", "void"))),
    ("occupancy of 12", {0: 7, **STAMP, 21: 900000, 22: 12}, {"type": "occupancy", "slotMs": 900000, "tokens": 12}, None),
    ("occupancy too small to tell", {0: 7, **STAMP, 21: 900000}, {"type": "occupancy", "slotMs": 900000}, None),
    ("notice shown", {0: 10, **STAMP, 5: CARD}, {"type": "notice-shown", "card": X(CARD)}, None),
    ("device down", DEVICE, {"type": "device-state", "device": "scanner-1", "isUp": False, "why": "device.gone"}, None),
    ("device up", {0: 8, **STAMP, 23: "t", 24: True}, {"type": "device-state", "device": "t", "isUp": True}, None),
    *((f"kiosk {name}", {0: 9, **STAMP, 26: n, 27: by}, {"type": "kiosk-state", "state": name, "byMs": by}, None)
      for n, (name, by) in enumerate((("started", 0), ("stopping", 0), ("clock-stepped", -86400000), ("store-refused", 0), ("store-recovered", 0)))),
]


def without(fields, *keys):
    return {k: v for k, v in fields.items() if k not in keys}


PLAIN = cbor(IN)
REFUSED_EVENTS = [
    ("no type", cbor(without(IN, 0)), "decode.malformed"),
    ("type 0", cbor({**IN, 0: 0}), "decode.out_of_range"),
    ("type 11, which nobody has given a meaning", cbor({**IN, 0: 11}), "decode.out_of_range"),
    ("a field of another type", cbor({**IN, 26: 0}), "decode.unsupported"),
    ("a field that nobody has given a meaning", cbor({**IN, 28: 0}), "decode.unsupported"),
    ("no card", cbor(without(IN, 5)), "decode.malformed"),
    ("card null instead of absent", cbor({**IN, 5: None}), "decode.malformed"),
    ("card of 15 bytes", cbor({**IN, 5: CARD[:15]}), "decode.malformed"),
    ("card of 17 bytes", cbor({**IN, 5: CARD + b"\0"}), "decode.malformed"),
    ("group of 0", cbor({**IN, 7: 0}), "decode.out_of_range"),
    ("group of 100", cbor({**IN, 7: 100}), "decode.out_of_range"),
    ("isSigned a number", cbor({**IN, 8: 1}), "decode.malformed"),
    ("before 1970", cbor({**IN, 1: -1}), "decode.out_of_range"),
    ("after 9999", cbor({**IN, 1: 253402300800000}), "decode.out_of_range"),
    ("monotonic time below 0", cbor({**IN, 2: -1}), "decode.out_of_range"),
    ("monotonic time of 2^53", cbor({**IN, 2: 2**53}), "decode.out_of_range"),
    ("boot id of 8 bytes", cbor({**IN, 3: BOOT[:8]}), "decode.malformed"),
    ("clock state 3", cbor({**IN, 4: 3}), "decode.out_of_range"),
    ("undo of row 0", cbor({0: 3, **STAMP, 6: [KEY_ID, 0]}), "decode.out_of_range"),
    ("undo without a key id", cbor({0: 3, **STAMP, 6: [1]}), "decode.malformed"),
    ("attempt 3", cbor({**READING, 9: 3}), "decode.out_of_range"),
    ("100.01 °C below zero", cbor({**READING, 10: -10001}), "decode.out_of_range"),
    ("500.01 °C", cbor({**READING, 12: 50001}), "decode.out_of_range"),
    ("a temperature as a float", cbor(READING).replace(cbor(3715), bytes.fromhex("f9500a")), "decode.unsupported"),
    ("calibrated more than a century ago", cbor({**READING, 16: 36526}), "decode.out_of_range"),
    ("sticker result 3", cbor({0: 6, **STAMP, 18: STICKER, 19: CLINICIAN, 20: 3}), "decode.out_of_range"),
    ("a slot of nothing", cbor({0: 7, **STAMP, 21: 0}), "decode.out_of_range"),
    ("a slot longer than a day", cbor({0: 7, **STAMP, 21: 86400001}), "decode.out_of_range"),
    ("65,536 tokens", cbor({0: 7, **STAMP, 21: 900000, 22: 65536}), "decode.out_of_range"),
    ("a device name in capitals", cbor({**DEVICE, 23: "SCANNER"}), "decode.malformed"),
    ("a device name of 33 letters", cbor({**DEVICE, 23: "s" * 33}), "decode.malformed"),
    ("a device name that is not UTF-8", cbor(DEVICE).replace(b"scanner-1", b"scanner-\xff"), "decode.not_canonical"),
    ("a reason that is no code", cbor({**DEVICE, 25: "unplugged by hand"}), "decode.malformed"),
    ("a kiosk state 5", cbor({**STATE, 26: 5}), "decode.out_of_range"),
    ("an array", cbor([1, 2]), "decode.malformed"),
    ("nothing", b"", "decode.truncated"),
    ("a byte after the end", PLAIN + b"\0", "decode.malformed"),
    ("a map of indefinite length", b"\xbf" + PLAIN[1:] + b"\xff", "decode.not_canonical"),
    ("keys out of order", b"\xa8" + PLAIN[3:] + PLAIN[1:3], "decode.not_canonical"),
    ("a key twice", b"\xa9" + PLAIN[1:3] + PLAIN[1:], "decode.not_canonical"),
    ("a number longer than it must be", b"\xa8\x00\x18\x01" + PLAIN[3:], "decode.not_canonical"),
    ("a length longer than it must be", b"\xb8\x08" + PLAIN[1:], "decode.not_canonical"),
    ("a text key", b"\xa9" + PLAIN[1:] + b"\x61a\x01", "decode.unsupported"),
    ("a tag", b"\xc1" + PLAIN, "decode.unsupported"),
    ("undefined", b"\xf7", "decode.unsupported"),
    ("a reserved head", b"\x1c", "decode.malformed"),
    ("nested 9 deep", b"\x81" * 9 + b"\0", "decode.malformed"),
    ("513 bytes", b"\x59\x01\xfe" + bytes(510), "decode.overlong"),
]


# --- Rows
def row_aad(seq, kiosk=KIOSK, key_id=KEY_ID):
    return cbor(["vestibule-row-1", DEPLOYMENT, kiosk, EPOCH, key_id, seq])


def row(seq, attempt, event):
    return encrypt0(CONTENT_KEY, attempt, row_aad(seq), cbor(event))


ROWS = [(1, 1, EVENTS[0]), (2, 2, EVENTS[4]), (4, 4, EVENTS[2])]
SEALED = [row(seq, attempt, event[1]) for seq, attempt, event in ROWS]
counting = cbor({1: 3, 5: b"\1" + bytes(10) + b"\1"})
REFUSED_ROWS = [
    ("sealed for another kiosk", encrypt0(CONTENT_KEY, 1, row_aad(1, OTHER_KIOSK), PLAIN), "seal.open"),
    ("sealed for another sequence number", encrypt0(CONTENT_KEY, 1, row_aad(2), PLAIN), "seal.open"),
    ("sealed for another key id", encrypt0(CONTENT_KEY, 1, row_aad(1, key_id=bytes(8)), PLAIN), "seal.open"),
    ("sealed under another key", encrypt0(bytes(32), 1, row_aad(1), PLAIN), "seal.open"),
    ("an algorithm of a shorter key", encrypt0(CONTENT_KEY, 1, row_aad(1), PLAIN, cbor({1: 1, 5: bytes(11) + b"\1"})), "decode.unsupported"),
    ("no IV", encrypt0(CONTENT_KEY, 1, row_aad(1), PLAIN, cbor({1: 3})), "decode.unsupported"),
    ("an IV of 8 bytes", encrypt0(CONTENT_KEY, 1, row_aad(1), PLAIN, cbor({1: 3, 5: bytes(8)})), "decode.unsupported"),
    ("an IV that is no counter", encrypt0(CONTENT_KEY, 1, row_aad(1), PLAIN, counting), "decode.unsupported"),
    ("a key id in the header", encrypt0(CONTENT_KEY, 1, row_aad(1), PLAIN, cbor({1: 3, 4: b"1", 5: bytes(11) + b"\1"})), "decode.unsupported"),
    ("the IV unprotected", cbor([cbor({1: 3}), {5: bytes(12)}, bytes(32)]), "decode.unsupported"),
    ("no ciphertext", cbor([cbor({1: 3, 5: bytes(12)}), {}, bytes(15)]), "decode.malformed"),
    ("tagged 16", b"\xd0" + SEALED[0], "decode.unsupported"),
    ("an event inside that is none", encrypt0(CONTENT_KEY, 1, row_aad(1), b"\xa0"), "decode.malformed"),
]


# --- Key records
def wrap(n, epoch=EPOCH, key_id=KEY_ID, kiosk=KIOSK, ikm=None):
    info = cbor(["vestibule-content-key-1", DEPLOYMENT, kiosk, epoch, key_id, RECIPIENT_IDS[n]])
    return [RECIPIENT_IDS[n], *hpke_seal(RECIPIENTS[n], info, CONTENT_KEY, ikm or IKMS[n])]


IKMS = [fixed("ephemeral 0"), fixed("ephemeral 1")]
RECORD_AAD = cbor(["vestibule-key-record-1", DEPLOYMENT, KIOSK])
record_payload = cbor([EPOCH, KEY_ID, [wrap(0)]])
RECORD = sign1(kiosk_key, RECORD_AAD, record_payload)
TWO = sign1(kiosk_key, RECORD_AAD, cbor([EPOCH, KEY_ID, [wrap(0), wrap(1)]]))


def signed_record(payload):
    return sign1(kiosk_key, RECORD_AAD, cbor(payload))


REFUSED_RECORDS = [
    ("signed by another", sign1(stranger_key, RECORD_AAD, record_payload), "seal.signature"),
    ("signed for another kiosk", sign1(kiosk_key, cbor(["vestibule-key-record-1", DEPLOYMENT, OTHER_KIOSK]), record_payload), "seal.signature"),
    ("signed as a batch", sign1(kiosk_key, cbor(["vestibule-batch-1", DEPLOYMENT, TOPIC]), record_payload), "seal.signature"),
    ("signed as EdDSA (-8)", sign1(kiosk_key, RECORD_AAD, record_payload, cbor({1: -8})), "decode.unsupported"),
    ("a key id in the protected header", sign1(kiosk_key, RECORD_AAD, record_payload, cbor({1: -19, 4: b"1"})), "decode.unsupported"),
    ("an empty protected header", sign1(kiosk_key, RECORD_AAD, record_payload, b""), "decode.unsupported"),
    ("an unprotected header", b"\x84" + cbor(cbor({1: -19})) + cbor({4: b"1"}) + cbor(record_payload) + cbor(bytes(64)), "decode.unsupported"),
    ("no recipients", signed_record([EPOCH, KEY_ID, []]), "decode.malformed"),
    ("nine recipients", signed_record([EPOCH, KEY_ID, [[bytes([n]) * 8, bytes(32), bytes(48)] for n in range(9)]]), "decode.malformed"),
    ("a recipient twice", signed_record([EPOCH, KEY_ID, [wrap(0), wrap(0)]]), "decode.malformed"),
    ("an epoch of 7 bytes", signed_record([EPOCH[:7], KEY_ID, [wrap(0)]]), "decode.malformed"),
    ("a ciphertext of 47 bytes", signed_record([EPOCH, KEY_ID, [[RECIPIENT_IDS[0], bytes(32), bytes(47)]]]), "decode.malformed"),
    ("a signature of 63 bytes", cbor([cbor({1: -19}), {}, record_payload, bytes(63)]), "decode.malformed"),
    ("tagged 18", b"\xd2" + RECORD, "decode.unsupported"),
]
moved = wrap(0, kiosk=OTHER_KIOSK)
UNOPENABLE = [
    ("for the core alone", signed_record([EPOCH, KEY_ID, [wrap(1)]]), "seal.unknown_recipient"),
    ("wrapped for another kiosk", signed_record([EPOCH, KEY_ID, [moved]]), "seal.open"),
    ("wrapped for another epoch", signed_record([bytes(8), KEY_ID, [wrap(0)]]), "seal.open"),
    ("wrapped for another key id", signed_record([EPOCH, bytes(8), [wrap(0)]]), "seal.open"),
    ("wrapped for another recipient", signed_record([EPOCH, KEY_ID, [[RECIPIENT_IDS[0], *wrap(1)[1:]]]]), "seal.open"),
    ("an ephemeral key of small order", signed_record([EPOCH, KEY_ID, [[RECIPIENT_IDS[0], bytes(32), wrap(0)[2]]]]), "seal.open"),
]

# --- Batches
SENT = [BOOT, MONO + 1500]
BATCH_AAD = cbor(["vestibule-batch-1", DEPLOYMENT, TOPIC])


LISTED = [[seq, sha(r)] for (seq, _, _), r in zip(ROWS, SEALED)]


def signed_list(payload, key=kiosk_key, aad=BATCH_AAD):
    return sign1(key, aad, cbor(payload))


LIST = signed_list([KEY_ID, SENT, LISTED])
BATCH = cbor([RECORD, LIST, SEALED])
ONE = cbor([RECORD, signed_list([KEY_ID, SENT, LISTED[:1]]), SEALED[:1]])


def batch(sign, rows=SEALED):
    return cbor([RECORD, sign, rows])


REFUSED_BATCHES = [
    ("signed by another", batch(signed_list([KEY_ID, SENT, LISTED], stranger_key)), "seal.signature"),
    ("signed for another topic", batch(signed_list([KEY_ID, SENT, LISTED], aad=cbor(["vestibule-batch-1", DEPLOYMENT, TOPIC.replace(KIOSK, OTHER_KIOSK)]))), "seal.signature"),
    ("signed for another deployment", batch(signed_list([KEY_ID, SENT, LISTED], aad=cbor(["vestibule-batch-1", KIOSK, TOPIC]))), "seal.signature"),
    ("a row that is not listed", batch(signed_list([KEY_ID, SENT, LISTED[:2]])), "seal.digest"),
    ("a row twice", batch(LIST, [SEALED[0], SEALED[0]]), "seal.digest"),
    ("sequence numbers that do not ascend", batch(signed_list([KEY_ID, SENT, [LISTED[1], LISTED[0]]]), SEALED[:2]), "decode.malformed"),
    ("a sequence number twice", batch(signed_list([KEY_ID, SENT, [LISTED[0], [1, LISTED[1][1]]]]), SEALED[:2]), "decode.malformed"),
    ("a digest twice", batch(signed_list([KEY_ID, SENT, [LISTED[0], [2, LISTED[0][1]]]]), SEALED[:1]), "decode.malformed"),
    ("sequence number 0", batch(signed_list([KEY_ID, SENT, [[0, LISTED[0][1]]]]), SEALED[:1]), "decode.out_of_range"),
    ("an empty list", batch(signed_list([KEY_ID, SENT, []]), SEALED[:1]), "decode.malformed"),
    ("65 listed rows", batch(signed_list([KEY_ID, SENT, [[n, sha(bytes([n]))] for n in range(1, 66)]]), SEALED[:1]), "decode.malformed"),
    ("no rows", batch(LIST, []), "decode.malformed"),
    ("65 rows", batch(LIST, [bytes([n]) for n in range(65)]), "decode.malformed"),
    ("a row of 1,025 bytes", batch(LIST, [bytes(1025)]), "decode.malformed"),
    ("a digest of 31 bytes", batch(signed_list([KEY_ID, SENT, [[1, bytes(31)]]]), SEALED[:1]), "decode.malformed"),
    ("no time of sending", batch(signed_list([KEY_ID, None, LISTED])), "decode.malformed"),
]

# --- Receipts
RECEIPT_AAD = cbor(["vestibule-receipt-1", DEPLOYMENT, KIOSK])


def receipt(ranges, key=receipt_key, aad=RECEIPT_AAD, digest=sha(BATCH)):
    return sign1(key, aad, cbor([digest, ranges]))


RECEIPTS = [
    ("all accepted", [[1, 4, 0, None]]),
    ("one of each", [[1, 1, 0, None], [2, 3, 1, None], [4, 4, 2, "ingest.conflict"], [9, 12, 3, "seal.open"]]),
    ("a batch whose list could not be read", [[1, 2**53 - 1, 3, "seal.signature"]]),
]
OUTCOMES = ["accepted", "duplicate", "conflict", "quarantined", "erased"]
REFUSED_RECEIPTS = [
    ("signed by another", receipt(RECEIPTS[0][1], stranger_key), "seal.signature"),
    ("signed for another kiosk", receipt(RECEIPTS[0][1], aad=cbor(["vestibule-receipt-1", DEPLOYMENT, OTHER_KIOSK])), "seal.signature"),
    ("no ranges", receipt([]), "decode.malformed"),
    ("65 ranges", receipt([[n, n, 0, None] for n in range(1, 66)]), "decode.malformed"),
    ("a range that ends before it starts", receipt([[2, 1, 0, None]]), "decode.malformed"),
    ("ranges that overlap", receipt([[1, 2, 0, None], [2, 3, 1, None]]), "decode.malformed"),
    ("outcome 5", receipt([[1, 1, 5, None]]), "decode.out_of_range"),
    ("a reason that is no code", receipt([[1, 1, 3, "because"]]), "decode.malformed"),
    ("a digest of 20 bytes", receipt(RECEIPTS[0][1], digest=bytes(20)), "decode.malformed"),
]

# --- Policy
POLICY_TOPIC = f"vestibule/1/kiosk/{KIOSK}/policy"
POLICY_AAD = cbor(["vestibule-policy-1", DEPLOYMENT, POLICY_TOPIC])
VENUE, ENTRANCE = "venve00000000001", "entrance00000001"
FILTER_KEY = fixed("lost-card filter")
ISSUERS = [raw(Ed25519PrivateKey.from_private_bytes(fixed(f"issuer {n}")).public_key()) for n in range(2)]


def version_8(name):
    card = bytearray(fixed(name, 16))
    card[6], card[8] = card[6] & 15 | 128, card[8] & 63 | 128
    return bytes(card)


LOST = [version_8(f"lost card {n}") for n in range(5)]


def lost_digest(card):
    return hashlib.sha256(b"vestibule-lost-card-1\0" + card).digest()[:16]


def lost_mark(card):
    aes = Cipher(algorithms.AES(FILTER_KEY), modes.ECB()).encryptor()
    return aes.update(lost_digest(card))[:5]


MARKS = b"".join(sorted(map(lost_mark, LOST)))
ISSUED, EXPIRES = WALL, WALL + 30 * 86_400_000
FULL = {0: 1795251600, 1: ISSUED, 2: EXPIRES, 3: VENUE, 4: ENTRANCE, 5: 2, 6: ISSUERS, 7: True, 8: 7_200_000, 9: 3780, 10: [FILTER_KEY, MARKS]}
FULL_JSON = {"version": 1795251600, "issuedAtMs": ISSUED, "expiresAtMs": EXPIRES, "venue": VENUE, "entrance": ENTRANCE, "direction": "both",
             "issuers": [X(i) for i in ISSUERS], "mayTakeUnsigned": True, "dwellMs": 7_200_000, "threshold": 3780,
             "lostCards": {"key": X(FILTER_KEY), "marks": X(MARKS)}}
BARE = {k: v for k, v in FULL.items() if k not in (5, 9)} | {0: 1, 6: [], 7: False, 8: 60_000, 10: [FILTER_KEY, b""]}
BARE_JSON = {k: v for k, v in FULL_JSON.items() if k not in ("direction", "threshold")} | {
    "version": 1, "issuers": [], "mayTakeUnsigned": False, "dwellMs": 60_000, "lostCards": {"key": X(FILTER_KEY), "marks": X(b"")}}


def policy(fields, key=receipt_key, aad=POLICY_AAD):
    return sign1(key, aad, cbor(fields))


TOMBSTONE_KEY = hashlib.sha256(b"tombstones").digest()


def revoked_mark(card):
    aes = Cipher(algorithms.AES(FILTER_KEY), modes.ECB()).encryptor()
    return aes.update(hashlib.sha256(TOMBSTONE_KEY + card).digest()[:16])[:5]


REVOKED = b"".join(sorted(map(revoked_mark, LOST)))
TAKEN_BACK = FULL | {11: [TOMBSTONE_KEY, REVOKED]}
TAKEN_BACK_JSON = FULL_JSON | {"revokedCards": {"tombstoneKey": X(TOMBSTONE_KEY), "marks": X(REVOKED)}}
POLICIES = [
    ("everything said", FULL, FULL_JSON),
    ("as little as may be, nothing lost", BARE, BARE_JSON),
    ("cards that were taken back", TAKEN_BACK, TAKEN_BACK_JSON),
]
REFUSED_POLICIES = [
    ("cards taken back, and none of them", policy(FULL | {11: [TOMBSTONE_KEY, b""]}), "decode.malformed"),
    ("cards taken back, in parts of marks", policy(FULL | {11: [TOMBSTONE_KEY, REVOKED[:-1]]}), "decode.malformed"),
    ("signed by another", policy(FULL, stranger_key), "seal.signature"),
    ("signed for another kiosk", policy(FULL, aad=cbor(["vestibule-policy-1", DEPLOYMENT, POLICY_TOPIC.replace(KIOSK, OTHER_KIOSK)])), "seal.signature"),
    ("signed for another deployment", policy(FULL, aad=cbor(["vestibule-policy-1", KIOSK, POLICY_TOPIC])), "seal.signature"),
    ("a receipt of the same key", receipt(RECEIPTS[0][1]), "seal.signature"),
    ("an array", policy([FULL]), "decode.malformed"),
    ("no version", policy(without(FULL, 0)), "decode.malformed"),
    ("version 0", policy({**FULL, 0: 0}), "decode.out_of_range"),
    ("version 2^32", policy({**FULL, 0: 2**32}), "decode.out_of_range"),
    ("over before it begins", policy({**FULL, 2: ISSUED}), "decode.malformed"),
    ("no end", policy(without(FULL, 2)), "decode.malformed"),
    ("a venue that is no id", policy({**FULL, 3: "Town library"}), "decode.malformed"),
    ("direction 3", policy({**FULL, 5: 3}), "decode.out_of_range"),
    ("65 issuers", policy({**FULL, 6: [bytes([n]) * 32 for n in range(65)]}), "decode.malformed"),
    ("an issuer of 31 bytes", policy({**FULL, 6: [bytes(31)]}), "decode.malformed"),
    ("unsigned cards a number", policy({**FULL, 7: 1}), "decode.malformed"),
    ("a stay of less than a minute", policy({**FULL, 8: 59_999}), "decode.out_of_range"),
    ("a stay of more than two days", policy({**FULL, 8: 172_800_001}), "decode.out_of_range"),
    ("a threshold of 34.99 °C", policy({**FULL, 9: 3499}), "decode.out_of_range"),
    ("a threshold of 42.01 °C", policy({**FULL, 9: 4201}), "decode.out_of_range"),
    ("no lost cards, not even none", policy(without(FULL, 10)), "decode.malformed"),
    ("a filter key of 16 bytes", policy({**FULL, 10: [FILTER_KEY[:16], MARKS]}), "decode.malformed"),
    ("half a mark", policy({**FULL, 10: [FILTER_KEY, MARKS[:-1]]}), "decode.malformed"),
    ("marks that do not ascend", policy({**FULL, 10: [FILTER_KEY, MARKS[5:10] + MARKS[:5]]}), "decode.malformed"),
    ("a mark twice", policy({**FULL, 10: [FILTER_KEY, MARKS[:5] * 2]}), "decode.malformed"),
    ("10,001 marks", policy({**FULL, 10: [FILTER_KEY, b"".join(n.to_bytes(5, "big") for n in range(10_001))]}), "decode.malformed"),
    ("a rule that has to be known and is not", policy({**FULL, 63: 0}), "decode.unsupported"),
]

# --- Notices
NOTICE_TOPIC = f"vestibule/1/kiosk/{KIOSK}/notice"
NOTICE_AAD = cbor(["vestibule-notice-1", DEPLOYMENT, NOTICE_TOPIC])
NOTICE_KEY = fixed("notice document")
NOTICED = [(version_8(f"noticed card {n}"), 1796461200000 if n < 3 else 1795424400000) for n in range(5)]


def notice_digest(card):
    return hashlib.sha256(b"vestibule-notice-1\0" + card).digest()[:16]


def notice_mark(card):
    aes = Cipher(algorithms.AES(NOTICE_KEY), modes.ECB()).encryptor()
    return aes.update(notice_digest(card))[:5]


GROUPS = [[end, b"".join(sorted(notice_mark(card) for card, ends in NOTICED if ends == end))] for end in sorted({ends for _, ends in NOTICED})]
NOTICES = {0: 1795251600, 1: ISSUED, 2: ISSUED + 14 * 86_400_000, 3: NOTICE_KEY, 4: GROUPS}
NOTICES_JSON = {"version": 1795251600, "issuedAtMs": ISSUED, "expiresAtMs": ISSUED + 14 * 86_400_000, "key": X(NOTICE_KEY),
                "groups": [{"endsAtMs": end, "marks": X(marks)} for end, marks in GROUPS]}
NONE, NONE_JSON = {**NOTICES, 0: 1, 4: []}, {**NOTICES_JSON, "version": 1, "groups": []}
MANY = b"".join(n.to_bytes(5, "big") for n in range(20_001))


def notice(fields, key=receipt_key, aad=NOTICE_AAD):
    return sign1(key, aad, cbor(fields))


REFUSED_NOTICES = [
    ("signed by another", notice(NOTICES, stranger_key), "seal.signature"),
    ("signed for another kiosk", notice(NOTICES, aad=cbor(["vestibule-notice-1", DEPLOYMENT, NOTICE_TOPIC.replace(KIOSK, OTHER_KIOSK)])), "seal.signature"),
    ("signed for another deployment", notice(NOTICES, aad=cbor(["vestibule-notice-1", KIOSK, NOTICE_TOPIC])), "seal.signature"),
    ("a policy of the same key", policy(FULL), "seal.signature"),
    ("an array", notice([NOTICES]), "decode.malformed"),
    ("no version", notice(without(NOTICES, 0)), "decode.malformed"),
    ("version 0", notice({**NOTICES, 0: 0}), "decode.out_of_range"),
    ("version 2^32", notice({**NOTICES, 0: 2**32}), "decode.out_of_range"),
    ("over before it begins", notice({**NOTICES, 2: ISSUED}), "decode.malformed"),
    ("a key of 16 bytes", notice({**NOTICES, 3: NOTICE_KEY[:16]}), "decode.malformed"),
    ("no groups, not even none", notice(without(NOTICES, 4)), "decode.malformed"),
    ("an end within a quarter of an hour", notice({**NOTICES, 4: [[GROUPS[0][0] + 1, GROUPS[0][1]]]}), "decode.malformed"),
    ("ends that do not ascend", notice({**NOTICES, 4: GROUPS[::-1]}), "decode.malformed"),
    ("an end twice", notice({**NOTICES, 4: [GROUPS[0], GROUPS[0]]}), "decode.malformed"),
    ("a group of nobody", notice({**NOTICES, 4: [[GROUPS[0][0], b""]]}), "decode.malformed"),
    ("half a mark", notice({**NOTICES, 4: [[GROUPS[0][0], GROUPS[0][1][:-1]]]}), "decode.malformed"),
    ("marks that do not ascend", notice({**NOTICES, 4: [[GROUPS[1][0], GROUPS[1][1][5:10] + GROUPS[1][1][:5]]]}), "decode.malformed"),
    ("20,001 marks in two groups", notice({**NOTICES, 4: [[900_000, MANY[:5]], [1_800_000, MANY[5:]]]}), "decode.malformed"),
    ("2,049 groups", notice({**NOTICES, 4: [[n * 900_000, MANY[:5]] for n in range(2_049)]}), "decode.malformed"),
    ("a field that has to be known and is not", notice({**NOTICES, 63: 0}), "decode.unsupported"),
]

# --- Stickers, in the notices of a clinic's desk
DESK_HOUR = 1796461200000
STICKERS = [(version_8(f"sticker {n}"), standing, end) for n, (standing, end) in enumerate(
    [("done", 0), ("done", 0), ("void", 0), ("linked", DESK_HOUR), ("linked", DESK_HOUR), ("linked", DESK_HOUR + 3_600_000)])]


def sticker_digest(sticker):
    return hashlib.sha256(b"vestibule-sticker-1\0" + sticker).digest()[:16]


def sticker_mark(sticker):
    aes = Cipher(algorithms.AES(NOTICE_KEY), modes.ECB()).encryptor()
    return aes.update(sticker_digest(sticker))[:5]


def sticker_marks(standing, end=0):
    return b"".join(sorted(sticker_mark(sticker) for sticker, is_, ends in STICKERS if (is_, ends) == (standing, end)))


LINKED = [[end, sticker_marks("linked", end)] for end in (DESK_HOUR, DESK_HOUR + 3_600_000)]
DESK = {**NOTICES, 0: 1795251601, 65: [sticker_marks("done"), sticker_marks("void"), LINKED]}
DESK_JSON = {**NOTICES_JSON, "version": 1795251601, "stickers": {"done": X(sticker_marks("done")), "voided": X(sticker_marks("void")),
             "linked": [{"endsAtMs": end, "marks": X(marks)} for end, marks in LINKED]}}
EMPTY_DESK, EMPTY_DESK_JSON = {**NONE, 65: [b"", b"", []]}, {**NONE_JSON, "stickers": {"done": X(b""), "voided": X(b""), "linked": []}}
REFUSED_BY_DESKS = [(name, notice({**NOTICES, 65: stickers}), "decode.malformed") for name, stickers in [
    ("stickers that are no list", b""),
    ("done and void alone", [b"", b""]),
    ("half a sticker's mark", [b"", DESK[65][1][:-1], []]),
    ("stickers' marks that do not ascend", [DESK[65][0][5:] + DESK[65][0][:5], b"", []]),
    ("a sticker's mark twice", [b"", DESK[65][1] * 2, []]),
    ("an end within an hour", [b"", b"", [[DESK_HOUR + 1, LINKED[0][1]]]]),
    ("links' ends that do not ascend", [b"", b"", LINKED[::-1]]),
    ("a link's end twice", [b"", b"", [LINKED[0], LINKED[0]]]),
    ("an end of no sticker", [b"", b"", [[DESK_HOUR, b""]]]),
    ("10,001 stickers in all", [MANY[:25_000], b"", [[DESK_HOUR, MANY[:25_005]]]]),
    ("1,025 ends", [b"", b"", [[n * 3_600_000, MANY[:5]] for n in range(1_025)]]),
]]

# --- The time
TIME_AAD = cbor(["vestibule-time-1", DEPLOYMENT])
NONCE = fixed("nonce", 16)


def signed_time(payload, key=receipt_key, aad=TIME_AAD):
    return sign1(key, aad, cbor(payload))


TIMES = [("a morning in 2026", 1795251600000), ("the beginning of 1970", 0), ("the end of 9999", 253402300799999)]
REFUSED_TIMES = [
    ("signed by another", signed_time([NONCE, 0], stranger_key), "seal.signature"),
    ("signed for another deployment", signed_time([NONCE, 0], aad=cbor(["vestibule-time-1", KIOSK])), "seal.signature"),
    ("for another nonce", signed_time([fixed("another nonce", 16), 0]), "seal.signature"),
    ("a nonce of 15 bytes", signed_time([NONCE[:15], 0]), "decode.malformed"),
    ("no nonce", signed_time([0]), "decode.malformed"),
    ("before 1970", signed_time([NONCE, -1]), "decode.out_of_range"),
    ("after 9999", signed_time([NONCE, 253402300800000]), "decode.out_of_range"),
    ("more than a time", signed_time([NONCE, 0, 0]), "decode.malformed"),
]


def write(name, content):
    text = json.dumps({"source": SOURCE, **content}, indent=2, ensure_ascii=False)
    (HERE / name).write_text(text + "\n")


# --- Command: send again
COMMAND_TOPIC = f"vestibule/1/kiosk/{KIOSK}/command"
COMMAND_AAD = cbor(["vestibule-command-1", DEPLOYMENT, COMMAND_TOPIC])
OTHER_KEY = fixed("another content key")[:8]
AGAIN = {0: 1, 1: 1795251600, 2: ISSUED, 3: EXPIRES, 4: [[KEY_ID, [[1, 2], [4, 900]]], [OTHER_KEY, []]]}
AGAIN_JSON = {"version": 1795251600, "issuedAtMs": ISSUED, "expiresAtMs": EXPIRES,
              "had": [{"keyId": X(KEY_ID), "ranges": [{"from": 1, "to": 2}, {"from": 4, "to": 900}]}, {"keyId": X(OTHER_KEY), "ranges": []}]}
NOTHING_HAD = {**AGAIN, 1: 1, 4: []}
NOTHING_HAD_JSON = {**AGAIN_JSON, "version": 1, "had": []}


def command(fields, key=receipt_key, aad=COMMAND_AAD):
    return sign1(key, aad, cbor(fields))


COMMANDS = [("two keys, one with a gap", AGAIN, AGAIN_JSON), ("the gateway has nothing", NOTHING_HAD, NOTHING_HAD_JSON)]
REFUSED_COMMANDS = [
    ("signed by another", command(AGAIN, stranger_key), "seal.signature"),
    ("signed for another kiosk", command(AGAIN, aad=cbor(["vestibule-command-1", DEPLOYMENT, COMMAND_TOPIC.replace(KIOSK, OTHER_KIOSK)])), "seal.signature"),
    ("signed for another deployment", command(AGAIN, aad=cbor(["vestibule-command-1", KIOSK, COMMAND_TOPIC])), "seal.signature"),
    ("a policy's signature", command(AGAIN, aad=POLICY_AAD), "seal.signature"),
    ("an array", command([AGAIN]), "decode.malformed"),
    ("no kind", command(without(AGAIN, 0)), "decode.malformed"),
    ("another kind", command({**AGAIN, 0: 2}), "decode.unsupported"),
    ("no version", command(without(AGAIN, 1)), "decode.malformed"),
    ("version 0", command({**AGAIN, 1: 0}), "decode.out_of_range"),
    ("version 2^32", command({**AGAIN, 1: 2**32}), "decode.out_of_range"),
    ("over before it begins", command({**AGAIN, 3: ISSUED}), "decode.malformed"),
    ("no keys", command(without(AGAIN, 4)), "decode.malformed"),
    ("65 keys", command({**AGAIN, 4: [[bytes([n]) * 8, []] for n in range(65)]}), "decode.malformed"),
    ("a key twice", command({**AGAIN, 4: [[KEY_ID, []], [KEY_ID, [[1, 2]]]]}), "decode.malformed"),
    ("a key of 7 bytes", command({**AGAIN, 4: [[KEY_ID[:7], []]]}), "decode.malformed"),
    ("17 ranges", command({**AGAIN, 4: [[KEY_ID, [[2 * n, 2 * n] for n in range(1, 18)]]]}), "decode.malformed"),
    ("ranges that overlap", command({**AGAIN, 4: [[KEY_ID, [[1, 4], [4, 5]]]]}), "decode.malformed"),
    ("a range that goes back", command({**AGAIN, 4: [[KEY_ID, [[4, 2]]]]}), "decode.malformed"),
    ("a range from 0", command({**AGAIN, 4: [[KEY_ID, [[0, 2]]]]}), "decode.out_of_range"),
    ("a field that has to be known and is not", command({**AGAIN, 63: 0}), "decode.unsupported"),
]


def refused(cases):
    return [{"name": name, "hex": data.hex(), "error": error} for name, data, error in cases]


PLACE = {"deployment": DEPLOYMENT, "kiosk": KIOSK, "epoch": X(EPOCH), "keyId": X(KEY_ID)}
write("event.json", {
    "events": [{"name": name, "hex": cbor(fields).hex(), "event": {"stamp": stamp or STAMP_JSON, **value}} for name, fields, value, stamp in EVENTS],
    "refused": refused(REFUSED_EVENTS),
})
write("row.json", {
    "place": PLACE,
    "contentKey": X(CONTENT_KEY),
    "rows": [{"name": e[0], "seq": seq, "attempt": attempt, "externalAad": row_aad(seq).hex(), "event": cbor(e[1]).hex(), "hex": r.hex(), "digest": sha(r).hex()}
             for (seq, attempt, e), r in zip(ROWS, SEALED)],
    "refused": refused(REFUSED_ROWS),
})
write("key-record.json", {
    "place": PLACE,
    "kioskSeed": X(KIOSK_SEED),
    "kioskPublicKey": raw(kiosk_key.public_key()).hex(),
    "contentKey": X(CONTENT_KEY),
    "recipients": [{"privateKey": X(k), "publicKey": X(p), "id": X(i)} for k, p, i in zip(RECIPIENT_KEYS, RECIPIENTS, RECIPIENT_IDS)],
    "ephemeralIkms": [X(ikm) for ikm in IKMS],
    "info": cbor(["vestibule-content-key-1", DEPLOYMENT, KIOSK, EPOCH, KEY_ID, RECIPIENT_IDS[0]]).hex(),
    "externalAad": RECORD_AAD.hex(),
    "payload": record_payload.hex(),
    "records": [{"name": "for the gateway", "recipientCount": 1, "hex": RECORD.hex()}, {"name": "for the gateway and the core", "recipientCount": 2, "hex": TWO.hex()}],
    "refused": refused(REFUSED_RECORDS),
    "unopenable": refused(UNOPENABLE),
})
write("batch.json", {
    "place": PLACE,
    "topic": TOPIC,
    "kioskSeed": X(KIOSK_SEED),
    "sentAt": {"bootId": X(BOOT), "monotonicMs": MONO + 1500},
    "externalAad": BATCH_AAD.hex(),
    "payload": cbor([KEY_ID, SENT, LISTED]).hex(),
    "batches": [{"name": "three rows, one number left out", "seqs": [1, 2, 4], "hex": BATCH.hex(), "sign1": LIST.hex(), "digest": sha(BATCH).hex()},
                {"name": "one row", "seqs": [1], "hex": ONE.hex(), "sign1": signed_list([KEY_ID, SENT, LISTED[:1]]).hex(), "digest": sha(ONE).hex()}],
    "refused": refused(REFUSED_BATCHES),
})
write("receipt.json", {
    "place": PLACE,
    "receiptSeed": X(RECEIPT_SEED),
    "receiptPublicKey": raw(receipt_key.public_key()).hex(),
    "externalAad": RECEIPT_AAD.hex(),
    "receipts": [{"name": name, "receipt": {"batchDigest": X(sha(BATCH)), "ranges": [{"from": a, "to": b, "outcome": OUTCOMES[o], **({"reason": r} if r else {})} for a, b, o, r in ranges]},
                  "hex": receipt(ranges).hex()} for name, ranges in RECEIPTS],
    "refused": refused(REFUSED_RECEIPTS),
})
write("policy.json", {
    "place": PLACE,
    "receiptSeed": X(RECEIPT_SEED),
    "receiptPublicKey": raw(receipt_key.public_key()).hex(),
    "externalAad": POLICY_AAD.hex(),
    "lost": [{"card": X(card), "digest": lost_digest(card).hex(), "mark": lost_mark(card).hex()} for card in LOST],
    "notLost": [X(CARD)],
    "filterKey": FILTER_KEY.hex(),
    "marks": MARKS.hex(),
    "policies": [{"name": name, "policy": value, "payload": cbor(fields).hex(), "hex": policy(fields).hex()} for name, fields, value in POLICIES],
    "passable": {"name": "a rule that may be passed over", "policy": FULL_JSON, "hex": policy({**FULL, 65: "later"}).hex()},
    "refused": refused(REFUSED_POLICIES),
})
write("notice.json", {
    "place": PLACE,
    "receiptSeed": X(RECEIPT_SEED),
    "receiptPublicKey": raw(receipt_key.public_key()).hex(),
    "externalAad": NOTICE_AAD.hex(),
    "noticed": [{"card": X(card), "digest": notice_digest(card).hex(), "mark": notice_mark(card).hex(), "endsAtMs": ends} for card, ends in NOTICED],
    "notNoticed": [X(CARD)],
    "documents": [{"name": name, "document": value, "payload": cbor(fields).hex(), "hex": notice(fields).hex()}
                  for name, fields, value in (("five cards, two ends", NOTICES, NOTICES_JSON), ("nobody", NONE, NONE_JSON),
                                              ("a desk's: five cards, six stickers", DESK, DESK_JSON), ("a desk's: nobody, no sticker", EMPTY_DESK, EMPTY_DESK_JSON))],
    "stickers": [{"sticker": X(sticker), "digest": sticker_digest(sticker).hex(), "mark": sticker_mark(sticker).hex(), "standing": standing, "endsAtMs": ends}
                 for sticker, standing, ends in STICKERS],
    "freeStickers": [X(CARD)],
    "refusedByDesks": refused(REFUSED_BY_DESKS),
    "passable": {"name": "a field from 64 on, which is passed over", "document": NOTICES_JSON, "hex": notice({**NOTICES, 64: "later"}).hex()},
    "refused": refused(REFUSED_NOTICES),
})
write("command.json", {
    "place": PLACE,
    "receiptSeed": X(RECEIPT_SEED),
    "receiptPublicKey": raw(receipt_key.public_key()).hex(),
    "externalAad": COMMAND_AAD.hex(),
    "commands": [{"name": name, "command": value, "payload": cbor(fields).hex(), "hex": command(fields).hex()} for name, fields, value in COMMANDS],
    "passable": {"name": "a field from 64 on, which is passed over", "command": AGAIN_JSON, "hex": command({**AGAIN, 64: "later"}).hex()},
    "refused": refused(REFUSED_COMMANDS),
})
write("signed-time.json", {
    "deployment": DEPLOYMENT,
    "receiptSeed": X(RECEIPT_SEED),
    "receiptPublicKey": raw(receipt_key.public_key()).hex(),
    "externalAad": TIME_AAD.hex(),
    "times": [{"name": name, "nonce": NONCE.hex(), "atMs": at, "hex": signed_time([NONCE, at]).hex()} for name, at in TIMES],
    "refused": refused(REFUSED_TIMES),
})

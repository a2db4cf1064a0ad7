#!/usr/bin/env python3
"""A kiosk in Python, by somebody who had docs/protocol.md and the vectors, and none of our code.

Python 3.11, the standard library and `cryptography`, 38 or later. Section numbers (§) are those of the page. What it leaves out: devices, a
screen, dropping rows after 21 days, and sending again after a restore (§21 is read, not carried out).

    kiosk.py enrol DIR CODE          become a kiosk (or move to another door)
    kiosk.py scan DIR in|out TEXT..  take cards, send them, print what the gateway said
    kiosk.py renew DIR               ask for the papers again
    kiosk.py time DIR                the signed time
"""
import base64, binascii, datetime, hashlib, hmac, json, os, re, secrets, select, socket, sqlite3, ssl, struct, sys, time

from cryptography import x509
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

VERSION = "stranger-3"
MAX_INT = 2**53 - 1
MAX_WALL = 253402300799999


class Refused(Exception):
    """Something that the page says is to be refused; `code` is its error code."""

    def __init__(self, code, why=""):
        super().__init__(f"{code}: {why}" if why else code)
        self.code = code


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def raw(public):
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw)


# ---------------------------------------------------------------------------------------------- §1 identities

ID_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"
ID = re.compile(r"[0-9a-hjkmnp-tv-z]{16}")
ERROR_CODE = re.compile(r"[a-z]{1,16}\.[a-z_]{1,32}")


def new_id():
    return "".join(secrets.choice(ID_LETTERS) for _ in range(16))


def recipient_id(public):
    return sha256(public)[:8]


# ---------------------------------------------------------------------------------------------- §2 text codes

LETTERS = "BCDEFGHJKNPRSTVX"
PAYLOAD = {"C": 84, "G": 85, "N": 16, "K": 16, "S": 84, "D": 16, "R": 1, "T": 17, "B": 85, "P": 10}  # bytes; E is 35 and its host
COMMANDS = ["menu", "undo", "door-in", "door-out", "door-both"]
RESULTS = ["positive", "negative", "void"]
LONGEST_CODE = 76 + 2 * 253
POSTER = re.compile(r"HTTPS://[A-Z0-9.:-]+/P/([A-Z]+)|https://[a-z0-9.:-]+/p/([a-z]+)")


def crc16(data):
    return struct.pack(">H", binascii.crc_hqx(data, 0xFFFF))


def _to_letters(data):
    return "".join(LETTERS[b >> 4] + LETTERS[b & 15] for b in data)


def code_text(kind, payload):
    body = bytes([LETTERS.index("V") << 4 | LETTERS.index(kind)]) + payload
    return _to_letters(body + crc16(body))


def _is_uuid8(card):
    return card[6] >> 4 == 8 and card[8] >> 6 == 2


def read_code(text):
    """The text of a code, as a dict with its `kind`'s letter and its parts; `canonical` is the text without a poster's address."""
    if len(text) > LONGEST_CODE:
        raise Refused("code.length")
    poster = POSTER.fullmatch(text)
    if not poster:
        return _read_bare(text)
    code = _read_bare(poster[1] or poster[2])
    if code["kind"] != "P":
        raise Refused("code.not_ours", "only a poster's code is within an address")
    return code


def _read_bare(text):
    if text == text.lower():
        text = text.upper()
    if not text or set(text) - set(LETTERS):
        raise Refused("code.not_ours")
    if text[0] != "V":
        raise Refused("code.version")
    kind = text[1:2]
    if not kind or kind not in PAYLOAD and kind != "E":
        raise Refused("code.kind")
    if len(text) % 2:
        raise Refused("code.length")
    data = bytes(LETTERS.index(a) << 4 | LETTERS.index(b) for a, b in zip(text[::2], text[1::2]))
    payload = data[1:-2]
    if len(payload) != PAYLOAD.get(kind, len(payload) if len(payload) >= 35 and len(payload) == 35 + payload[34] else -1):
        raise Refused("code.length")
    if data[-2:] != crc16(data[:-2]):
        raise Refused("code.check")
    return {"kind": kind, "canonical": text, "payload": payload} | _read_payload(kind, payload)


def _read_payload(kind, p):
    bad = Refused("code.malformed")
    if kind in "CGSB":
        out = {"issuer": p[:4], "sticker" if kind == "S" else "card": p[4:20], "signature": p[-64:]}
        if kind == "G":
            out["size"] = p[20]
            if not 2 <= p[20] <= 99:
                raise bad
        if kind == "B":
            if p[20] >= len(COMMANDS):
                raise bad
            out["command"] = COMMANDS[p[20]]
    elif kind == "N":
        out = {"card": p}
    elif kind == "K":
        out = {"keyCode": p}
    elif kind == "D":
        out = {"secret": p}
    elif kind == "R":
        if p[0] >= len(RESULTS):
            raise bad
        out = {"result": RESULTS[p[0]]}
    elif kind == "T":
        if p[16] >= len(COMMANDS):
            raise bad
        out = {"secret": p[:16], "command": COMMANDS[p[16]]}
    elif kind == "P":
        bits = int.from_bytes(p)
        out = {"venue": "".join(ID_LETTERS[bits >> 5 * i & 31] for i in reversed(range(16)))}
    else:
        host = p[35:].decode("latin-1")
        port = int.from_bytes(p[32:34])
        if not port or not re.fullmatch(r"[a-z0-9.:-]{1,253}", host):
            raise bad
        out = {"secret": p[:16], "gatewayKeyHash": p[16:32], "port": port, "host": host}
    if "card" in out and not _is_uuid8(out["card"]):
        raise bad
    return out


def issuer_id(public):
    return sha256(public)[:4]


def card_tbs(kind, deployment, payload):
    return b"vestibule-card-1\0" + kind.encode() + deployment.encode() + payload[:-64]


def _verify_code(code, deployment, issuers):
    known = [key for key in issuers if issuer_id(key) == code["issuer"]]
    if not known:
        raise Refused("code.unknown_issuer")
    if not any(is_signature(key, code["signature"], card_tbs(code["kind"], deployment, code["payload"])) for key in known):
        raise Refused("code.forged")


def read_card(text, deployment, issuers, may_take_unsigned):
    """A visitor's card at the door: (UUID, people, whether a known issuer signed it)."""
    code = read_code(text)
    if code["kind"] == "N":
        if not may_take_unsigned:
            raise Refused("code.unsigned")
        return code["card"], 1, False
    if code["kind"] not in "CG":
        raise Refused("code.kind")
    _verify_code(code, deployment, issuers)
    return code["card"], code.get("size", 1), True


def read_sticker(text, deployment, issuers):
    code = read_code(text)
    if code["kind"] != "S":
        raise Refused("code.kind")
    _verify_code(code, deployment, issuers)
    return code["sticker"]


def read_staff_card(text, deployment, issuers):
    code = read_code(text)
    if code["kind"] != "B":
        raise Refused("code.kind")
    _verify_code(code, deployment, issuers)
    return code["card"], code["command"]


CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def typed_key_code(key_code):
    bits = (1 << 128 | int.from_bytes(key_code)) << 1
    bits = bits << 16 | int.from_bytes(crc16(bits.to_bytes(17)))
    text = "".join(CROCKFORD[bits >> 5 * i & 31] for i in reversed(range(30)))
    return "-".join(text[i:i + 5] for i in range(0, 30, 5))


def read_typed_key_code(text):
    if len(text) > 150:
        raise Refused("code.length")
    text = text.upper().replace(" ", "").replace("-", "").translate(str.maketrans("OIL", "011"))
    if set(text) - set(CROCKFORD):
        raise Refused("code.not_ours")
    if len(text) != 30:
        raise Refused("code.length")
    bits = 0
    for letter in text:
        bits = bits << 5 | CROCKFORD.index(letter)
    head, check = bits >> 16, (bits & 0xFFFF).to_bytes(2)
    if head >> 129 != 1:
        raise Refused("code.version")
    if crc16(head.to_bytes(17)) != check:
        raise Refused("code.check")
    if head & 1:
        raise Refused("code.malformed")
    return (head >> 1 & (1 << 128) - 1).to_bytes(16)


def visitor(key_code):
    """A visitor's key pair and UUID, from the key code: (private key, raw public key, UUID)."""
    seed = hkdf_expand(hmac_sha256(b"", key_code), b"vestibule visitor 1", 32)
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public = raw(key.public_key())
    return key, public, uuid_of(public)


def uuid_of(public):
    uuid = bytearray(sha256(public)[:16])
    uuid[6] = uuid[6] & 15 | 0x80
    uuid[8] = uuid[8] & 63 | 0x80
    return bytes(uuid)


# ---------------------------------------------------------------------------------------------- §3 CBOR

def cbor(value):
    """Deterministic CBOR of ints, bytes, str, lists, dicts of whole-number keys, bools and None."""
    if value is None or isinstance(value, bool):
        return {False: b"\xf4", True: b"\xf5", None: b"\xf6"}[value]
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, bytes):
        return _head(2, len(value)) + value
    if isinstance(value, str):
        data = value.encode()
        return _head(3, len(data)) + data
    if isinstance(value, (list, tuple)):
        return _head(4, len(value)) + b"".join(map(cbor, value))
    return _head(5, len(value)) + b"".join(cbor(k) + cbor(value[k]) for k in sorted(value))


def _head(major, n):
    if n < 24:
        return bytes([major << 5 | n])
    for ai, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if n < 1 << 8 * size:
            return bytes([major << 5 | ai]) + n.to_bytes(size)
    raise ValueError(n)


def decbor(data, limit=None):
    """The one value that `data` is, or Refused with the code that §16 has for it."""
    if limit is not None and len(data) > limit:
        raise Refused("decode.overlong")
    value, end = _item(data, 0, 0)
    if end != len(data):
        raise Refused("decode.malformed", "bytes behind the end")
    if cbor(value) != data:
        raise Refused("decode.not_canonical")
    return value


def _item(data, at, depth):
    if at >= len(data):
        raise Refused("decode.truncated")
    major, ai = data[at] >> 5, data[at] & 31
    at += 1
    if major == 6:
        raise Refused("decode.unsupported", "a tag")
    if major == 7:
        if ai in (20, 21, 22):
            return {20: False, 21: True, 22: None}[ai], at
        raise Refused("decode.malformed" if ai >= 28 else "decode.unsupported", "a simple value or a float")
    if ai == 31 and major in (2, 3, 4, 5):
        raise Refused("decode.not_canonical", "indefinite length")
    if ai >= 28:
        raise Refused("decode.malformed", "a reserved head")
    n = ai
    if ai >= 24:
        size = 1 << ai - 24
        if at + size > len(data):
            raise Refused("decode.truncated")
        n = int.from_bytes(data[at:at + size])
        at += size
        if len(_head(0, n)) != 1 + size:
            raise Refused("decode.not_canonical", "a longer head than it must be")
    if major < 2:
        value = n if major == 0 else -1 - n
        if abs(value) > MAX_INT:
            raise Refused("decode.out_of_range")
        return value, at
    if major < 4:
        if at + n > len(data):
            raise Refused("decode.truncated")
        chunk = data[at:at + n]
        if major == 3:
            try:
                chunk = chunk.decode()
            except UnicodeDecodeError:
                raise Refused("decode.not_canonical", "not UTF-8") from None
        return chunk, at + n
    if depth >= 8:
        raise Refused("decode.malformed", "nested too deep")
    if n > len(data) - at:
        raise Refused("decode.truncated")
    if major == 4:
        items = []
        for _ in range(n):
            value, at = _item(data, at, depth + 1)
            items.append(value)
        return items, at
    items, last = {}, -1
    for _ in range(n):
        if at < len(data) and data[at] >> 5 != 0:
            raise Refused("decode.unsupported", "a key that is no whole number")
        key, at = _item(data, at, depth + 1)
        if key <= last:
            raise Refused("decode.not_canonical", "keys out of order")
        last = key
        items[key], at = _item(data, at, depth + 1)
    return items, at


# What a field may be: checkers that raise Refused.

def _malformed(is_wrong, why=""):
    if is_wrong:
        raise Refused("decode.malformed", why)


def whole(low, high):
    def check(value):
        _malformed(type(value) is not int, "not a number")
        if not low <= value <= high:
            raise Refused("decode.out_of_range", str(value))
    return check


def octets(size):
    def check(value):
        _malformed(type(value) is not bytes or len(value) != size, f"not {size} bytes")
    return check


def text_of(pattern):
    def check(value):
        _malformed(type(value) is not str or not re.fullmatch(pattern, value), "not such a text")
    return check


def boolean(value):
    _malformed(type(value) is not bool, "not a boolean")


def array(value, low, high=None):
    _malformed(type(value) is not list or not low <= len(value) <= (low if high is None else high), "another shape")
    return value


seq_number, monotonic, digest32 = whole(1, MAX_INT), whole(0, MAX_INT), octets(32)


# ---------------------------------------------------------------------------------------------- §3 COSE

SIGN1_HEADER = bytes.fromhex("a10132")
ENCRYPT0_HEADER = bytes.fromhex("a20103054c00000000")  # and the counter


def is_signature(public, signature, data):
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
        return True
    except InvalidSignature:
        return False


def sig_structure(protected, aad, payload):
    return cbor(["Signature1", protected, aad, payload])


def enc_structure(protected, aad):
    return cbor(["Encrypt0", protected, aad])


def sign1(key, aad, payload):
    return cbor([SIGN1_HEADER, {}, payload, key.sign(sig_structure(SIGN1_HEADER, aad, payload))])


def read_sign1(data, limit=None):
    """(payload, signature), not verified."""
    protected, unprotected, payload, signature = array(decbor(data, limit), 4)
    _malformed(type(protected) is not bytes or type(unprotected) is not dict or type(payload) is not bytes, "no sign1")
    if protected != SIGN1_HEADER or unprotected:
        raise Refused("decode.unsupported", "another COSE header")
    octets(64)(signature)
    return payload, signature


def open_sign1(public, aad, data, limit=None):
    payload, signature = read_sign1(data, limit)
    if not is_signature(public, signature, sig_structure(SIGN1_HEADER, aad, payload)):
        raise Refused("seal.signature")
    return payload


def encrypt0(key, counter, aad, plain):
    protected = ENCRYPT0_HEADER + counter.to_bytes(8)
    return cbor([protected, {}, AESGCM(key).encrypt(protected[-12:], plain, enc_structure(protected, aad))])


def read_encrypt0(data, limit=None):
    protected, unprotected, ciphertext = array(decbor(data, limit), 3)
    _malformed(type(protected) is not bytes or type(unprotected) is not dict or type(ciphertext) is not bytes, "no encrypt0")
    if len(protected) != 17 or protected[:9] != ENCRYPT0_HEADER or unprotected:
        raise Refused("decode.unsupported", "another COSE header")
    _malformed(len(ciphertext) <= 16, "no ciphertext")
    return protected, ciphertext


def open_encrypt0(key, aad, data, limit=None):
    protected, ciphertext = read_encrypt0(data, limit)
    try:
        return AESGCM(key).decrypt(protected[-12:], ciphertext, enc_structure(protected, aad))
    except InvalidTag:
        raise Refused("seal.open") from None


# ---------------------------------------------------------------------------------------------- §4 events

row_ref_key = octets(8)


def row_ref(value):
    key_id, seq = array(value, 2)
    row_ref_key(key_id)
    seq_number(seq)


card16, centi, uint32 = octets(16), whole(-10000, 50000), whole(0, 2**32 - 1)

FIELDS = {
    1: whole(0, MAX_WALL), 2: monotonic, 3: octets(16), 4: whole(0, 2), 5: card16, 6: row_ref, 7: whole(1, 99), 8: boolean, 9: whole(1, 2),
    10: centi, 11: centi, 12: centi, 13: centi, 14: uint32, 15: uint32, 16: whole(0, 36525), 17: boolean, 18: octets(16), 19: octets(16),
    20: whole(0, 2), 21: whole(1, 86400000), 22: whole(0, 65535), 23: text_of(r"[a-z0-9-]{1,32}"), 24: boolean, 25: text_of(ERROR_CODE),
    26: whole(0, 4), 27: whole(-MAX_WALL, MAX_WALL),
}
CHECK_IN, CHECK_OUT, UNDO, TEMPERATURE, STICKER_LINK, STICKER_RESULT, OCCUPANCY, DEVICE_STATE, KIOSK_STATE, NOTICE_SHOWN = range(1, 11)
NEEDED = {
    CHECK_IN: {5, 7, 8}, CHECK_OUT: {5}, UNDO: {6}, TEMPERATURE: {5, 6, 9, 10, 12, 13, 14, 15, 17}, STICKER_LINK: {5, 18},
    STICKER_RESULT: {18, 19, 20}, OCCUPANCY: {21}, DEVICE_STATE: {23, 24}, KIOSK_STATE: {26, 27},
    NOTICE_SHOWN: {5},
}
OPTIONAL = {TEMPERATURE: {11, 16}, OCCUPANCY: {22}, DEVICE_STATE: {25}}


def check_event(event):
    _malformed(type(event) is not dict or 0 not in event, "no event")
    whole(1, 10)(event[0])
    needed = NEEDED[event[0]] | {0, 1, 2, 3, 4}
    if set(event) - needed - OPTIONAL.get(event[0], set()):
        raise Refused("decode.unsupported", "a field that the type does not have")
    _malformed(needed - set(event), "a field is missing")
    for key, value in event.items():
        if key:
            FIELDS[key](value)
    return event


def read_event(data):
    return check_event(decbor(data, 512))


def event_bytes(event):
    return cbor(check_event(event))


# ---------------------------------------------------------------------------------------------- §5 rows

def row_aad(deployment, kiosk, epoch, key_id, seq):
    return cbor(["vestibule-row-1", deployment, kiosk, epoch, key_id, seq])


def seal_row(content_key, counter, aad, event):
    return encrypt0(content_key, counter, aad, event_bytes(event))


def open_row(content_key, aad, row):
    return read_event(open_encrypt0(content_key, aad, row, 1024))


# ---------------------------------------------------------------------------------------------- §6 HPKE (RFC 9180) and key records

KEM_ID, KDF_ID = b"\0\x20", b"\0\x01"
AES_128, AES_256 = (b"\0\x01", 16), (b"\0\x02", 32)  # AEAD id and key length


def hmac_sha256(key, data):
    return hmac.digest(key, data, "sha256")


def hkdf_expand(prk, info, size):
    out = block = b""
    while len(out) < size:
        block = hmac_sha256(prk, block + info + bytes([len(out) // 32 + 1]))
        out += block
    return out[:size]


def _extract(suite, salt, label, ikm):
    return hmac_sha256(salt, b"HPKE-v1" + suite + label + ikm)


def _expand(suite, prk, label, info, size):
    return hkdf_expand(prk, size.to_bytes(2) + b"HPKE-v1" + suite + label + info, size)


def hpke_derive_key_pair(ikm):
    suite = b"KEM" + KEM_ID
    return X25519PrivateKey.from_private_bytes(_expand(suite, _extract(suite, b"", b"dkp_prk", ikm), b"sk", b"", 32))


def hpke_context(private, peer, enc, recipient, info, aead=AES_256):
    """The AEAD key and base nonce of mode base, from either end's private key and the other's public one."""
    suite = b"KEM" + KEM_ID
    try:
        dh = private.exchange(X25519PublicKey.from_public_bytes(peer))
    except ValueError:  # all zeros: a key of small order
        raise Refused("seal.open") from None
    shared = _expand(suite, _extract(suite, b"", b"eae_prk", dh), b"shared_secret", enc + recipient, 32)
    suite = b"HPKE" + KEM_ID + KDF_ID + aead[0]
    context = b"\0" + _extract(suite, b"", b"psk_id_hash", b"") + _extract(suite, b"", b"info_hash", info)
    secret = _extract(suite, shared, b"secret", b"")
    return _expand(suite, secret, b"key", context, aead[1]), _expand(suite, secret, b"base_nonce", context, 12)


def hpke_seal(recipient, info, plain, ephemeral=None):
    ephemeral = ephemeral or X25519PrivateKey.generate()
    enc = raw(ephemeral.public_key())
    key, nonce = hpke_context(ephemeral, recipient, enc, recipient, info)
    return enc, AESGCM(key).encrypt(nonce, plain, b"")


def hpke_open(private, info, enc, ciphertext):
    key, nonce = hpke_context(private, enc, enc, raw(private.public_key()), info)
    try:
        return AESGCM(key).decrypt(nonce, ciphertext, b"")
    except InvalidTag:
        raise Refused("seal.open") from None


def key_record_aad(deployment, kiosk):
    return cbor(["vestibule-key-record-1", deployment, kiosk])


def hpke_info(deployment, kiosk, epoch, key_id, recipient):
    return cbor(["vestibule-content-key-1", deployment, kiosk, epoch, key_id, recipient])


def make_key_record(key, deployment, kiosk, epoch, key_id, content_key, recipients, ephemerals=None):
    """`recipients` are raw X25519 public keys; `ephemerals` are for test vectors only."""
    wrapped = []
    for i, public in enumerate(recipients):
        info = hpke_info(deployment, kiosk, epoch, key_id, recipient_id(public))
        wrapped.append([recipient_id(public), *hpke_seal(public, info, content_key, ephemerals and ephemerals[i])])
    return sign1(key, key_record_aad(deployment, kiosk), cbor([epoch, key_id, wrapped]))


def read_key_record(data, public, deployment, kiosk):
    """Verified: (epoch, key id, wrapped keys)."""
    epoch, key_id, wrapped = array(decbor(open_sign1(public, key_record_aad(deployment, kiosk), data, 2048)), 3)
    octets(8)(epoch)
    octets(8)(key_id)
    for entry in array(wrapped, 1, 8):
        for size, part in zip((8, 32, 48), array(entry, 3)):
            octets(size)(part)
    _malformed(len({entry[0] for entry in wrapped}) != len(wrapped), "a recipient twice")
    return epoch, key_id, wrapped


def open_content_key(record, private, deployment, kiosk):
    epoch, key_id, wrapped = record
    me = recipient_id(raw(private.public_key()))
    for recipient, enc, ciphertext in wrapped:
        if recipient == me:
            return hpke_open(private, hpke_info(deployment, kiosk, epoch, key_id, me), enc, ciphertext)
    raise Refused("seal.unknown_recipient")


# ---------------------------------------------------------------------------------------------- §7 batches

def topic_of(kiosk, what):
    return f"vestibule/1/kiosk/{kiosk}/{what}"


def list_aad(deployment, topic):
    return cbor(["vestibule-batch-1", deployment, topic])


def make_batch(key, deployment, topic, key_id, sent_at, key_record, rows, left_out=()):
    """`rows`: (seq, bytes) ascending; those whose seq is in `left_out` are listed and not there. `sent_at`: [boot id, ms]."""
    listed = cbor([key_id, sent_at, [[seq, sha256(row)] for seq, row in rows]])
    return cbor([key_record, sign1(key, list_aad(deployment, topic), listed), [row for seq, row in rows if seq not in left_out]])


def read_batch(data, public, deployment, kiosk, topic):
    """Verified, with nothing opened: (key record, list, {seq: row})."""
    key_record, listed, rows = array(decbor(data, 65536), 3)
    _malformed(type(key_record) is not bytes or type(listed) is not bytes, "no batch")
    for row in array(rows, 1, 64):
        _malformed(type(row) is not bytes or len(row) > 1024, "no row")
    key_id, sent_at, entries = array(decbor(open_sign1(public, list_aad(deployment, topic), listed, 4096)), 3)
    octets(8)(key_id)
    octets(16)(array(sent_at, 2)[0])
    monotonic(sent_at[1])
    for seq, digest in (array(entry, 2) for entry in array(entries, 1, 64)):
        seq_number(seq)
        digest32(digest)
    _malformed(any(a[0] >= b[0] for a, b in zip(entries, entries[1:])), "sequence numbers that do not ascend")
    by_digest = {digest: seq for seq, digest in entries}
    _malformed(len(by_digest) != len(entries), "a digest twice")
    found = {}
    for row in rows:
        seq = by_digest.pop(sha256(row), None)
        if seq is None:
            raise Refused("seal.digest")
        found[seq] = row
    record = read_key_record(key_record, public, deployment, kiosk)
    if record[1] != key_id:
        raise Refused("seal.unknown_key")
    return record, [key_id, sent_at, entries], found


def open_batch(data, public, private, deployment, kiosk, topic):
    """What a recipient does: {seq: event}."""
    record, (key_id, _, _), rows = read_batch(data, public, deployment, kiosk, topic)
    content_key = open_content_key(record, private, deployment, kiosk)
    return {seq: open_row(content_key, row_aad(deployment, kiosk, record[0], key_id, seq), row) for seq, row in rows.items()}


# ---------------------------------------------------------------------------------------------- §8 receipts

OUTCOMES = ["accepted", "duplicate", "conflict", "quarantined", "erased"]


def receipt_aad(deployment, kiosk):
    return cbor(["vestibule-receipt-1", deployment, kiosk])


def read_receipt(data, receipt_key, deployment, kiosk):
    """Verified: (digest of the batch, [(from, to, outcome, reason or None)])."""
    digest, ranges = array(decbor(open_sign1(receipt_key, receipt_aad(deployment, kiosk), data, 8192)), 2)
    digest32(digest)
    out, last = [], 0
    for first, end, outcome, reason in (array(entry, 4) for entry in array(ranges, 1, 64)):
        seq_number(first)
        seq_number(end)
        whole(0, 4)(outcome)
        if reason is not None:
            text_of(ERROR_CODE)(reason)
        _malformed(end < first or first <= last, "ranges that do not ascend")
        last = end
        out.append((first, end, OUTCOMES[outcome], reason))
    return digest, out


# ---------------------------------------------------------------------------------------------- §19 policy

DIRECTIONS = ["in", "out", "both"]
wall, place = whole(0, MAX_WALL), text_of(ID)


def policy_aad(deployment, topic):
    return cbor(["vestibule-policy-1", deployment, topic])


def _issuer_list(value):
    for key in array(value, 0, 64):
        octets(32)(key)


def marks_of(least, most):
    """`least` to `most` marks of 5 bytes, ascending, each once."""
    def check(marks):
        _malformed(type(marks) is not bytes or len(marks) % 5 or not 5 * least <= len(marks) <= 5 * most, "no marks")
        _malformed(any(marks[i:i + 5] >= marks[i + 5:i + 10] for i in range(0, len(marks) - 5, 5)), "marks that do not ascend")
    return check


def key_and_marks(least, most):
    def check(value):
        key, marks = array(value, 2)
        octets(32)(key)
        marks_of(least, most)(marks)
    return check


POLICY = {0: whole(1, 2**32 - 1), 1: wall, 2: wall, 3: place, 4: place, 5: whole(0, 2), 6: _issuer_list, 7: boolean, 8: whole(60000, 172800000),
          9: whole(3500, 4200), 10: key_and_marks(0, 10000), 11: key_and_marks(1, 1500)}


def read_policy(data, receipt_key, deployment, topic):
    payload = decbor(open_sign1(receipt_key, policy_aad(deployment, topic), data, 65536))
    _malformed(type(payload) is not dict, "no policy")
    if any(key < 64 and key not in POLICY for key in payload):
        raise Refused("decode.unsupported", "a rule that is not known")
    _malformed(set(POLICY) - {5, 9, 11} - set(payload), "a field is missing")
    for key, check in POLICY.items():
        if key in payload:
            check(payload[key])
    _malformed(payload[2] <= payload[1], "over before it begins")
    out = {"version": payload[0], "issuedAtMs": payload[1], "expiresAtMs": payload[2], "venue": payload[3], "entrance": payload[4],
           "issuers": payload[6], "mayTakeUnsigned": payload[7], "dwellMs": payload[8], "filterKey": payload[10][0], "marks": payload[10][1]}
    if 5 in payload:
        out["direction"] = DIRECTIONS[payload[5]]
    if 9 in payload:
        out["threshold"] = payload[9]
    if 11 in payload:
        out["tombstoneKey"], out["revokedMarks"] = payload[11]
    return out


def lost_digest(card):
    return sha256(b"vestibule-lost-card-1\0", card)[:16]


def mark_of(digest, key):
    """One block of AES-256, cut to 5 bytes: marks of lost cards, of tombstones and of notices alike."""
    aes = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return (aes.update(digest) + aes.finalize())[:5]


def lost_mark(filter_key, card):
    return mark_of(lost_digest(card), filter_key)


def is_among(mark, marks):
    return any(marks[i:i + 5] == mark for i in range(0, len(marks), 5))


def is_lost(policy, card):
    return is_among(lost_mark(policy["filterKey"], card), policy["marks"])


def tombstone(key, card):
    return sha256(key, card)[:16]


def is_revoked(policy, card):
    return "tombstoneKey" in policy and is_among(mark_of(tombstone(policy["tombstoneKey"], card), policy["filterKey"]), policy["revokedMarks"])


# ---------------------------------------------------------------------------------------------- §23 notices

QUARTER_MS = 900_000
HOUR_MS = 3_600_000
SHOWN_FOR_MS = 48 * HOUR_MS
SHOWN_A_MINUTE = 6


def notice_aad(deployment, topic):
    return cbor(["vestibule-notice-1", deployment, topic])


def _groups(value):
    last, marks_in_all = -1, 0
    for end, marks in (array(entry, 2) for entry in array(value, 0, 2048)):
        wall(end)
        _malformed(end % QUARTER_MS, "an end within a quarter of an hour")
        _malformed(end <= last, "ends that do not ascend")
        marks_of(1, 20000)(marks)
        last, marks_in_all = end, marks_in_all + len(marks) // 5
    _malformed(marks_in_all > 20000, "too many marks")


def _stickers(value):
    """Key 65, for a clinic's desk: which stickers are of no more use."""
    done, void, linked = array(value, 3)
    for marks in (done, void):
        marks_of(0, 10000)(marks)
    last, bytes_in_all = -1, len(done) + len(void)
    for end, marks in (array(entry, 2) for entry in array(linked, 0, 1024)):
        wall(end)
        _malformed(end % HOUR_MS, "an end within an hour")
        _malformed(end <= last, "ends that do not ascend")
        marks_of(1, 10000)(marks)
        last, bytes_in_all = end, bytes_in_all + len(marks)
    _malformed(bytes_in_all > 10000 * 5, "too many stickers")


NOTICE = {0: whole(1, 2**32 - 1), 1: wall, 2: wall, 3: octets(32), 4: _groups}


def read_notice(data, receipt_key, deployment, topic, is_desk=False):
    payload = decbor(open_sign1(receipt_key, notice_aad(deployment, topic), data, 196608))
    _malformed(type(payload) is not dict, "no notices")
    if any(key < 64 and key not in NOTICE for key in payload):
        raise Refused("decode.unsupported", "a field that is not known")
    _malformed(set(NOTICE) - set(payload), "a field is missing")
    for key, check in NOTICE.items():
        check(payload[key])
    _malformed(payload[2] <= payload[1], "over before it begins")
    document = {"version": payload[0], "issuedAtMs": payload[1], "expiresAtMs": payload[2], "key": payload[3],
                "groups": [{"endsAtMs": end, "marks": marks} for end, marks in payload[4]]}
    # Passed over but at a clinic's desk.
    if is_desk and 65 in payload:
        _stickers(payload[65])
        done, void, linked = payload[65]
        document["stickers"] = {"done": done, "voided": void, "linked": [{"endsAtMs": end, "marks": marks} for end, marks in linked]}
    return document


def sticker_digest(sticker):
    return sha256(b"vestibule-sticker-1\0", sticker)[:16]


def sticker_standing(document, sticker, now_ms):
    """What a desk is told of a sticker: the worst of what it is marked as, or free."""
    told = document.get("stickers")
    if told is None:
        return "free"
    mark = mark_of(sticker_digest(sticker), document["key"])
    if is_among(mark, told["voided"]):
        return "void"
    if is_among(mark, told["done"]):
        return "done"
    ends = [group["endsAtMs"] for group in told["linked"] if is_among(mark, group["marks"])]
    return "free" if not ends else "expired" if now_ms >= min(ends) else "linked"


def notice_digest(card):
    return sha256(b"vestibule-notice-1\0", card)[:16]


def notice_end(document, card):
    """When the notice for this card ends, or None. A mark that is in two groups has the later end."""
    mark = mark_of(notice_digest(card), document["key"])
    return max((group["endsAtMs"] for group in document["groups"] if is_among(mark, group["marks"])), default=None)


# ---------------------------------------------------------------------------------------------- §22 holder

ACTIONS = ["read", "revoke", "receipt"]


def _json_of(text, names):
    if len(text.encode()) > 1024:
        raise Refused("decode.overlong")
    try:
        doc = json.loads(text)
    except ValueError:
        raise Refused("decode.malformed", "no JSON") from None
    _malformed(type(doc) is not dict or set(doc) != names, "other members")
    return doc


def read_challenge(text):
    """(core, challenge)"""
    doc = _json_of(text, {"core", "challenge"})
    return unb64(doc["core"], 8), unb64(doc["challenge"], 32)


def proof_tbs(action, core, challenge):
    return b"vestibule-holder-1\0" + core + bytes([ACTIONS.index(action) + 1]) + challenge


def make_proof(action, core, challenge, key_code):
    key, public, _ = visitor(key_code)
    signature = key.sign(proof_tbs(action, core, challenge))
    return json.dumps({"action": action, "core": b64(core), "challenge": b64(challenge), "publicKey": b64(public), "signature": b64(signature)}, separators=(",", ":"))


def card_of_proof(text):
    """What a core does: the card, or Refused."""
    doc = _json_of(text, {"action", "core", "challenge", "publicKey", "signature"})
    _malformed(doc["action"] not in ACTIONS, "no action")
    core, challenge, public, signature = (unb64(doc[name], size) for name, size in (("core", 8), ("challenge", 32), ("publicKey", 32), ("signature", 64)))
    try:
        is_good = is_signature(public, signature, proof_tbs(doc["action"], core, challenge))
    except ValueError:
        is_good = False  # no key
    if not is_good:
        raise Refused("holder.not_proven")
    return uuid_of(public)


# ---------------------------------------------------------------------------------------------- §21 commands

def command_aad(deployment, topic):
    return cbor(["vestibule-command-1", deployment, topic])


COMMAND = {0: whole(1, 1), 1: whole(1, 2**32 - 1), 2: wall, 3: wall}


def read_command(data, receipt_key, deployment, topic):
    """Verified: (version, restored at, ends at, {key id: [(from, to)]})."""
    payload = decbor(open_sign1(receipt_key, command_aad(deployment, topic), data, 32768))
    _malformed(type(payload) is not dict or type(payload.get(0)) is not int, "no command")
    if payload[0] != 1 or any(key < 64 and key > 4 for key in payload):
        raise Refused("decode.unsupported", "a kind or a part that is not known")
    _malformed(not {0, 1, 2, 3, 4} <= set(payload), "a field is missing")
    for key, check in COMMAND.items():
        check(payload[key])
    _malformed(payload[3] <= payload[2], "over before it begins")
    had = {}
    for key_id, ranges in (array(entry, 2) for entry in array(payload[4], 0, 64)):
        octets(8)(key_id)
        _malformed(key_id in had, "a key twice")
        had[key_id], last = [], 0
        for first, end in (array(entry, 2) for entry in array(ranges, 0, 16)):
            seq_number(first)
            seq_number(end)
            _malformed(end < first or first <= last, "ranges that do not ascend")
            last = end
            had[key_id].append((first, end))
    return payload[1], payload[2], payload[3], had


# ---------------------------------------------------------------------------------------------- §20 time, §10 trust

def time_aad(deployment):
    return cbor(["vestibule-time-1", deployment])


def read_time(data, receipt_key, deployment, nonce):
    got, at = array(decbor(open_sign1(receipt_key, time_aad(deployment), data, 256)), 2)
    octets(16)(got)
    wall(at)
    if got != nonce:
        raise Refused("seal.signature", "for another nonce")
    return at


# ---------------------------------------------------------------------------------------------- §24 the gateway's key

def gateway_key_aad(deployment):
    return cbor(["vestibule-gateway-key-1", deployment])


def gateway_generation(der, receipt_key, deployment):
    """0 for a certificate that says nothing of itself, or nothing that counts."""
    certificate = x509.load_der_x509_certificate(der)
    try:
        names = list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
        uri = names[0].value if len(names) == 1 and isinstance(names[0], x509.UniformResourceIdentifier) else ""
        _malformed(not uri.startswith("vestibule:gateway-key/"), "no word of ours")
        word = open_sign1(receipt_key, gateway_key_aad(deployment), unb64(uri.removeprefix("vestibule:gateway-key/")), 256)
        generation, key = array(decbor(word), 2)
        _malformed(type(generation) is not int or not 1 <= generation < 2 ** 32, "generation")
        _malformed(key != raw(certificate.public_key()), "the word of another key")
        return generation
    except (Refused, x509.ExtensionNotFound):
        return 0


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text, size=None):
    _malformed(type(text) is not str or not re.fullmatch(r"[A-Za-z0-9_-]*", text), "not base64url")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    _malformed(b64(data) != text or size is not None and len(data) != size, "not base64url of that length")
    return data


def read_trust(doc):
    _malformed(type(doc) is not dict or set(doc) != {"deployment", "gateway", "receiptKey", "recipients", "issuers", "mayTakeUnsigned"}, "trust")
    _malformed(set(doc["gateway"]) != {"host", "port", "certificatePem"}, "trust.gateway")
    _malformed(not ID.fullmatch(doc["deployment"]) or type(doc["mayTakeUnsigned"]) is not bool, "trust")
    recipients = []
    for entry in array(doc["recipients"], 1, 8):
        _malformed(set(entry) != {"id", "publicKey"}, "trust.recipients")
        recipients.append(unb64(entry["publicKey"], 32))
        _malformed(unb64(entry["id"], 8) != recipient_id(recipients[-1]), "a recipient under another's id")
    certificate = x509.load_pem_x509_certificate(doc["gateway"]["certificatePem"].encode())
    return {"deployment": doc["deployment"], "host": doc["gateway"]["host"], "port": doc["gateway"]["port"], "pem": doc["gateway"]["certificatePem"],
            "certificate": certificate.public_bytes(Encoding.DER), "receiptKey": unb64(doc["receiptKey"], 32), "recipients": recipients,
            "issuers": [unb64(key, 32) for key in array(doc["issuers"], 0, 64)], "mayTakeUnsigned": doc["mayTakeUnsigned"]}


# ---------------------------------------------------------------------------------------------- §11 TLS

def self_signed(key, name="kiosk"):
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    return (x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(datetime.datetime(2000, 1, 1)).not_valid_after(datetime.datetime(2099, 1, 1)).sign(key, None)
            .public_bytes(Encoding.PEM).decode())


def spki_hash(der):
    key = x509.load_der_x509_certificate(der).public_key()
    return sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))[:16]


def tls(host, port, alpn, identity, is_gateway, pinned_pem=None, timeout=30):
    """TLS 1.3. `identity`: a file with key and certificate, or None. `is_gateway(DER)` judges the gateway's certificate before
    anything is sent; with `pinned_pem` the handshake itself ends, before our own certificate goes out, if it is not signed by that one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if pinned_pem:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=pinned_pem)
    if alpn:
        context.set_alpn_protocols([alpn])
    if identity:
        context.load_cert_chain(identity)
    sock = socket.create_connection((host, port), timeout)
    try:
        wrapped = context.wrap_socket(sock)
    except BaseException:
        sock.close()
        raise
    if not is_gateway(wrapped.getpeercert(True)):
        wrapped.close()
        raise Refused("gateway.not_pinned", "another gateway's certificate")
    return wrapped


# ---------------------------------------------------------------------------------------------- §20 HTTP

def exchange(sock, request):
    """Sends a whole request, returns (status, headers, body)."""
    with sock:
        sock.sendall(request)
        data = b""
        while chunk := sock.recv(16384):
            data += chunk
            head, gap, body = data.partition(b"\r\n\r\n")
            if gap:
                first, *lines = head.decode("latin-1").split("\r\n")
                headers = {k.strip().lower(): v.strip() for k, v in (line.split(":", 1) for line in lines)}
                size = int(headers.get("content-length", 0))
                if size > 32768:
                    raise Refused("decode.overlong")
                if len(body) >= size:
                    return int(first.split()[1]), headers, body[:size]
    raise ConnectionError("no answer, or a cut one")


def post(path, host, body):
    body = json.dumps(body).encode()
    return (f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body


class Answer(Refused):
    """An HTTP answer that is not 200."""

    def __init__(self, status, code):
        super().__init__(code or f"http.{status}", f"status {status}")
        self.status = status


# ---------------------------------------------------------------------------------------------- §11 MQTT 3.1.1

def mqtt_text(text):
    data = text.encode() if isinstance(text, str) else text
    return len(data).to_bytes(2) + data


def mqtt_packet(first, body):
    size, head = len(body), bytes([first])
    while True:
        size, low = size >> 7, size & 127
        head += bytes([low | (0x80 if size else 0)])
        if not size:
            return head + body


def mqtt_connect(client, will_topic=None, will=b"", will_flags=0x2C, keep_alive=30):
    """will_flags: 0x04 a Will, 0x08 QoS 1, 0x20 retained. Clean session always."""
    flags = 0x02 | (will_flags if will_topic else 0)
    body = mqtt_text("MQTT") + bytes([4, flags]) + keep_alive.to_bytes(2) + mqtt_text(client)
    return mqtt_packet(0x10, body + (mqtt_text(will_topic) + mqtt_text(will) if will_topic else b""))


class Mqtt:
    """A session, read and written by hand. `on_publish(topic, payload, is_retained)` is called for what comes, before it is acknowledged."""

    def __init__(self, sock, on_publish=lambda *_: None):
        self.sock, self.on_publish = sock, on_publish
        self.buffer, self.next_id, self.answers, self.session_present = b"", 0, {}, None

    def connect(self, packet, seconds=30):
        self.sock.sendall(packet)
        kind, _, body = self.read(seconds)
        if kind != 2 or len(body) != 2:
            raise ConnectionError("no CONNACK")
        return body[1]

    def _id(self):
        self.next_id = self.next_id % 65535 + 1
        return self.next_id

    def subscribe(self, topics, seconds=30):
        """The granted QoS, or 0x80, of each."""
        packet = self._id()
        self.sock.sendall(mqtt_packet(0x82, packet.to_bytes(2) + b"".join(mqtt_text(topic) + b"\1" for topic in topics)))
        return list(self.wait(9, packet, seconds))

    def publish(self, topic, payload, is_retained=False, qos=1, is_dup=False):
        """Sends it and returns its packet id; wait(4, id) waits for PUBACK."""
        packet = self._id()
        flags = 0x30 | qos << 1 | is_retained | is_dup << 3
        self.sock.sendall(mqtt_packet(flags, mqtt_text(topic) + (packet.to_bytes(2) if qos else b"") + payload))
        return packet

    def wait(self, kind, packet, seconds=30):
        end = time.monotonic() + seconds
        while (kind, packet) not in self.answers:
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"no packet of kind {kind} for {packet}")
            self.step(left)
        return self.answers.pop((kind, packet))

    def pump(self, seconds, until=lambda: False):
        """Takes what comes for a time, or until something holds."""
        end = time.monotonic() + seconds
        while not until() and (left := end - time.monotonic()) > 0:
            try:
                self.step(left)
            except TimeoutError:
                pass
        return until()

    def step(self, seconds):
        kind, flags, body = self.read(seconds)
        if kind == 3:
            size = int.from_bytes(body[:2])
            topic, rest = body[2:2 + size].decode(), body[2 + size:]
            packet, rest = (rest[:2], rest[2:]) if flags & 6 else (b"", rest)
            self.on_publish(topic, rest, bool(flags & 1))
            if packet:
                self.sock.sendall(mqtt_packet(0x40, packet))
        elif kind in (4, 9, 11):
            self.answers[kind, int.from_bytes(body[:2])] = body[2:]
        elif kind == 13:
            self.answers[13, 0] = b""
        else:
            raise ConnectionError(f"a packet of kind {kind}")

    def ping(self, seconds=10):
        self.sock.sendall(b"\xc0\0")
        self.wait(13, 0, seconds)

    def read(self, seconds):
        """One packet: (kind, flags, body)."""
        end = time.monotonic() + seconds
        while True:
            size, used = 0, 1
            while used < len(self.buffer) and used <= 4:
                size |= (self.buffer[used] & 127) << 7 * (used - 1)
                used += 1
                if not self.buffer[used - 1] & 128:
                    if len(self.buffer) >= used + size:
                        first, body = self.buffer[0], self.buffer[used:used + size]
                        self.buffer = self.buffer[used + size:]
                        return first >> 4, first & 15, body
                    break
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError("no packet")
            if not self.sock.pending() and not select.select([self.sock], [], [], left)[0]:
                raise TimeoutError("no packet")
            chunk = self.sock.recv(16384)
            if not chunk:
                raise ConnectionError("closed by the gateway")
            self.buffer += chunk

    def close(self):
        try:
            self.sock.sendall(b"\xe0\0")
        except OSError:
            pass
        self.sock.close()

    def cut(self):
        self.sock.close()


# ---------------------------------------------------------------------------------------------- the kiosk

def boot_id():
    with open("/proc/sys/kernel/random/boot_id") as file:
        return bytes.fromhex(file.read().strip().replace("-", ""))


def monotonic_ms():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


SYNCED, ASSUMED, UNSYNCED = range(3)
CLOCKS = ["synced", "assumed", "unsynced"]


FORGETS_CODE = {"enrol.unknown", "enrol.expired", "enrol.withdrawn", "enrol.used", "admission.wrong_key", "admission.unknown_venue"}  # §20


SETTLED_ROWS = 20_000


class Outbox:
    """Rows on disk, in SQLite with every commit flushed; §1 epoch and sequence numbers, §13 the kiosk's part."""

    def __init__(self, path):
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.execute("PRAGMA synchronous = FULL")
        self.db.executescript("""
            CREATE TABLE IF NOT EXISTS meta (epoch BLOB NOT NULL, last INTEGER NOT NULL, sent_again INTEGER NOT NULL DEFAULT 0);
            CREATE TABLE IF NOT EXISTS keys (key_id BLOB PRIMARY KEY, record BLOB NOT NULL);
            CREATE TABLE IF NOT EXISTS rows (key_id BLOB, seq INTEGER, row BLOB, at INTEGER, settled INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (key_id, seq));""")
        if not self.db.execute("SELECT 1 FROM meta").fetchone():
            self.db.execute("INSERT INTO meta (epoch, last) VALUES (?, 0)", (secrets.token_bytes(8),))

    @property
    def epoch(self):
        return self.db.execute("SELECT epoch FROM meta").fetchone()[0]

    @property
    def last(self):
        return self.db.execute("SELECT last FROM meta").fetchone()[0]

    def new_epoch(self):
        self.db.execute("UPDATE meta SET epoch = ?, last = 0", (secrets.token_bytes(8),))

    def keep_key(self, key_id, record):
        self.db.execute("INSERT INTO keys VALUES (?, ?)", (key_id, record))

    def append(self, key_id, seal):
        """seal(seq) makes the row; what is returned is promised."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            seq = self.last + 1
            row = seal(seq)
            self.db.execute("UPDATE meta SET last = ?", (seq,))
            self.db.execute("INSERT INTO rows (key_id, seq, row, at) VALUES (?, ?, ?, ?)", (key_id, seq, row, monotonic_ms()))
            self.db.execute("COMMIT")
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        return seq

    def waiting(self, limit=64):
        """The oldest rows of one content key: (key id, key record, [(seq, row)]) or None."""
        first = self.db.execute("SELECT key_id FROM rows WHERE NOT settled ORDER BY at, seq LIMIT 1").fetchone()
        if not first:
            return None
        record = self.db.execute("SELECT record FROM keys WHERE key_id = ?", first).fetchone()[0]
        return first[0], record, self.db.execute("SELECT seq, row FROM rows WHERE key_id = ? AND NOT settled ORDER BY seq LIMIT ?", (*first, limit)).fetchall()

    def settle(self, key_id, seqs):
        """Settled rows are kept: a gateway that was brought back from a backup asks for them (§21)."""
        self.db.executemany("UPDATE rows SET settled = 1 WHERE key_id = ? AND seq = ?", [(key_id, seq) for seq in seqs])
        self.db.execute("DELETE FROM rows WHERE settled AND rowid <= (SELECT MAX(rowid) FROM rows) - ?", (SETTLED_ROWS,))

    def settled(self):
        return self.db.execute("SELECT key_id, seq, row FROM rows WHERE settled").fetchall()

    def forget(self, refs):
        self.db.executemany("DELETE FROM rows WHERE settled AND key_id = ? AND seq = ?", refs)

    def send_again(self, version, had):
        """Unsettles what is not among `had` ({key id: [(from, to)]}), and notes the version, in one commit. How many."""
        lost = [(key_id, seq) for key_id, seq, _ in self.settled() if not any(first <= seq <= last for first, last in had.get(key_id, []))]
        self.db.execute("BEGIN IMMEDIATE")
        self.db.executemany("UPDATE rows SET settled = 0 WHERE key_id = ? AND seq = ?", lost)
        self.db.execute("UPDATE meta SET sent_again = ?", (version,))
        self.db.execute("COMMIT")
        return len(lost)

    @property
    def sent_again(self):
        return self.db.execute("SELECT sent_again FROM meta").fetchone()[0]

    def count(self):
        return self.db.execute("SELECT COUNT(*), MIN(at) FROM rows WHERE NOT settled").fetchone()


class Kiosk:
    """A kiosk whose things are in a directory. One content key for as long as the object lives (§5)."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder, mode=0o700, exist_ok=True)
        seed = self._load("key")
        if seed is None:
            seed = secrets.token_bytes(32)
            self._keep("key", seed)
        self.key = Ed25519PrivateKey.from_private_bytes(seed)
        if self._load("id") is None:
            self._keep("id", new_id().encode())
        self.id = self._load("id").decode()
        self.outbox = Outbox(self._path("outbox.db"))
        self.content_key = self.key_id = None
        self.attempts = 0
        self.clock, self.clock_offset = UNSYNCED, None
        self.policy, self.policy_why, self.receipts, self.mqtt = None, None, [], None
        self.notices, self.notices_at, self.notices_why, self.shown, self.shown_at = None, None, None, {}, []  # in RAM only (§23)
        self.command_why = None
        self._take_papers()

    # Files, whole or not at all.

    def _path(self, name):
        return os.path.join(self.folder, name)

    def _load(self, name):
        try:
            with open(self._path(name), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def _keep(self, name, data):
        with open(os.open(self._path(name + ".new"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.rename(self._path(name + ".new"), self._path(name))
        folder = os.open(self.folder, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    # §20 enrolment, renewal, time

    def _identity(self, certificate=None):
        """A file with the key and the certificate to show, for the TLS library."""
        pem = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        self._keep("identity.pem", (pem + (certificate or self_signed(self.key))).encode())
        return self._path("identity.pem")

    def _take_papers(self):
        kept = self._load("papers.json")
        self.papers = kept and json.loads(kept)
        if self.papers:
            self.trust = read_trust(self.papers["trust"])
            self.identity = self._identity(self.papers["certificatePem"])
            for entry in self.papers["seen"]:
                if unb64(entry["epoch"], 8) == self.outbox.epoch and self.outbox.last + 1 <= entry["seq"]:
                    self.outbox.new_epoch()
                    self.content_key = None  # its key record names the old epoch
            policy = self._load("policy")
            if policy:
                self.policy = read_policy(policy, self.trust["receiptKey"], self.trust["deployment"], self.topic("policy"))

    def _check_papers(self, papers):
        trust = read_trust(papers["trust"])
        if papers["kiosk"] != self.id:
            raise Refused("decode.malformed", "papers of another kiosk")
        certificate = x509.load_pem_x509_certificate(papers["certificatePem"].encode())
        if raw(certificate.public_key()) != raw(self.key.public_key()):
            raise Refused("decode.malformed", "a certificate of another key")
        return trust

    def ask(self, path, body):
        """A request to the gateway of the papers."""
        return self._ask(self.trust["host"], self.trust["port"], self.identity, lambda der: der == self.trust["certificate"], path, body, self.trust["pem"])

    def _ask(self, host, port, identity, is_gateway, path, body, pinned=None):
        sock = tls(host, port, "http/1.1", identity, is_gateway, pinned)
        status, _, data = exchange(sock, post(path, f"[{host}]:{port}" if ":" in host else f"{host}:{port}", body))
        doc = json.loads(data) if data else {}
        if status != 200:
            raise Answer(status, doc.get("code"))
        return doc

    def enrol(self, text):
        """One attempt. The code is kept until there are papers or a refusal that says it is of no use."""
        code = read_code(text)
        if code["kind"] != "E":
            raise Refused("code.kind")
        self._keep("code", text.encode())
        identity = self.identity if self.papers else self._identity()
        try:
            papers = self._ask(code["host"], code["port"], identity, lambda der: spki_hash(der) == code["gatewayKeyHash"], "/1/enrol",
                               {"secret": b64(code["secret"]), "kiosk": self.id})
        except Answer as answer:
            if answer.code in FORGETS_CODE:
                os.unlink(self._path("code"))
            raise
        self._check_papers(papers)
        self._keep("papers.json", json.dumps(papers).encode())
        os.unlink(self._path("code"))
        self._take_papers()
        return papers

    def renew(self):
        papers = self.ask("/1/renew", {})
        self._check_papers(papers)
        is_new = {**papers, "seen": None} != {**self.papers, "seen": None}
        if papers != self.papers:
            self._keep("papers.json", json.dumps(papers).encode())
            self._take_papers()
        return is_new

    def ask_time(self):
        """Sets the clock by the gateway's: ms since 1970."""
        nonce, asked = secrets.token_bytes(16), monotonic_ms()
        answer = self.ask("/1/time", {"nonce": b64(nonce)})
        answered = monotonic_ms()
        at = read_time(unb64(answer["time"]), self.trust["receiptKey"], self.trust["deployment"], nonce)
        if answered - asked > 10000:
            raise TimeoutError("an answer that took too long")
        self.clock, self.clock_offset = ASSUMED, at - (asked + answered) // 2
        return at

    # §4 to §7 making

    def stamp(self):
        at = monotonic_ms()
        now = time.time_ns() // 1_000_000 if self.clock_offset is None else at + self.clock_offset
        return {1: now, 2: at, 3: boot_id(), 4: self.clock}

    def _start_key(self):
        content_key, key_id = secrets.token_bytes(32), secrets.token_bytes(8)
        record = make_key_record(self.key, self.trust["deployment"], self.id, self.outbox.epoch, key_id, content_key, self.trust["recipients"])
        self.outbox.keep_key(key_id, record)
        self.content_key, self.key_id, self.attempts = content_key, key_id, 0

    def append(self, fields):
        """Promises an event; its row-ref."""
        if self.content_key is None:
            self._start_key()
        event = self.stamp() | fields

        def seal(seq):
            self.attempts += 1
            aad = row_aad(self.trust["deployment"], self.id, self.outbox.epoch, self.key_id, seq)
            return seal_row(self.content_key, self.attempts, aad, event)

        return [self.key_id, self.outbox.append(self.key_id, seal)]

    def scan(self, text, direction):
        """A card at the door: (row-ref, UUID), or Refused."""
        rules = self.policy or self.trust
        card, size, is_signed = read_card(text, self.trust["deployment"], rules["issuers"], rules["mayTakeUnsigned"])
        if self.policy and (is_lost(self.policy, card) or is_revoked(self.policy, card)):
            raise Refused("card.lost")
        if (self.policy or {}).get("direction", "both") not in (direction, "both"):
            raise Refused("door.direction")
        if direction == "in":
            return self.append({0: CHECK_IN, 5: card, 7: size, 8: is_signed}), card
        return self.append({0: CHECK_OUT, 5: card}), card

    def notice(self, card):
        """§23, "Going by it": after the answer to a scan, whether there is a notice to be shown. Appends `notice-shown` at the first showing."""
        now = self._notice_now()
        told = self.notices and notice_end(self.notices, card)
        first_at, shown_end = self.shown.get(card, (None, None))
        if first_at is not None and not (told and told > shown_end):
            is_there = now < min(shown_end, first_at + SHOWN_FOR_MS)
        else:
            is_there, first_at = bool(told) and now < told, None
        if not is_there:
            return False
        at = monotonic_ms()
        self.shown_at = [t for t in self.shown_at if at - t < 60_000]
        if len(self.shown_at) >= SHOWN_A_MINUTE:
            return False
        self.shown_at.append(at)
        if first_at is None:
            self.shown[card] = now, told
            self.append({0: NOTICE_SHOWN, 5: card})
        return True

    def _notice_now(self):
        if self.clock == UNSYNCED and self.notices:
            return self.notices["issuedAtMs"] + monotonic_ms() - self.notices_at
        return self.stamp()[1]

    def temperature(self, of, card, object_raw, offset=0, attempt=1, ambient=None, offset_id=0, age_days=None, in_range=True):
        policy = self.policy or {}
        fields = {0: TEMPERATURE, 5: card, 6: of, 9: attempt, 10: object_raw, 12: object_raw + offset, 13: policy.get("threshold", 3800), 14: offset_id,
                  15: policy.get("version", 0), 17: in_range}
        return self.append(fields | ({} if ambient is None else {11: ambient}) | ({} if age_days is None else {16: age_days}))

    def undo(self, of):
        return self.append({0: UNDO, 6: of})

    def batch(self, key_id, record, rows):
        return make_batch(self.key, self.trust["deployment"], self.topic("batch"), key_id, [boot_id(), monotonic_ms()], record, rows)

    # §9, §11 to §13 the connection

    def topic(self, what):
        return topic_of(self.id, what)

    def will(self):
        return json.dumps({"isUp": False, "state": "down", "queued": 0, "clock": "unsynced", "devices": [], "version": VERSION}, separators=(",", ":")).encode()

    def state(self):
        queued, oldest = self.outbox.count()
        doc = {"isUp": True, "state": "degraded" if self.policy_why else "up", "queued": queued, "clock": CLOCKS[self.clock], "devices": [],
               "policy": {"version": self.policy["version"] if self.policy else 0}, "version": VERSION}
        if self.outbox.sent_again:
            doc["sentAgain"] = self.outbox.sent_again
        if queued:
            doc["oldestQueuedMs"] = max(0, monotonic_ms() - oldest)
        if self.policy_why:
            doc["policy"]["why"] = self.policy_why
        return json.dumps(doc).encode()

    def open_tls(self, alpn="mqtt"):
        return tls(self.trust["host"], self.trust["port"], alpn, self.identity, lambda der: der == self.trust["certificate"], self.trust["pem"])

    def _open_mqtt(self):
        mqtt = Mqtt(self.open_tls(), self._take)
        answer = mqtt.connect(mqtt_connect(self.id, self.topic("state"), self.will()))
        if answer:
            mqtt.cut()
            raise Refused(f"mqtt.connack_{answer}")
        return mqtt

    def connect(self):
        try:
            mqtt = self._open_mqtt()
        except Refused as refused:
            if refused.code != "mqtt.connack_5":
                raise
            self.renew()
            mqtt = self._open_mqtt()
        self.mqtt = mqtt
        granted = self.mqtt.subscribe([self.topic(what) for what in ("receipt", "policy", "notice", "command")])
        if 0x80 in granted:
            raise Refused("mqtt.suback", str(granted))
        self.say_state()

    def say_state(self):
        self.mqtt.wait(4, self.mqtt.publish(self.topic("state"), self.state(), is_retained=True))

    def disconnect(self):
        """In order: DISCONNECT takes the Will back, so the last word is said first."""
        self.mqtt.wait(4, self.mqtt.publish(self.topic("state"), self.will(), is_retained=True))
        self.mqtt.close()
        self.mqtt = None

    def cut(self):
        """Like a power cut: the gateway publishes the Will."""
        if self.mqtt:
            self.mqtt.cut()
        self.mqtt = None

    def _take(self, topic, payload, is_retained):
        if topic == self.topic("receipt"):
            self.receipts.append(read_receipt(payload, self.trust["receiptKey"], self.trust["deployment"], self.id))
        elif topic == self.topic("policy"):
            self.take_policy(payload)
        elif topic == self.topic("notice"):
            self.take_notices(payload)
        elif topic == self.topic("command"):
            self.take_command(payload)

    def take_command(self, command):
        """§21, "Carrying it out". Whether there was something to do; `command_why` says why not."""
        if not command:
            return False
        try:
            version, _, ends_at, had = read_command(command, self.trust["receiptKey"], self.trust["deployment"], self.topic("command"))
            if version <= self.outbox.sent_again:
                return False
            if self.clock != UNSYNCED and ends_at <= self.stamp()[1]:
                raise Refused("policy.expired")
        except Refused as refused:
            self.command_why = refused.code
            return False
        self.outbox.send_again(version, had)
        self.command_why = None
        if self.mqtt:  # the confirmation; flush() sends what is waiting again
            self.mqtt.publish(self.topic("state"), self.state(), is_retained=True)
        return True

    def take_notices(self, document):
        """§23, "Taking one". Whether it was taken; `notices_why` says why not. An empty message changes nothing."""
        if not document:
            return False
        try:
            notices = read_notice(document, self.trust["receiptKey"], self.trust["deployment"], self.topic("notice"))
            if self.notices and notices["version"] == self.notices["version"]:
                return False
            if self.notices and notices["version"] < self.notices["version"]:
                raise Refused("policy.older")
            if self.clock != UNSYNCED and notices["expiresAtMs"] <= self.stamp()[1]:
                raise Refused("policy.expired")
        except Refused as refused:
            self.notices_why = refused.code
            return False
        self.notices, self.notices_at, self.notices_why = notices, monotonic_ms(), None
        return True

    def ask_core(self, action, key_code):
        """§22, through the gateway: a holder's question, by the key code."""
        core, challenge = read_challenge(json.dumps(self.ask("/1/holder/challenge", {})))
        return self.ask("/1/holder/ask", json.loads(make_proof(action, core, challenge, key_code)))

    def _forget_revoked(self):
        """§19, "Cards that were taken back": settled rows of them go, and those that can not be opened."""
        def is_gone(key_id, seq, row):
            if key_id != self.key_id:
                return True
            event = open_row(self.content_key, row_aad(self.trust["deployment"], self.id, self.outbox.epoch, key_id, seq), row)
            return 5 in event and is_revoked(self.policy, event[5])
        self.outbox.forget([(key_id, seq) for key_id, seq, row in self.outbox.settled() if is_gone(key_id, seq, row)])
        self.shown = {card: shown for card, shown in self.shown.items() if not is_revoked(self.policy, card)}

    def take_policy(self, document):
        """§19, "Taking one". Whether it was taken; `policy_why` says why not."""
        if document == self._load("policy"):
            return False
        try:
            policy = read_policy(document, self.trust["receiptKey"], self.trust["deployment"], self.topic("policy"))
            if self.policy and policy["version"] <= self.policy["version"]:
                raise Refused("policy.older")
            if self.clock != UNSYNCED and policy["expiresAtMs"] <= self.stamp()[1]:
                raise Refused("policy.expired")
        except Refused as refused:
            self.policy_why = refused.code
        else:
            self._keep("policy", document)
            before, self.policy, self.policy_why = self.policy or {}, policy, None
            if "revokedMarks" in policy and policy["revokedMarks"] != before.get("revokedMarks"):
                self._forget_revoked()
        if self.mqtt:  # the confirmation; its PUBACK is not waited for, since this is called while reading
            self.mqtt.publish(self.topic("state"), self.state(), is_retained=True)
        return not self.policy_why

    def receipt_for(self, batch, seconds=3):
        """The ranges that the gateway told about a batch, or None: it may never come."""
        self.mqtt.pump(seconds, lambda: any(digest == sha256(batch) for digest, _ in self.receipts))
        return next((ranges for digest, ranges in self.receipts if digest == sha256(batch)), None)

    def flush(self):
        """Sends what waits, a batch at a time, and settles it on PUBACK. The batches that were sent."""
        sent = []
        while waiting := self.outbox.waiting():
            key_id, record, rows = waiting
            batch = self.batch(key_id, record, rows)
            self.mqtt.wait(4, self.mqtt.publish(self.topic("batch"), batch), 60)
            self.outbox.settle(key_id, [seq for seq, _ in rows])
            sent.append(batch)
        return sent


def main(args):
    command, folder, rest = args[0], args[1], args[2:]
    kiosk = Kiosk(folder)
    if command == "enrol":
        papers = kiosk.enrol(rest[0])
        print(kiosk.id, papers["role"], papers["posting"])
    elif command == "renew":
        print("new papers" if kiosk.renew() else "the same papers")
    elif command == "time":
        print(datetime.datetime.fromtimestamp(kiosk.ask_time() / 1000, datetime.UTC).isoformat())
    elif command == "scan":
        kiosk.ask_time()
        kiosk.connect()
        kiosk.mqtt.pump(2, lambda: kiosk.policy is not None)
        for text in rest[1:]:
            try:
                print(kiosk.scan(text, rest[0])[0][1], "welcome" if rest[0] == "in" else "goodbye")
            except Refused as refused:
                print("refused", refused.code)
        for batch in kiosk.flush():
            print(kiosk.receipt_for(batch))
        kiosk.say_state()
        kiosk.disconnect()
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:]) if len(sys.argv) > 2 else print(__doc__)

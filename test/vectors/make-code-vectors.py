"""
Writes code.json, key-code.json, visitor.json and card.json beside this file: a second, independent reading of docs/protocol.md.
Needs Python 3 and its `cryptography` package; CRC-16/IBM-3740 is the standard library's binascii.crc_hqx started at 0xFFFF.
Not part of the test run: the vectors are kept, so that a change of the code can not change what they expect.
"""
import binascii, hashlib, hmac, json, pathlib
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

HERE = pathlib.Path(__file__).parent
LETTERS = "BCDEFGHJKNPRSTVX"
BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
SOURCE = "test/vectors/make-code-vectors.py: Python's binascii.crc_hqx, hashlib and hmac, and Ed25519 of the cryptography package (OpenSSL)"


def letters(raw):
    return "".join(LETTERS[b >> 4] + LETTERS[b & 15] for b in raw)


def code(kind, payload):
    body = bytes([LETTERS.index("V") << 4 | LETTERS.index(kind)]) + payload
    return letters(body + binascii.crc_hqx(body, 0xFFFF).to_bytes(2, "big"))


def typed(key_code, version=1, zero=0):
    head = version << 129 | int.from_bytes(key_code, "big") << 1 | zero
    bits = head << 16 | binascii.crc_hqx(head.to_bytes(17, "big"), 0xFFFF)
    symbols = "".join(BASE32[bits >> (145 - 5 * n) & 31] for n in range(30))
    return "-".join(symbols[n : n + 5] for n in range(0, 30, 5))


def hkdf(key, info, length):
    prk = hmac.new(bytes(32), key, "sha256").digest()
    return hmac.new(prk, info + b"\1", "sha256").digest()[:length]


def public(private):
    return private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def visitor(key_code):
    seed = hkdf(key_code, b"vestibule visitor 1", 32)
    key = public(Ed25519PrivateKey.from_private_bytes(seed))
    uuid = bytearray(hashlib.sha256(key).digest()[:16])
    uuid[6] = uuid[6] & 0x0F | 0x80
    uuid[8] = uuid[8] & 0x3F | 0x80
    return seed, key, bytes(uuid)


def sign(private, kind, deployment, body):
    return private.sign(b"vestibule-card-1\0" + kind.encode() + deployment.encode() + body)


KEY_CODES = {
    "zeros": bytes(16),
    "ones": bytes([255] * 16),
    "counting": bytes(range(16)),
    "hash": hashlib.sha256(b"vestibule").digest()[:16],
}
UUID = visitor(KEY_CODES["counting"])[2]
DEPLOYMENT, OTHER_DEPLOYMENT, VENUE = "0123456789abcdef", "ghjkmnpqrstvwxyz", "0z1y2x3w4v5t6s7r"
ISSUER, OTHER = (Ed25519PrivateKey.from_private_bytes(bytes([n] * 32)) for n in (0x42, 0x43))
ISSUER_ID = hashlib.sha256(public(ISSUER)).digest()[:4]
SECRET, HASH = bytes(range(0x10, 0x20)), bytes(range(0x20, 0x30))
BODIES = {"C": ISSUER_ID + UUID, "G": ISSUER_ID + UUID + bytes([5]), "S": ISSUER_ID + SECRET, "B": ISSUER_ID + UUID + bytes([0])}
SIGNATURES = {kind: sign(ISSUER, kind, DEPLOYMENT, body) for kind, body in BODIES.items()}
CARDS = {kind: code(kind, BODIES[kind] + SIGNATURES[kind]) for kind in BODIES}
hexes = lambda **fields: {name: value.hex() if isinstance(value, bytes) else value for name, value in fields.items()}
host = lambda text: (8883).to_bytes(2, "big") + bytes([len(text)]) + text.encode()

codes = [
    ("visitor card", CARDS["C"], hexes(kind="visitor", issuer=ISSUER_ID, card=UUID, signature=SIGNATURES["C"])),
    ("group card of 5", CARDS["G"], hexes(kind="group", issuer=ISSUER_ID, card=UUID, size=5, signature=SIGNATURES["G"])),
    ("unsigned card", code("N", UUID), hexes(kind="unsigned", card=UUID)),
    ("key code", code("K", KEY_CODES["counting"]), hexes(kind="key", keyCode=KEY_CODES["counting"])),
    ("test sticker", CARDS["S"], hexes(kind="sticker", issuer=ISSUER_ID, sticker=SECRET, signature=SIGNATURES["S"])),
    ("enrolment", code("E", SECRET + HASH + host("gateway.example")), hexes(kind="enrolment", secret=SECRET, gatewayKeyHash=HASH, host="gateway.example", port=8883)),
    ("enrolment by address", code("E", SECRET + HASH + host("2001:db8::1")), hexes(kind="enrolment", secret=SECRET, gatewayKeyHash=HASH, host="2001:db8::1", port=8883)),
    ("clinician", code("D", SECRET), hexes(kind="clinician", secret=SECRET)),
    *[(f"result, {name}", code("R", bytes([n])), hexes(kind="result", result=name)) for n, name in enumerate(["positive", "negative", "void"])],
    *[(f"staff, {name}", code("T", SECRET + bytes([n])), hexes(kind="staff", secret=SECRET, command=name)) for n, name in enumerate(["menu", "undo", "door-in", "door-out", "door-both"])],
    ("staff card, menu", CARDS["B"], hexes(kind="staff-card", issuer=ISSUER_ID, card=UUID, command="menu", signature=SIGNATURES["B"])),
    ("venue poster", code("P", sum(BASE32.index(c.upper()) << 75 - 5 * n for n, c in enumerate(VENUE)).to_bytes(10, "big")), hexes(kind="poster", venue=VENUE)),
]
text = dict((name, text) for name, text, _ in codes)
unsigned, staff = text["unsigned card"], text["staff, menu"]
wrong_uuid = bytearray(UUID)
wrong_uuid[6] = 0x4F
refused = [
    ("nothing", "", "code.not_ours"),
    ("a shop's bar code", "4006381333931", "code.not_ours"),
    ("an address", "https://example.org/", "code.not_ours"),
    ("mixed case", unsigned[:10] + unsigned[10:].lower(), "code.not_ours"),
    ("a space in front", " " + unsigned, "code.not_ours"),
    ("a letter of no code", "A" + unsigned[1:], "code.not_ours"),
    ("another version", "X" + unsigned[1:], "code.version"),
    ("another kind", "VF" + unsigned[2:], "code.kind"),
    ("version and kind alone", "VC", "code.length"),
    ("one letter short", unsigned[:-1], "code.length"),
    ("one letter more", unsigned + "B", "code.length"),
    ("doubled", unsigned * 2, "code.length"),
    ("too long to be any", "V" * 583, "code.length"),
    ("host cut by one", text["enrolment"][:-2], "code.length"),
    ("last letter wrong", unsigned[:-1] + ("B" if unsigned[-1] != "B" else "C"), "code.check"),
    ("a visitor card's letters as a sticker's", "VS" + CARDS["C"][2:], "code.check"),
    ("not a version 8 UUID", code("N", bytes(wrong_uuid)), "code.malformed"),
    ("a group of 1", code("G", BODIES["G"][:-1] + bytes([1]) + SIGNATURES["G"]), "code.malformed"),
    ("a group of 100", code("G", BODIES["G"][:-1] + bytes([100]) + SIGNATURES["G"]), "code.malformed"),
    ("a staff command that is none", code("T", SECRET + bytes([5])), "code.malformed"),
    ("a staff card for a command that is none", code("B", BODIES["B"][:-1] + bytes([5]) + SIGNATURES["B"]), "code.malformed"),
    ("a result that is none", code("R", bytes([3])), "code.malformed"),
    ("enrolment at port 0", code("E", SECRET + HASH + bytes([0, 0, 1]) + b"a"), "code.malformed"),
    ("enrolment without host", code("E", SECRET + HASH + host("")), "code.malformed"),
    ("enrolment with a space in the host", code("E", SECRET + HASH + host("a b")), "code.malformed"),
    ("a card within a poster's address", "HTTPS://VENUE.EXAMPLE/P/" + unsigned, "code.not_ours"),
]
also = [
    ("a visitor card typed with Caps Lock on", CARDS["C"].lower(), text["visitor card"]),
    ("a poster's address", "HTTPS://VENUE.EXAMPLE/P/" + text["venue poster"], text["venue poster"]),
    ("a poster's address in lower case", "https://venue.example/p/" + text["venue poster"].lower(), text["venue poster"]),
]
three = lambda key, rows: [dict(zip(("name", "text", key), row)) for row in rows]


def write(name, **parts):
    (HERE / name).write_text(json.dumps({"source": SOURCE, **parts}, indent=2) + "\n")


write("code.json", codes=three("code", codes), readAs=three("canonical", also), refused=three("error", refused))

canonical = typed(KEY_CODES["hash"])
bare = canonical.replace("-", "")
write(
    "key-code.json",
    keyCodes=[dict(name=name, keyCode=raw.hex(), typed=typed(raw), scanned=code("K", raw)) for name, raw in KEY_CODES.items()],
    readAs=[
        dict(name=name, text=text, keyCode=KEY_CODES["hash" if bare in text.upper().replace("-", "").replace(" ", "") else "zeros"].hex())
        for name, text in [
            ("lower case", canonical.lower()),
            ("without hyphens", bare),
            ("with spaces", canonical.replace("-", " ")),
            ("with hyphens and spaces anywhere", " " + " - ".join(bare) + " "),
            ("letter O for zero, letter l for one", typed(KEY_CODES["zeros"]).replace("0", "O").replace("1", "l")),
            ("letter o for zero, letter I for one", typed(KEY_CODES["zeros"]).replace("0", "o").replace("1", "I")),
        ]
    ],
    refused=three(
        "error",
        [
            ("nothing", "", "code.length"),
            ("one symbol short", canonical[:-1], "code.length"),
            ("one symbol more", canonical + "0", "code.length"),
            ("doubled", canonical * 2, "code.length"),
            ("too long to be one", "1" * 151, "code.length"),
            ("the letter U", bare[:-1] + "U", "code.not_ours"),
            ("a full stop", bare[:-1] + ".", "code.not_ours"),
            ("another version", typed(KEY_CODES["hash"], version=2), "code.version"),
            ("last symbol wrong", canonical[:-1] + ("0" if canonical[-1] != "0" else "1"), "code.check"),
            ("the bit before the check set", typed(KEY_CODES["hash"], zero=1), "code.malformed"),
        ],
    ),
)
write(
    "visitor.json",
    visitors=[dict(zip(("name", "keyCode", "seed", "publicKey", "uuid"), (name, raw.hex(), *(part.hex() for part in visitor(raw))))) for name, raw in KEY_CODES.items()],
)


def forged(kind, body, private=ISSUER, deployment=DEPLOYMENT, as_kind=None):
    return code(as_kind or kind, body + sign(private, kind, deployment, body))


write(
    "card.json",
    deployment=DEPLOYMENT,
    issuers=[dict(seed=(bytes([0x42] * 32)).hex(), publicKey=public(ISSUER).hex(), id=ISSUER_ID.hex())],
    cards=[
        dict(name="visitor card", text=CARDS["C"], card=UUID.hex(), groupSize=1, isSigned=True, mayTakeUnsigned=False),
        dict(name="group card of 5", text=CARDS["G"], card=UUID.hex(), groupSize=5, isSigned=True, mayTakeUnsigned=False),
        dict(name="unsigned card where they are taken", text=unsigned, card=UUID.hex(), groupSize=1, isSigned=False, mayTakeUnsigned=True),
    ],
    stickers=[dict(name="test sticker", text=CARDS["S"], sticker=SECRET.hex())],
    staffCards=[dict(name="staff card, menu", text=CARDS["B"], card=UUID.hex(), command="menu")],
    staffRefused=[
        dict(name="a visitor's signature on a staff card", text=code("B", BODIES["B"] + SIGNATURES["C"]), error="code.forged"),
        dict(name="a staff card made for another command", text=code("B", BODIES["B"][:-1] + bytes([1]) + SIGNATURES["B"]), error="code.forged"),
        dict(name="a staff card of another deployment", text=forged("B", BODIES["B"], deployment=OTHER_DEPLOYMENT), error="code.forged"),
    ],
    refused=three(
        "error",
        [
            ("unsigned card where signed ones only are taken", unsigned, "code.unsigned"),
            ("key code", text["key code"], "code.kind"),
            ("test sticker", CARDS["S"], "code.kind"),
            ("staff command", staff, "code.kind"),
            ("staff card", CARDS["B"], "code.kind"),
            ("another issuer", forged("C", hashlib.sha256(public(OTHER)).digest()[:4] + UUID, OTHER), "code.unknown_issuer"),
            ("another issuer under our issuer's id", forged("C", BODIES["C"], OTHER), "code.forged"),
            ("another deployment", forged("C", BODIES["C"], deployment=OTHER_DEPLOYMENT), "code.forged"),
            ("a visitor's signature on another UUID", code("C", ISSUER_ID + visitor(KEY_CODES["zeros"])[2] + SIGNATURES["C"]), "code.forged"),
            ("a group made larger", code("G", BODIES["C"] + bytes([99]) + SIGNATURES["G"]), "code.forged"),
            ("a sticker's signature on a card", forged("S", BODIES["C"], as_kind="C"), "code.forged"),
        ],
    ),
)

"""
Writes holder.json beside this file: a second, independent reading of docs/protocol.md, "Holder".
Needs Python 3 and its `cryptography` package. Not part of the test run: the vectors are kept, so that a change of the code can not change
what they expect.
"""
import base64, hashlib, hmac, json, pathlib
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

HERE = pathlib.Path(__file__).parent
ACTIONS = ["read", "revoke", "receipt"]
KEY_CODE = bytes(range(16))
CORE = bytes.fromhex("c0ffee0011223344")
CHALLENGE = hashlib.sha256(b"challenge").digest()


def hkdf(key, info, length):
    prk = hmac.new(bytes(32), key, "sha256").digest()
    return hmac.new(prk, info + b"\1", "sha256").digest()[:length]


def text(raw):
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


private = Ed25519PrivateKey.from_private_bytes(hkdf(KEY_CODE, b"vestibule visitor 1", 32))
public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
uuid = bytearray(hashlib.sha256(public).digest()[:16])
uuid[6] = uuid[6] & 0x0F | 0x80
uuid[8] = uuid[8] & 0x3F | 0x80


def signed(action, core=CORE, challenge=CHALLENGE):
    return b"vestibule-holder-1\0" + core + bytes([ACTIONS.index(action) + 1]) + challenge


def proof(action, signature=None, **other):
    shown = {
        "action": action,
        "core": text(CORE),
        "challenge": text(CHALLENGE),
        "publicKey": text(public),
        "signature": text(signature or private.sign(signed(action))),
    }
    return json.dumps(shown | other, separators=(",", ":"))


flipped = bytearray(private.sign(signed("read")))
flipped[0] ^= 1
json.dump(
    {
        "source": "test/vectors/make-holder-vectors.py: Ed25519 of the cryptography package (OpenSSL), hashlib and hmac",
        "keyCode": KEY_CODE.hex(),
        "card": bytes(uuid).hex(),
        "core": CORE.hex(),
        "challenge": CHALLENGE.hex(),
        "challengeText": json.dumps({"core": text(CORE), "challenge": text(CHALLENGE)}, separators=(",", ":")),
        "proofs": [{"action": action, "signed": signed(action).hex(), "text": proof(action)} for action in ACTIONS],
        "refused": [
            {"name": "a proof to read, said to be one to revoke", "text": proof("read").replace('"read"', '"revoke"'), "error": "holder.not_proven"},
            {"name": "a proof for another core", "text": proof("read", core=text(bytes(8))), "error": "holder.not_proven"},
            {"name": "a proof over another challenge", "text": proof("read", challenge=text(bytes(32))), "error": "holder.not_proven"},
            {"name": "a proof by another key", "text": proof("read", publicKey=text(hashlib.sha256(b"key").digest())), "error": "holder.not_proven"},
            {"name": "a signature with a flipped bit", "text": proof("read", signature=bytes(flipped)), "error": "holder.not_proven"},
            {"name": "an action that is none", "text": proof("read").replace('"read"', '"forget"'), "error": "decode.malformed"},
            {"name": "a key that is too short", "text": proof("read", publicKey=text(bytes(31))), "error": "decode.malformed"},
            {"name": "a challenge that is too long", "text": proof("read", challenge=text(bytes(33))), "error": "decode.malformed"},
            {"name": "a member too many", "text": proof("read", keyCode="x"), "error": "decode.malformed"},
            {"name": "no JSON", "text": proof("read")[:-1], "error": "decode.malformed"},
            {"name": "longer than any", "text": proof("read") + " " * 1024, "error": "decode.overlong"},
        ],
    },
    (HERE / "holder.json").open("w"),
    indent=2,
)

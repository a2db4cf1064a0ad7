"""
Writes release.json beside this file: a release bundle and a gateway's word of it, made a second time, in another language, from docs/protocol.md
alone: own CBOR writer, own COSE, a zstd frame written by hand (RFC 8878, section 3.1.1).
Needs Python 3 and its `cryptography` package. Not part of the test run: the vectors are kept, so that a change of the code can not change what
they expect.
"""
import json, pathlib
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from wire_writer import cbor, fixed, sha, sign1

HERE = pathlib.Path(__file__).parent


def raw(key):
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def X(b):
    return {"hex": b.hex()}


DEPLOYMENT, KIOSK, OTHER_KIOSK = "d3p10ym3nt000001", "k10sk00000000001", "k10sk00000000002"
RELEASE_SEED, RECEIPT_SEED, STRANGER_SEED = fixed("release"), fixed("receipt"), fixed("stranger")
release_key, receipt_key, stranger_key = (Ed25519PrivateKey.from_private_bytes(s) for s in (RELEASE_SEED, RECEIPT_SEED, STRANGER_SEED))
PLACE = {"deployment": DEPLOYMENT, "kiosk": KIOSK}

# --- The bundle: two parts, three chunks, the first of them packed
CHUNK = 4096
ZEROS = bytes.fromhex("28b52ffd" "60" "000f" "038000" "00")  # 4096 zero bytes: single segment, content size 3840 + 256, one last block, run-length
REST, ROOT = (fixed("boot") * 4)[:104], fixed("root") * 2
BOOT = bytes(CHUNK) + REST
PARTS = [["boot", len(BOOT), sha(BOOT), [len(ZEROS), len(REST)], sha(ZEROS) + sha(REST)],
         ["root", len(ROOT), sha(ROOT), [len(ROOT)], sha(ROOT)]]
AAD = cbor(["vestibule-release-1"])
MANIFEST = {0: 1, 1: [1, 4, 0], 2: "rpi-arm64", 3: [1, 2], 4: CHUNK, 5: PARTS}


def release_head(fields, key=release_key, named=release_key, aad=AAD):
    return cbor([sha(raw(named))[:8], sign1(key, aad, cbor(fields))])


def bundle(h):
    return b"vrelease" + len(h).to_bytes(4, "big") + h + ZEROS + REST + ROOT


def without(fields, key):
    return {k: v for k, v in fields.items() if k != key}


def with_part(at, value):
    part = list(PARTS[0])
    part[at] = value
    return {**MANIFEST, 5: [part, PARTS[1]]}


REFUSED = [
    ("signed by another", release_head(MANIFEST, stranger_key), "seal.signature"),
    ("by a key that is not known", release_head(MANIFEST, stranger_key, stranger_key), "release.unknown_key"),
    ("signed as something else", release_head(MANIFEST, aad=cbor(["vestibule-time-1"])), "seal.signature"),
    ("without a key id", sign1(release_key, AAD, cbor(MANIFEST)), "decode.malformed"),
    ("another form", release_head({**MANIFEST, 0: 2}), "decode.unsupported"),
    ("no form", release_head(without(MANIFEST, 0)), "decode.malformed"),
    ("no version", release_head(without(MANIFEST, 1)), "decode.malformed"),
    ("a version of two numbers", release_head({**MANIFEST, 1: [1, 4]}), "decode.malformed"),
    ("a version too great", release_head({**MANIFEST, 1: [1, 4, 65536]}), "decode.out_of_range"),
    ("a board with a capital", release_head({**MANIFEST, 2: "RPI"}), "decode.malformed"),
    ("revision 0", release_head({**MANIFEST, 3: [0, 2]}), "decode.out_of_range"),
    ("revisions that go back", release_head({**MANIFEST, 3: [2, 1]}), "decode.malformed"),
    ("chunks of 5000 bytes", release_head({**MANIFEST, 4: 5000}), "decode.out_of_range"),
    ("chunks of 2 MiB", release_head({**MANIFEST, 4: 2**21}), "decode.out_of_range"),
    ("no parts", release_head({**MANIFEST, 5: []}), "decode.malformed"),
    ("nine parts", release_head({**MANIFEST, 5: [["p%d" % n, *PARTS[1][1:]] for n in range(9)]}), "decode.malformed"),
    ("a part twice", release_head({**MANIFEST, 5: [PARTS[1], PARTS[1]]}), "decode.malformed"),
    ("an empty part", release_head(with_part(1, 0)), "decode.out_of_range"),
    ("a part with a chunk too few", release_head(with_part(1, 2 * CHUNK + 1)), "decode.malformed"),
    ("a digest too short", release_head(with_part(4, sha(ZEROS))), "decode.malformed"),
    ("a chunk longer than it may be", release_head(with_part(3, [CHUNK + 1, len(REST)])), "decode.out_of_range"),
    ("an empty chunk", release_head(with_part(3, [0, len(REST)])), "decode.out_of_range"),
    ("a field that has to be known and is not", release_head({**MANIFEST, 63: 0}), "decode.unsupported"),
]
HEAD = release_head(MANIFEST)
MANIFEST_JSON = {
    "version": [1, 4, 0], "board": "rpi-arm64", "wire": {"least": 1, "greatest": 2}, "chunkBytes": CHUNK,
    "parts": [{"name": name, "sizeBytes": size, "digest": X(digest),
               "chunks": [{"storedBytes": n, "digest": X(digests[32 * at:32 * at + 32])} for at, n in enumerate(lengths)]}
              for name, size, digest, lengths, digests in PARTS],
}

# --- The word of it
WORD_AAD = cbor(["vestibule-release-word-1", DEPLOYMENT, f"vestibule/1/kiosk/{KIOSK}/release"])
ISSUED = 1795251600000
LENGTH = len(bundle(HEAD))
WORD = {0: 1795251600, 1: ISSUED, 2: ISSUED + 14 * 86400000, 3: [1, 2], 4: [sha(HEAD), LENGTH, [1, 4, 0]]}
WORD_JSON = {"number": 1795251600, "issuedAtMs": ISSUED, "expiresAtMs": ISSUED + 14 * 86400000, "wire": {"least": 1, "greatest": 2},
             "offered": {"digest": X(sha(HEAD)), "lengthBytes": LENGTH, "version": [1, 4, 0]}}
NOTHING_JSON = {k: v for k, v in WORD_JSON.items() if k != "offered"}


def word(fields, key=receipt_key, aad=WORD_AAD):
    return sign1(key, aad, cbor(fields))


REFUSED_WORDS = [
    ("signed by another", word(WORD, stranger_key), "seal.signature"),
    ("signed for another kiosk", word(WORD, aad=cbor(["vestibule-release-word-1", DEPLOYMENT, f"vestibule/1/kiosk/{OTHER_KIOSK}/release"])), "seal.signature"),
    ("number 0", word({**WORD, 0: 0}), "decode.out_of_range"),
    ("over before it begins", word({**WORD, 2: ISSUED}), "decode.malformed"),
    ("no revisions", word(without(WORD, 3)), "decode.malformed"),
    ("revisions that go back", word({**WORD, 3: [3, 2]}), "decode.malformed"),
    ("a digest too short", word({**WORD, 4: [sha(HEAD)[:31], LENGTH, [1, 4, 0]]}), "decode.malformed"),
    ("a bundle of nothing", word({**WORD, 4: [sha(HEAD), 0, [1, 4, 0]]}), "decode.out_of_range"),
    ("no version", word({**WORD, 4: [sha(HEAD), LENGTH]}), "decode.malformed"),
    ("an array", word([1]), "decode.malformed"),
    ("a field that has to be known and is not", word({**WORD, 5: 0}), "decode.unsupported"),
]


def refused(cases):
    return [{"name": name, "hex": b.hex(), "error": error} for name, b, error in cases]


(HERE / "release.json").write_text(json.dumps({
    "source": "test/vectors/make-release-vectors.py, from docs/protocol.md; Ed25519 of Python's cryptography package (OpenSSL)",
    "releaseSeed": X(RELEASE_SEED),
    "releasePublicKey": raw(release_key).hex(),
    "keyId": sha(raw(release_key))[:8].hex(),
    "externalAad": AAD.hex(),
    "heads": [{"name": "two parts, three chunks", "manifest": MANIFEST_JSON, "payload": cbor(MANIFEST).hex(), "hex": HEAD.hex(), "digest": sha(HEAD).hex()}],
    "passable": {"name": "a field from 64 on, which is passed over", "manifest": MANIFEST_JSON, "hex": release_head({**MANIFEST, 64: "later"}).hex()},
    "refused": refused(REFUSED),
    "bundle": bundle(HEAD).hex(),
    "unpacked": {"boot": BOOT.hex(), "root": ROOT.hex()},
    "place": PLACE,
    "receiptSeed": X(RECEIPT_SEED),
    "receiptPublicKey": raw(receipt_key).hex(),
    "wordAad": WORD_AAD.hex(),
    "words": [{"name": name, "word": value, "payload": cbor(fields).hex(), "hex": word(fields).hex()}
              for name, fields, value in (("a release to take", WORD, WORD_JSON), ("nothing to take", without(WORD, 4), NOTHING_JSON))],
    "passableWord": {"name": "a field from 64 on, which is passed over", "word": WORD_JSON, "hex": word({**WORD, 64: "later"}).hex()},
    "refusedWords": refused(REFUSED_WORDS),
}, indent=2) + "\n")

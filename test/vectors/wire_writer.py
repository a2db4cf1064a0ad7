"""
What the makers of vectors share: CBOR and COSE written a second time, in another language, from RFC 8949 and RFC 9052 alone.
"""
import hashlib


# --- CBOR: shortest heads, definite lengths, map keys in bytewise order (RFC 8949, section 4.2.1)
def head(major, n):
    if n < 24:
        return bytes([major << 5 | n])
    for extra, width in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if n < 1 << 8 * width:
            return bytes([major << 5 | extra]) + n.to_bytes(width, "big")
    raise ValueError(n)


def cbor(value):
    if value is None or isinstance(value, bool):
        return {False: b"\xf4", True: b"\xf5", None: b"\xf6"}[value]
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(cbor, value))
    return head(5, len(value)) + b"".join(sorted(cbor(k) + cbor(v) for k, v in value.items()))


# --- COSE, RFC 9052
def sign1(key, aad, payload, protected=None):
    protected = cbor({1: -19}) if protected is None else protected
    return cbor([protected, {}, payload, key.sign(cbor(["Signature1", protected, aad, payload]))])


def fixed(name, length=32):
    return hashlib.sha256(b"vestibule vector " + name.encode()).digest()[:length]


def sha(b):
    return hashlib.sha256(b).digest()

"""A kiosk in Python, written from docs/protocol.md alone: standard library and `cryptography`. `key DIR` and `run DIR TRUST.JSON`."""
import base64, datetime, hashlib, json, os, secrets, socket, ssl, struct, sys, time
from cryptography import x509
from cryptography.hazmat.primitives import serialization, hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
import hmac
from cryptography.x509.oid import NameOID

# --- section 3: deterministic CBOR
def head(major, n):
    if n < 24: return bytes([major << 5 | n])
    for info, fmt, limit in ((24, '>B', 1 << 8), (25, '>H', 1 << 16), (26, '>I', 1 << 32), (27, '>Q', 1 << 64)):
        if n < limit: return bytes([major << 5 | info]) + struct.pack(fmt, n)
def enc(v):
    if v is True: return b'\xf5'
    if v is False: return b'\xf4'
    if v is None: return b'\xf6'
    if isinstance(v, int): return head(0, v) if v >= 0 else head(1, -1 - v)
    if isinstance(v, bytes): return head(2, len(v)) + v
    if isinstance(v, str): b = v.encode(); return head(3, len(b)) + b
    if isinstance(v, (list, tuple)): return head(4, len(v)) + b''.join(map(enc, v))
    if isinstance(v, dict): return head(5, len(v)) + b''.join(enc(k) + enc(v[k]) for k in sorted(v))
    raise TypeError(v)
def dec(b, i=0):
    major, info = b[i] >> 5, b[i] & 31; i += 1
    if major == 7: return {20: False, 21: True, 22: None}[info], i
    if info >= 24:
        size = 1 << (info - 24); n = int.from_bytes(b[i:i+size], 'big'); i += size
    else: n = info
    if major == 0: return n, i
    if major == 1: return -1 - n, i
    if major == 2: return b[i:i+n], i + n
    if major == 3: return b[i:i+n].decode(), i + n
    if major == 4:
        out = []
        for _ in range(n): v, i = dec(b, i); out.append(v)
        return out, i
    if major == 5:
        out = {}
        for _ in range(n): k, i = dec(b, i); out[k], i = dec(b, i)
        return out, i

def sign1(payload, aad, key):
    protected = enc({1: -19})
    return enc([protected, {}, payload, key.sign(enc(['Signature1', protected, aad, payload]))])
def verify1(message, aad, public):
    (protected, unprotected, payload, signature), end = dec(message)
    assert end == len(message) and protected == enc({1: -19}) and unprotected == {}
    Ed25519PublicKey.from_public_bytes(public).verify(signature, enc(['Signature1', protected, aad, payload]))
    return payload

# --- HPKE, RFC 9180, base, single shot
def hkdf_extract(salt, ikm): return hmac.new(salt or bytes(32), ikm, hashlib.sha256).digest()
def hkdf_expand(prk, info, length):
    out, t, i = b'', b'', 1
    while len(out) < length: t = hmac.new(prk, t + info + bytes([i]), hashlib.sha256).digest(); out += t; i += 1
    return out[:length]
def labeled_extract(suite, salt, label, ikm): return hkdf_extract(salt, b'HPKE-v1' + suite + label + ikm)
def labeled_expand(suite, prk, label, info, length): return hkdf_expand(prk, struct.pack('>H', length) + b'HPKE-v1' + suite + label + info, length)
def raw(public): return public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
def hpke_seal(recipient, info, plain):
    eph = X25519PrivateKey.generate(); enc_ = raw(eph.public_key())
    dh = eph.exchange(X25519PublicKey.from_public_bytes(recipient))
    kem = b'KEM' + struct.pack('>H', 0x20)
    shared = labeled_expand(kem, labeled_extract(kem, b'', b'eae_prk', dh), b'shared_secret', enc_ + recipient, 32)
    suite = b'HPKE' + struct.pack('>HHH', 0x20, 1, 2)
    context = b'\x00' + labeled_extract(suite, b'', b'psk_id_hash', b'') + labeled_extract(suite, b'', b'info_hash', info)
    secret = labeled_extract(suite, shared, b'secret', b'')
    key = labeled_expand(suite, secret, b'key', context, 32); nonce = labeled_expand(suite, secret, b'base_nonce', context, 12)
    return enc_, AESGCM(key).encrypt(nonce, plain, b'')

ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'
def place_id(): return ''.join(secrets.choice(ALPHABET) for _ in range(16))
def b64(data): return base64.urlsafe_b64encode(data).rstrip(b'=').decode()
def unb64(text): return base64.urlsafe_b64decode(text + '=' * (-len(text) % 4))

class Kiosk:
    def __init__(self, directory):
        self.dir = directory
        path = f'{directory}/identity.json'
        if os.path.exists(path):
            self.id = json.load(open(path))
        else:
            self.id = dict(kiosk=place_id(), seed=secrets.token_hex(32), epoch=secrets.token_hex(8), seq=0)
            self.save()
        self.kiosk = self.id['kiosk']; self.epoch = bytes.fromhex(self.id['epoch'])
        self.key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(self.id['seed']))
        self.boot = bytes.fromhex(open('/proc/sys/kernel/random/boot_id').read().strip().replace('-', ''))
    def save(self): json.dump(self.id, open(f'{self.dir}/identity.json', 'w'))
    def public(self): return raw(self.key.public_key())
    def certificate(self):
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.kiosk)])
        cert = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(self.key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(datetime.datetime(1970, 1, 1)).not_valid_after(datetime.datetime(9999, 12, 31, 23, 59, 59))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(self.key, None))
        open(f'{self.dir}/cert.pem', 'wb').write(cert.public_bytes(serialization.Encoding.PEM))
        open(f'{self.dir}/key.pem', 'wb').write(self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    def start(self, trust):
        self.trust = trust; self.deployment = trust['deployment']
        self.key_id = secrets.token_bytes(8); self.content_key = secrets.token_bytes(32); self.counter = 0
        wrapped = []
        for r in trust['recipients']:
            rid = unb64(r['id'])
            info = enc(['vestibule-content-key-1', self.deployment, self.kiosk, self.epoch, self.key_id, rid])
            e, c = hpke_seal(unb64(r['publicKey']), info, self.content_key)
            wrapped.append([rid, e, c])
        self.record = sign1(enc([self.epoch, self.key_id, wrapped]), enc(['vestibule-key-record-1', self.deployment, self.kiosk]), self.key)
        self.topic = f'vestibule/1/kiosk/{self.kiosk}/batch'
    def monotonic(self): return int(time.clock_gettime(time.CLOCK_BOOTTIME) * 1000)
    def stamp(self): return {1: int(time.time() * 1000), 2: self.monotonic(), 3: self.boot, 4: 0}
    def seal(self, event):
        self.counter += 1
        self.id['seq'] += 1; seq = self.id['seq']; self.save()
        protected = enc({1: 3, 5: bytes(4) + struct.pack('>Q', self.counter)})
        aad = enc(['Encrypt0', protected, enc(['vestibule-row-1', self.deployment, self.kiosk, self.epoch, self.key_id, seq])])
        cipher = AESGCM(self.content_key).encrypt(bytes(4) + struct.pack('>Q', self.counter), enc(event), aad)
        return seq, enc([protected, {}, cipher])
    def batch(self, rows):
        listed = [[seq, hashlib.sha256(row).digest()] for seq, row in rows]
        payload = enc([self.key_id, [self.boot, self.monotonic()], listed])
        aad = enc(['vestibule-batch-1', self.deployment, self.topic])
        return enc([self.record, sign1(payload, aad, self.key), [row for _, row in rows]])
    def read_receipt(self, message):
        payload = verify1(message, enc(['vestibule-receipt-1', self.deployment, self.kiosk]), unb64(self.trust['receiptKey']))
        return dec(payload)[0]

# --- MQTT 3.1.1 by hand
def mqtt_text(t): b = t.encode() if isinstance(t, str) else t; return struct.pack('>H', len(b)) + b
def packet(first, body):
    n, length = len(body), b''
    while True:
        n, digit = n >> 7, n & 127
        length += bytes([digit | (128 if n else 0)])
        if not n: return bytes([first]) + length + body
class Mqtt:
    def __init__(self, kiosk, address=None):
        gateway = kiosk.trust['gateway']
        open(f'{kiosk.dir}/gateway.pem', 'w').write(gateway['certificatePem'])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname = False
        context.load_verify_locations(f'{kiosk.dir}/gateway.pem')
        context.load_cert_chain(f'{kiosk.dir}/cert.pem', f'{kiosk.dir}/key.pem')
        self.socket = context.wrap_socket(socket.create_connection((address or gateway['host'], gateway['port']), timeout=20))
        assert self.socket.getpeercert(True) == ssl.PEM_cert_to_DER_cert(gateway['certificatePem'])
        self.next = 0; self.inbox = []
        will = json.dumps({'isUp': False, 'state': 'down', 'queued': 0, 'clock': 'unsynced', 'devices': [], 'version': 'stranger-1'})
        state = f'vestibule/1/kiosk/{kiosk.kiosk}/state'
        flags = 0x02 | 0x04 | 0x08 | 0x20
        self.send(0x10, mqtt_text('MQTT') + bytes([4, flags]) + struct.pack('>H', 30) + mqtt_text(kiosk.kiosk) + mqtt_text(state) + mqtt_text(will))
        first, body = self.read(); assert first == 0x20 and body[1] == 0, ('CONNACK', body)
        self.send(0x82, self.id() + mqtt_text(f'vestibule/1/kiosk/{kiosk.kiosk}/receipt') + b'\x01')
        self.publish(state, json.dumps({'isUp': True, 'state': 'up', 'queued': 0, 'clock': 'synced', 'devices': [], 'version': 'stranger-1'}).encode(), True)
    def id(self): self.next = self.next % 65535 + 1; return struct.pack('>H', self.next)
    def send(self, first, body): self.socket.sendall(packet(first, body))
    def exactly(self, n):
        out = b''
        while len(out) < n:
            more = self.socket.recv(n - len(out))
            if not more: raise EOFError('closed')
            out += more
        return out
    def read(self):
        first, n, shift = self.exactly(1)[0], 0, 0
        while True:
            b = self.exactly(1)[0]; n |= (b & 127) << shift; shift += 7
            if not b & 128: return first, self.exactly(n)
    def publish(self, topic, payload, retain=False):
        pid = self.id(); self.send(0x32 | (1 if retain else 0), mqtt_text(topic) + pid + payload)
        while True:
            first, body = self.read()
            if first == 0x40 and body == pid: return
            self.heard(first, body)
    def heard(self, first, body):
        if first >> 4 == 3:
            n = struct.unpack('>H', body[:2])[0]; rest = body[2 + n:]
            if first & 6: self.send(0x40, rest[:2]); rest = rest[2:]
            self.inbox.append((body[2:2 + n].decode(), rest))
        elif first == 0x90: assert body[2] == 1, ('SUBACK', body)

if __name__ == '__main__':
    command, directory = sys.argv[1:3]
    k = Kiosk(directory)
    if command == 'key': print(json.dumps({'kiosk': k.kiosk, 'publicKey': b64(k.public())}))
    else:
        k.certificate(); k.start(json.load(open(sys.argv[3])))
        m = Mqtt(k, sys.argv[4] if len(sys.argv) > 4 else None)
        card = bytearray(secrets.token_bytes(16)); card[6] = card[6] & 15 | 0x80; card[8] = card[8] & 63 | 0x80; card = bytes(card)
        rows = [k.seal({0: 1, **k.stamp(), 5: card, 7: 1, 8: True}), k.seal({0: 2, **k.stamp(), 5: card}), k.seal({0: 8, **k.stamp(), 23: 'scanner-1', 24: True})]
        message = k.batch(rows)
        m.publish(k.topic, message)
        m.publish(k.topic, k.batch(rows))
        while len(m.inbox) < 2: m.heard(*m.read())
        for topic, receipt in m.inbox: print(topic, k.read_receipt(receipt)[1])
        assert k.read_receipt(m.inbox[0][1])[0] == hashlib.sha256(message).digest()
        m.send(0xe0, b'')

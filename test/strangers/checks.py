#!/usr/bin/env python3
"""What kiosk.py was tried with: the vectors, and a gateway.

    checks.py vectors DIR PAGE             every vector, and the examples of docs/protocol.md
    checks.py day DIR CODE CARDS           enrolment, and a day at the door: CARDS is a file of the texts of 20 cards
    checks.py scans DIR CODE CARDS FROM TO           these cards come in, and are sent; CODE is - where it is enrolled
    checks.py again DIR      carries out the command to send again of a gateway that was brought back
    checks.py refusals DIR CODE CODE CODE CARDS     what the page says is refused, sent to a gateway

The last line is JSON; the status is 1 where anything was otherwise than the page says.
"""
import collections, sys

from kiosk import *


def b(value):
    return bytes.fromhex(value["hex"] if isinstance(value, dict) else value)


def plain(value):
    """Like the JSON: bytes as {"hex"}."""
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, list) else value


KINDS = {"visitor": "C", "group": "G", "unsigned": "N", "key": "K", "sticker": "S", "enrolment": "E", "clinician": "D", "result": "R", "staff": "T", "staff-card": "B", "poster": "P"}

TYPES = ["", "check-in", "check-out", "undo", "temperature", "sticker-link", "sticker-result", "occupancy", "device-state", "kiosk-state", "notice-shown"]
NAMES = {5: "card", 7: "groupSize", 8: "isSigned", 9: "attempt", 10: "objectRaw", 11: "ambientRaw", 12: "estimate", 13: "threshold", 14: "offsetId",
         15: "policyVersion", 16: "calibrationAgeDays", 17: "isRoomInRange", 18: "sticker", 19: "clinician", 21: "slotMs", 22: "tokens", 23: "device",
         24: "isUp", 25: "why", 27: "byMs"}


def named(event):
    out = {"stamp": {"wallMs": event[1], "monotonicMs": event[2], "bootId": event[3], "clock": CLOCKS[event[4]]}, "type": TYPES[event[0]]}
    for key, value in event.items():
        if key == 6:
            out["of"] = {"keyId": value[0], "seq": value[1]}
        elif key == 20:
            out["result"] = ["positive", "negative", "void"][value]
        elif key == 26:
            out["state"] = ["started", "stopping", "clock-stepped", "store-refused", "store-recovered"][value]
        elif key > 4:
            out[NAMES[key]] = value
    return plain(out)


def vectors(folder, page):
    """Every vector both ways: each `refused` entry must be refused with its code, everything else must match."""
    done, wrong = collections.Counter(), []

    def load(name):
        with open(os.path.join(folder, name + ".json")) as file:
            return json.load(file)

    def check(where, name, call, expected=True):
        done[where] += 1
        try:
            got = call()
        except Refused as refused:
            got = refused
        if got != expected:
            wrong.append((where, name, got, expected))

    def refuses(where, entry, call):
        done[where + " refused"] += 1
        try:
            wrong.append((where, entry["name"], "taken", call()))
        except Refused as refused:
            if refused.code != entry["error"]:
                wrong.append((where, entry["name"], str(refused), entry["error"]))

    doc = load("code")
    for v in doc["codes"]:
        expected = {k: w if k in ("host", "port", "size", "command", "venue", "result") else b(w) for k, w in v["code"].items() if k != "kind"}
        code = read_code(v["text"])
        check("code", v["name"], lambda: {k: code[k] for k in expected} | {"kind": code["kind"]}, expected | {"kind": KINDS[v["code"]["kind"]]})
        check("code", v["name"], lambda: code_text(code["kind"], code["payload"]), v["text"])
    for v in doc["readAs"]:
        check("code readAs", v["name"], lambda: read_code(v["text"])["canonical"], v["canonical"])
    for v in doc["refused"]:
        refuses("code", v, lambda: read_code(v["text"]))

    doc = load("card")
    deployment, issuers = doc["deployment"], [b(i["publicKey"]) for i in doc["issuers"]]
    for i in doc["issuers"]:
        check("card issuer", i["id"], lambda: (raw(Ed25519PrivateKey.from_private_bytes(b(i["seed"])).public_key()), issuer_id(b(i["publicKey"]))),
              (b(i["publicKey"]), b(i["id"])))
    for v in doc["cards"]:
        check("card", v["name"], lambda: read_card(v["text"], deployment, issuers, v["mayTakeUnsigned"]), (b(v["card"]), v["groupSize"], v["isSigned"]))
        code = read_code(v["text"])
        if "signature" in code:
            key = Ed25519PrivateKey.from_private_bytes(b(doc["issuers"][0]["seed"]))
            check("card", v["name"] + ", signed", lambda: key.sign(card_tbs(code["kind"], deployment, code["payload"])), code["signature"])
    for v in doc["stickers"]:
        check("card sticker", v["name"], lambda: read_sticker(v["text"], deployment, issuers), b(v["sticker"]))
    for v in doc["staffCards"]:
        check("card staff", v["name"], lambda: read_staff_card(v["text"], deployment, issuers), (b(v["card"]), v["command"]))
    for v in doc["staffRefused"]:
        refuses("card staff", v, lambda: read_staff_card(v["text"], deployment, issuers))
    for v in doc["refused"]:
        refuses("card", v, lambda: read_card(v["text"], deployment, issuers, False))

    doc = load("key-code")
    for v in doc["keyCodes"]:
        check("key-code", v["name"], lambda: (read_typed_key_code(v["typed"]), read_code(v["scanned"])["keyCode"]), (b(v["keyCode"]),) * 2)
        check("key-code", v["name"], lambda: (typed_key_code(b(v["keyCode"])), code_text("K", b(v["keyCode"]))), (v["typed"], v["scanned"]))
    for v in doc["readAs"]:
        check("key-code readAs", v["name"], lambda: read_typed_key_code(v["text"]), b(v["keyCode"]))
    for v in doc["refused"]:
        refuses("key-code", v, lambda: read_typed_key_code(v["text"]))

    for v in load("visitor")["visitors"]:
        key, public, uuid = visitor(b(v["keyCode"]))
        check("visitor", v["name"], lambda: (key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()), public, uuid),
              (b(v["seed"]), b(v["publicKey"]), b(v["uuid"])))

    doc = load("event")
    for v in doc["events"]:
        check("event", v["name"], lambda: named(read_event(b(v))), v["event"])
        check("event", v["name"], lambda: event_bytes(read_event(b(v))), b(v))
    for v in doc["refused"]:
        refuses("event", v, lambda: read_event(b(v)))

    doc = load("row")
    p = doc["place"]
    deployment, kiosk, epoch, key_id = p["deployment"], p["kiosk"], b(p["epoch"]), b(p["keyId"])
    content_key = b(doc["contentKey"])
    rows = {}
    for v in doc["rows"]:
        aad = row_aad(deployment, kiosk, epoch, key_id, v["seq"])
        rows[v["seq"]] = b(v)
        check("row", v["name"], lambda: (aad, sha256(b(v))), (b(v["externalAad"]), b(v["digest"])))
        check("row", v["name"], lambda: event_bytes(open_row(content_key, aad, b(v))), b(v["event"]))
        check("row", v["name"], lambda: seal_row(content_key, v["attempt"], aad, read_event(b(v["event"]))), b(v))
    for v in doc["refused"]:
        refuses("row", v, lambda: open_row(content_key, row_aad(deployment, kiosk, epoch, key_id, 1), b(v)))

    doc = load("key-record")
    key = Ed25519PrivateKey.from_private_bytes(b(doc["kioskSeed"]))
    public = raw(key.public_key())
    private = [X25519PrivateKey.from_private_bytes(b(r["privateKey"])) for r in doc["recipients"]]
    check("key-record", "kiosk's key", lambda: public, b(doc["kioskPublicKey"]))
    check("key-record", "external-aad", lambda: key_record_aad(deployment, kiosk), b(doc["externalAad"]))
    for r, x in zip(doc["recipients"], private):
        check("key-record", "recipient", lambda: (raw(x.public_key()), recipient_id(b(r["publicKey"]))), (b(r["publicKey"]), b(r["id"])))
    check("key-record", "info", lambda: hpke_info(deployment, kiosk, epoch, key_id, b(doc["recipients"][0]["id"])), b(doc["info"]))
    check("key-record", "payload", lambda: read_sign1(b(doc["records"][0]))[0], b(doc["payload"]))
    for v in doc["records"]:
        n = v["recipientCount"]
        for x in private[:n]:
            check("key-record", v["name"], lambda: open_content_key(read_key_record(b(v), public, deployment, kiosk), x, deployment, kiosk), content_key)
        ephemerals = [hpke_derive_key_pair(b(ikm)) for ikm in doc["ephemeralIkms"]]
        publics = [b(r["publicKey"]) for r in doc["recipients"][:n]]
        check("key-record", v["name"], lambda: make_key_record(key, deployment, kiosk, epoch, key_id, content_key, publics, ephemerals), b(v))
    for v in doc["refused"]:
        refuses("key-record", v, lambda: read_key_record(b(v), public, deployment, kiosk))
    for v in doc["unopenable"]:
        record = read_key_record(b(v), public, deployment, kiosk)
        refuses("key-record unopenable", v, lambda: open_content_key(record, private[0], deployment, kiosk))
    record = b(doc["records"][0])

    doc = load("batch")
    topic = topic_of(kiosk, "batch")
    sent_at = [b(doc["sentAt"]["bootId"]), doc["sentAt"]["monotonicMs"]]
    check("batch", "topic and external-aad", lambda: (topic, list_aad(deployment, topic)), (doc["topic"], b(doc["externalAad"])))
    check("batch", "payload", lambda: read_sign1(b(doc["batches"][0]["sign1"]))[0], b(doc["payload"]))
    for v in doc["batches"]:
        check("batch", v["name"], lambda: sorted(open_batch(b(v), public, private[0], deployment, kiosk, topic)), v["seqs"])
        check("batch", v["name"], lambda: (decbor(b(v))[1], sha256(b(v))), (b(v["sign1"]), b(v["digest"])))
        check("batch", v["name"], lambda: make_batch(key, deployment, topic, key_id, sent_at, record, [(s, rows[s]) for s in v["seqs"]]), b(v))
    for v in doc["refused"]:
        refuses("batch", v, lambda: read_batch(b(v), public, deployment, kiosk, topic))


    def no_batch(data):
        try:
            open_batch(data, public, private[0], deployment, kiosk, topic)
            return False
        except Refused:
            return True


    whole_batch = b(doc["batches"][1])
    check("batch cuts", "every cut", lambda: all(no_batch(whole_batch[:n]) for n in range(len(whole_batch))))
    check("batch flips", "every flipped bit", lambda: all(no_batch(whole_batch[:i // 8] + bytes([whole_batch[i // 8] ^ 1 << i % 8]) + whole_batch[i // 8 + 1:])
                                                            for i in range(8 * len(whole_batch))))

    doc = load("receipt")
    receipt_key = b(doc["receiptPublicKey"])
    receipt_private = Ed25519PrivateKey.from_private_bytes(b(doc["receiptSeed"]))
    check("receipt", "key and external-aad", lambda: (raw(receipt_private.public_key()), receipt_aad(deployment, kiosk)), (receipt_key, b(doc["externalAad"])))
    for v in doc["receipts"]:
        ranges = [(r["from"], r["to"], r["outcome"], r.get("reason")) for r in v["receipt"]["ranges"]]
        check("receipt", v["name"], lambda: read_receipt(b(v), receipt_key, deployment, kiosk), (b(v["receipt"]["batchDigest"]), ranges))
        payload = cbor([b(v["receipt"]["batchDigest"]), [[f, t, OUTCOMES.index(o), r] for f, t, o, r in ranges]])
        check("receipt", v["name"], lambda: sign1(receipt_private, receipt_aad(deployment, kiosk), payload), b(v))
    for v in doc["refused"]:
        refuses("receipt", v, lambda: read_receipt(b(v), receipt_key, deployment, kiosk))

    doc = load("policy")
    topic = topic_of(kiosk, "policy")
    check("policy", "external-aad", lambda: policy_aad(deployment, topic), b(doc["externalAad"]))


    def as_vector(policy):
        policy = dict(policy)
        policy["lostCards"] = {"key": policy.pop("filterKey"), "marks": policy.pop("marks")}
        if "tombstoneKey" in policy:
            policy["revokedCards"] = {"tombstoneKey": policy.pop("tombstoneKey"), "marks": policy.pop("revokedMarks")}
        return plain(policy)


    for v in doc["policies"] + [doc["passable"]]:
        policy = read_policy(b(v), receipt_key, deployment, topic)
        check("policy", v["name"], lambda: as_vector(policy), v["policy"])
        if "payload" in v:
            check("policy", v["name"], lambda: (read_sign1(b(v))[0], sign1(receipt_private, policy_aad(deployment, topic), b(v["payload"]))), (b(v["payload"]), b(v)))
    everything = read_policy(b(doc["policies"][0]), receipt_key, deployment, topic)
    check("policy lost", "all marks", lambda: b"".join(sorted(lost_mark(b(doc["filterKey"]), b(v["card"])) for v in doc["lost"])), b(doc["marks"]))
    for v in doc["lost"]:
        check("policy lost", v["mark"], lambda: (lost_digest(b(v["card"])), lost_mark(b(doc["filterKey"]), b(v["card"])), is_lost(everything, b(v["card"]))),
              (b(v["digest"]), b(v["mark"]), True))
    for v in doc["notLost"]:
        check("policy lost", "not lost", lambda: is_lost(everything, b(v)), False)
    for v in doc["refused"]:
        refuses("policy", v, lambda: read_policy(b(v), receipt_key, deployment, topic))

    doc = load("notice")
    topic = topic_of(kiosk, "notice")
    check("notice", "external-aad", lambda: notice_aad(deployment, topic), b(doc["externalAad"]))
    for v in doc["documents"] + [doc["passable"]]:
        check("notice", v["name"], lambda: plain(read_notice(b(v), receipt_key, deployment, topic, is_desk=True)), v["document"])
        without = {name: value for name, value in v["document"].items() if name != "stickers"}
        check("notice", v["name"] + ", at a door", lambda: plain(read_notice(b(v), receipt_key, deployment, topic)), without)
        if "payload" in v:
            check("notice", v["name"], lambda: (read_sign1(b(v))[0], sign1(receipt_private, notice_aad(deployment, topic), b(v["payload"]))), (b(v["payload"]), b(v)))
    some = read_notice(b(doc["documents"][0]), receipt_key, deployment, topic)
    for v in doc["noticed"]:
        card = b(v["card"])
        check("notice card", v["mark"], lambda: (notice_digest(card), mark_of(notice_digest(card), some["key"]), notice_end(some, card)), (b(v["digest"]), b(v["mark"]), v["endsAtMs"]))
    for v in doc["notNoticed"]:
        check("notice card", "none", lambda: notice_end(some, b(v)), None)
    desk = read_notice(b(doc["documents"][2]), receipt_key, deployment, topic, is_desk=True)
    for v in doc["stickers"]:
        sticker, end = b(v["sticker"]), v["endsAtMs"]
        check("notice sticker", v["mark"], lambda: (sticker_digest(sticker), mark_of(sticker_digest(sticker), desk["key"])), (b(v["digest"]), b(v["mark"])))
        check("notice sticker", v["standing"], lambda: sticker_standing(desk, sticker, end - 1), v["standing"])
        check("notice sticker", "past its end", lambda: sticker_standing(desk, sticker, end), "expired" if v["standing"] == "linked" else v["standing"])
        check("notice sticker", "told nothing", lambda: sticker_standing(some, sticker, end), "free")
    for v in doc["freeStickers"]:
        check("notice sticker", "free", lambda: sticker_standing(desk, b(v), 0), "free")
    for v in doc["refused"]:
        refuses("notice", v, lambda: read_notice(b(v), receipt_key, deployment, topic))
    for v in doc["refusedByDesks"]:
        refuses("notice", v, lambda: read_notice(b(v), receipt_key, deployment, topic, is_desk=True))
        check("notice", v["name"] + ", at a door", lambda: plain(read_notice(b(v), receipt_key, deployment, topic)), doc["documents"][0]["document"])

    doc = load("holder")
    core, challenge, key_code = b(doc["core"]), b(doc["challenge"]), b(doc["keyCode"])
    check("holder", "challenge", lambda: read_challenge(doc["challengeText"]), (core, challenge))
    check("holder", "card", lambda: visitor(key_code)[2], b(doc["card"]))
    for v in doc["proofs"]:
        check("holder", v["action"], lambda: (proof_tbs(v["action"], core, challenge), make_proof(v["action"], core, challenge, key_code)), (b(v["signed"]), v["text"]))
        check("holder", v["action"], lambda: card_of_proof(v["text"]), b(doc["card"]))
    for v in doc["refused"]:
        refuses("holder", v, lambda: card_of_proof(v["text"]))

    doc = load("command")
    topic = topic_of(kiosk, "command")
    check("command", "external-aad", lambda: command_aad(deployment, topic), b(doc["externalAad"]))
    for v in doc["commands"] + [doc["passable"]]:
        expected = v["command"]
        had = {b(h["keyId"]): [(r["from"], r["to"]) for r in h["ranges"]] for h in expected["had"]}
        check("command", v["name"], lambda: read_command(b(v), receipt_key, deployment, topic),
              (expected["version"], expected["issuedAtMs"], expected["expiresAtMs"], had))
        if "payload" in v:
            check("command", v["name"], lambda: sign1(receipt_private, command_aad(deployment, topic), b(v["payload"])), b(v))
    for v in doc["refused"]:
        refuses("command", v, lambda: read_command(b(v), receipt_key, deployment, topic))

    doc = load("signed-time")
    check("signed-time", "external-aad", lambda: time_aad(doc["deployment"]), b(doc["externalAad"]))
    for v in doc["times"]:
        check("signed-time", v["name"], lambda: read_time(b(v), receipt_key, deployment, b(v["nonce"])), v["atMs"])
        check("signed-time", v["name"], lambda: sign1(receipt_private, time_aad(deployment), cbor([b(v["nonce"]), v["atMs"]])), b(v))
    for v in doc["refused"]:
        refuses("signed-time", v, lambda: read_time(b(v), receipt_key, deployment, b(doc["times"][0]["nonce"])))

    doc = load("gateway-key")
    check("gateway-key", "external-aad", lambda: gateway_key_aad(doc["deployment"]), b(doc["externalAad"]))
    der = lambda v: x509.load_pem_x509_certificate(v["pem"].encode()).public_bytes(Encoding.DER)
    for v in doc["certificates"]:
        check("gateway-key", v["name"], lambda: gateway_generation(der(v), b(doc["receiptPublicKey"]), doc["deployment"]), v["generation"])
        check("gateway-key", v["name"], lambda: raw(x509.load_pem_x509_certificate(v["pem"].encode()).public_key()), b(v["publicKey"]))
    for v in doc["refused"]:
        check("gateway-key refused", v["name"], lambda: gateway_generation(der(v), b(doc["receiptPublicKey"]), doc["deployment"]), 0)

    doc = load("cose-wg/examples")
    for v in doc["sign1"]:  # tagged 18, algorithm -8 and a key id: of our parts only the structure and the signature
        data = b(v["cbor"])
        protected, signature = data[3:3 + (data[2] & 31)], data[-64:]
        check("cose-wg", v["file"], lambda: is_signature(b(v["publicKey"]), signature, sig_structure(protected, b(v["external"]), v["plaintext"].encode())))
    for v in doc["toBeSigned"]:
        check("cose-wg", v["file"], lambda: sig_structure(b(v["protected"]), b(v["external"]), v["plaintext"].encode()), b(v["hex"]))
    for v in doc["encrypt0"]:  # tagged 16, the IV unprotected
        data = b(v["cbor"])
        size = data[2] & 31
        protected = data[3:3 + size]
        iv_at = 3 + size + 3
        check("cose-wg", v["file"], lambda: enc_structure(protected, b(v["external"])), b(v["aad"]))
        check("cose-wg", v["file"], lambda: AESGCM(b(v["key"])).decrypt(data[iv_at:iv_at + 12], data[iv_at + 14:], b(v["aad"])), v["plaintext"].encode())

    doc = load("hpke/rfc9180")
    for name, aead in (("appendixA1", AES_128), ("aes256", AES_256)):
        v = doc[name]
        ephemeral, recipient = hpke_derive_key_pair(b(v["ikmE"])), hpke_derive_key_pair(b(v["ikmR"]))
        enc, pk = b(v["enc"]), b(v["pkRm"])
        check("hpke", name, lambda: (raw(ephemeral.public_key()), raw(recipient.public_key()), recipient.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())),
              (enc, pk, b(v["skRm"])))
        hpke_key, nonce = hpke_context(ephemeral, pk, enc, pk, b(v["info"]), aead)
        check("hpke", name, lambda: hpke_context(recipient, enc, enc, pk, b(v["info"]), aead), (hpke_key, nonce))

        def seal(i, aad, text):
            return AESGCM(hpke_key).encrypt((int.from_bytes(nonce) ^ i).to_bytes(12), text, aad)

        for i, e in enumerate(v.get("encryptions", [])):
            check("hpke", f"{name} {i}", lambda: seal(i, b(e["aad"]), b(e["pt"])), b(e["ct"]))
        if "encryptionsAccumulated" in v:  # Go's way: length byte and bytes, additional data first, from one SHAKE128; all ciphertexts into another
            stream, at, sink = hashlib.shake_128().digest(600_000), 0, hashlib.shake_128()

            def draw():
                nonlocal at
                size = stream[at]
                at += 1 + size
                return stream[at - size:at]

            for i in range(1000):
                aad, text = draw(), draw()
                sink.update(seal(i, aad, text))
            check("hpke", name + " 1,000 seals", lambda: sink.digest(16), b(v["encryptionsAccumulated"]))
    try:
        from cryptography.hazmat.primitives import hpke
        suite = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
        out = suite.encrypt(b"x" * 32, private[0].public_key(), b"info")
        check("hpke against the library", "open", lambda: hpke_open(private[0], b"info", out[:32], out[32:]), b"x" * 32)
        enc, ciphertext = hpke_seal(raw(private[0].public_key()), b"info", b"y" * 32)
        check("hpke against the library", "seal", lambda: suite.decrypt(enc + ciphertext, private[0], b"info"), b"y" * 32)
    except ImportError:
        pass

    with open(page) as file:
        blocks = re.findall(r"```hex (\S+)\.json (\S+)\n([0-9a-f\n]+)```", file.read())
    for name, path, data in blocks:
        value = load(name)
        for step in re.findall(r"[A-Za-z0-9]+", path):
            value = value[int(step) if step.isdigit() else step]
        check("page's examples", path, lambda: b(value), b(data.replace("\n", "")))

    for where, count in done.items():
        print(f"{count:5} {where}")
    for entry in wrong:
        print("WRONG", *entry)
    print(json.dumps({"checks": sum(done.values()), "refusals": sum(n for where, n in done.items() if "refused" in where), "wrong": len(wrong)}))
    return bool(wrong)


def day(folder, code, cards):
    """Enrolment and a day at the door: 20 come, 5 go, one is measured, one scan is taken back; all of it sent, and sent again."""
    with open(cards) as file:
        texts = file.read().split()[:20]
    said = {}
    kiosk = Kiosk(folder)
    papers = kiosk.enrol(code)
    said["kiosk"], said["posting"] = kiosk.id, papers["posting"]
    said["again"] = kiosk.enrol(code) == papers  # the same code once more: the same papers
    before = time.time()
    told = kiosk.ask_time() / 1000
    said["isTimeRight"] = before - 1 <= told <= time.time() + 1
    kiosk.connect()
    said["policyCame"] = kiosk.mqtt.pump(30, lambda: kiosk.policy is not None)

    came = [kiosk.scan(text, "in") for text in texts]
    for text in texts[:5]:
        kiosk.scan(text, "out")
    of, card = came[5]
    kiosk.temperature(of, card, 3630, offset=40, ambient=2210, offset_id=1, age_days=41)
    kiosk.undo(came[19][0])
    said["refused"] = []
    payload = read_code(texts[0])["payload"]
    for bad in (texts[0][:-1] + ("C" if texts[0][-1] == "B" else "B"), texts[0][:-1], texts[0][:20] + texts[1][20:], code_text("N", payload[4:20]), code_text("C", b"abcd" + payload[4:]),
                code_text("C", payload[:20] + read_code(texts[1])["payload"][20:]), "4006381333931"):
        try:
            kiosk.scan(bad, "in")
            said["refused"].append(None)
        except Refused as refused:
            said["refused"].append(refused.code)
    said["queued"] = kiosk.outbox.count()[0]
    waiting = kiosk.outbox.waiting()
    [batch] = kiosk.flush()
    said["receipts"] = [kiosk.receipt_for(batch, 30)]
    kiosk.mqtt.ping()
    kiosk.cut()

    kiosk.connect()
    key_id, record, rows = waiting
    for again in (kiosk.batch(key_id, record, rows), batch):  # signed anew, and the very same bytes
        kiosk.receipts.clear()
        kiosk.mqtt.wait(4, kiosk.mqtt.publish(kiosk.topic("batch"), again), 30)
        said["receipts"].append(kiosk.receipt_for(again, 30))
    said["hasNewPapers"] = kiosk.renew()
    said["seen"] = [[entry["epoch"] == b64(kiosk.outbox.epoch), entry["seq"]] for entry in kiosk.papers["seen"]]
    said["left"] = kiosk.outbox.count()[0]
    kiosk.disconnect()
    print(json.dumps(said))
    return False


def scans(folder, code, cards, first, last):
    """The cards of some lines of the file come in; all is sent."""
    with open(cards) as file:
        texts = file.read().split()[int(first):int(last)]
    kiosk = Kiosk(folder)
    if code != "-":
        kiosk.enrol(code)
    kiosk.ask_time()
    kiosk.connect()
    for text in texts:
        kiosk.scan(text, "in")
    receipts = [kiosk.receipt_for(batch, 30) for batch in kiosk.flush()]
    kiosk.disconnect()
    print(json.dumps({"kiosk": kiosk.id, "receipts": receipts, "left": kiosk.outbox.count()[0]}))
    return False


def again(folder):
    """What the command asks for is sent once more; the very same command, or one that was altered, asks for nothing."""
    kiosk = Kiosk(folder)
    came, take = [], kiosk.take_command
    kiosk.take_command = lambda command: came.append(command) or take(command)
    said = {"before": kiosk.outbox.count()[0]}
    kiosk.ask_time()
    kiosk.connect()
    said["came"] = kiosk.mqtt.pump(30, lambda: bool(came))
    said["why"], said["asked"] = kiosk.command_why, kiosk.outbox.count()[0]
    said["receipts"] = [kiosk.receipt_for(batch, 30) for batch in kiosk.flush()]
    said["sentAgain"] = json.loads(kiosk.state())["sentAgain"] == kiosk.outbox.sent_again > 0
    kiosk.say_state()
    kiosk.disconnect()
    said["onceMore"] = [take(came[0]), take(came[0][:-1] + bytes([came[0][-1] ^ 1])), kiosk.command_why, kiosk.outbox.count()[0]]
    print(json.dumps(said))
    return False


def refusals(folder, codes, cards):
    """What the page says is refused, and what it says is taken though it looks odd."""
    with open(cards) as file:
        texts = file.read().split()
    shown = collections.Counter()

    def show(name, call, expected):
        try:
            got = call()
        except Refused as refused:
            got = str(refused)
        except OSError as error:
            got = f"{type(error).__name__}: {error}"
        is_right = bool(re.search(expected, str(got)))
        shown[is_right] += 1
        print("ok" if is_right else "??", f"{name}: {got}" + ("" if is_right else f"    (expected {expected})"), flush=True)
        return got

    a, b = Kiosk(folder + "/a"), Kiosk(folder + "/b")
    a.enrol(codes[0])
    gateway = (a.trust["host"], a.trust["port"])

    def identity_of(key, name="x"):
        path = f"{folder}/{name}.pem"
        with open(path, "w") as file:
            file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode() + self_signed(key))
        return path

    a_self_signed = identity_of(a.key, "a-self")
    stranger = identity_of(Ed25519PrivateKey.generate(), "stranger")

    def ask(path, body, identity, raw_request=None, method=None):
        sock = tls(*gateway, "http/1.1", identity, lambda der: der == a.trust["certificate"], a.trust["pem"])
        request = raw_request or post(path, "x", body)
        if method:
            request = request.replace(b"POST", method.encode(), 1)
        status, headers, data = exchange(sock, request)
        return f"{status} {data.decode()[:70]} {headers.get('connection', '')}"

    def request(path, data, extra=b""):
        return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n".encode() + extra + b"\r\n" + data

    secret = lambda i: b64(read_code(codes[i])["secret"])
    show("a code that nobody made", lambda: ask("/1/enrol", {"secret": b64(bytes(16)), "kiosk": new_id()}, stranger), "^404.*enrol.unknown")
    show("a's code, another key", lambda: ask("/1/enrol", {"secret": secret(0), "kiosk": new_id()}, stranger), "^409.*enrol.used")
    show("a's code, a's key, another id", lambda: ask("/1/enrol", {"secret": secret(0), "kiosk": new_id()}, a.identity), "^409.*enrol.used")
    show("a's code, a's key and id, self-signed", lambda: ask("/1/enrol", {"secret": secret(0), "kiosk": a.id}, a_self_signed), "^200")
    show("a fresh code, a's id, another key", lambda: ask("/1/enrol", {"secret": secret(1), "kiosk": a.id}, stranger), "^409.*admission.wrong_key")
    show("a fresh code, a's key, another id", lambda: ask("/1/enrol", {"secret": secret(1), "kiosk": new_id()}, a.identity), "^409.*admission.wrong_key")
    show("enrol without certificate", lambda: ask("/1/enrol", {"secret": secret(1), "kiosk": new_id()}, None), "^401.*admission.no_certificate")
    show("that code is still good, for b", lambda: b.enrol(codes[1])["posting"]["direction"], "both")
    show("renew, a stranger", lambda: ask("/1/renew", {}, stranger), "^403.*admission.unknown_kiosk")
    show("renew, self-signed by an admitted key", lambda: ask("/1/renew", {}, a_self_signed), "^200")
    show("renew without certificate", lambda: ask("/1/renew", {}, None), "^401.*admission.no_certificate")
    show("time without certificate", lambda: ask("/1/time", {"nonce": b64(bytes(16))}, None), "^200")
    show("time, a nonce of 15 bytes", lambda: ask("/1/time", {"nonce": b64(bytes(15))}, None), "^400.*decode.malformed")
    show("time, padded base64url", lambda: ask("/1/time", {"nonce": base64.urlsafe_b64encode(bytes(16)).decode()}, None), "^400.*decode.malformed")
    show("time, plain base64", lambda: ask("/1/time", {"nonce": base64.b64encode(b"\xff" * 16).decode().rstrip("=")}, None), "^400.*decode.malformed")
    show("time, another key in the body", lambda: ask("/1/time", {"nonce": b64(bytes(16)), "more": 1}, None), "^200")
    show("an id of 15 letters", lambda: ask("/1/enrol", {"secret": b64(bytes(16)), "kiosk": "0" * 15}, stranger), "^400.*decode.malformed")
    show("no JSON", lambda: ask("", {}, a.identity, request("/1/renew", b"{")), "^400.*decode.malformed")
    show("an array", lambda: ask("", {}, a.identity, request("/1/renew", b"[]")), "^400.*decode.malformed")
    show("an empty body", lambda: ask("", {}, a.identity, request("/1/renew", b"")), "^400.*decode.malformed")
    show("1,024 bytes", lambda: ask("", {}, a.identity, request("/1/renew", b"{" + b" " * 1022 + b"}")), "^200")
    show("1,025 bytes", lambda: ask("", {}, a.identity, request("/1/renew", b"{" + b" " * 1023 + b"}")), "^413.*decode.overlong")
    show("no length", lambda: ask("", {}, a.identity, b"POST /1/renew HTTP/1.1\r\nHost: x\r\n\r\n"), "^411.*decode.malformed")
    show("chunked", lambda: ask("", {}, a.identity, b"POST /1/renew HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"), "^411.*decode.malformed")
    show("no Host", lambda: ask("", {}, a.identity, b"POST /1/renew HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"), "^400.*decode.malformed")
    show("another path", lambda: ask("/1/nothing", {}, a.identity), "^404.*decode.unsupported")
    show("GET", lambda: ask("/1/renew", {}, a.identity, method="GET"), "^405.*decode.unsupported")
    show("two requests at once", lambda: ask("", {}, a.identity, request("/1/renew", b"{}") * 2), "^200")

    def handshake(alpn, identity, low=ssl.TLSVersion.TLSv1_3, high=ssl.TLSVersion.TLSv1_3):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version, context.maximum_version = low, high
        if alpn:
            context.set_alpn_protocols(alpn)
        if identity:
            context.load_cert_chain(identity)
        return context.wrap_socket(socket.create_connection(gateway, 30))

    show("ALPN h2", lambda: handshake(["h2"], a.identity).version(), "ALERT_NO_APPLICATION_PROTOCOL|ECONNRESET|EOF|SSLError")
    show("ALPN h2 and mqtt", lambda: handshake(["h2", "mqtt"], a.identity).selected_alpn_protocol(), "^mqtt$")
    show("TLS 1.2", lambda: handshake(["mqtt"], a.identity, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2).version(), "PROTOCOL_VERSION|SSLError")

    def patiently(call):
        """CONNACK 3 says that it connects too often: waits, and tries again."""
        for _ in range(40):
            answer = call()
            if "connack_3" not in answer and "CONNACK 3" not in answer:
                return answer
            time.sleep(1)
        return answer

    def connected(kiosk):
        def once():
            try:
                kiosk.connect()
                return ""
            except Refused as refused:
                return refused.code

        if why := patiently(once):
            raise Refused(why)

    def connack(*args):
        return patiently(lambda: connack_once(*args))

    def connack_once(identity, packet, alpn="mqtt"):
        mqtt = Mqtt(tls(*gateway, alpn, identity, lambda der: der == a.trust["certificate"], a.trust["pem"]))
        try:
            return f"CONNACK {mqtt.connect(packet, 30)}"
        finally:
            mqtt.cut()

    good = mqtt_connect(a.id, a.topic("state"), a.will())
    doc = json.loads(a.will())
    show("as it should be", lambda: connack(a.identity, good), "CONNACK 0")
    show("without ALPN", lambda: connack(a.identity, good, None), "CONNACK 0")
    show("no certificate", lambda: connack(None, good), "CONNACK 5")
    show("an unknown key", lambda: connack(stranger, mqtt_connect(a.id, a.topic("state"), a.will())), "CONNACK 5")
    show("a's key, self-signed", lambda: connack(a_self_signed, good), "CONNACK 5")
    show("b's id by a", lambda: connack(a.identity, mqtt_connect(b.id, b.topic("state"), a.will())), "CONNACK 5")
    show("an empty client id", lambda: connack(a.identity, mqtt_connect("", a.topic("state"), a.will())), "CONNACK 5")
    show("no Will", lambda: connack(a.identity, mqtt_connect(a.id)), "CONNACK 0")
    show("a Will on b's state", lambda: connack(a.identity, mqtt_connect(a.id, b.topic("state"), a.will())), "CONNACK 5")
    show("a Will on batch", lambda: connack(a.identity, mqtt_connect(a.id, a.topic("batch"), a.will())), "CONNACK 5")
    show("a Will with QoS 0", lambda: connack(a.identity, mqtt_connect(a.id, a.topic("state"), a.will(), 0x24)), "CONNACK 5")
    show("a Will not retained", lambda: connack(a.identity, mqtt_connect(a.id, a.topic("state"), a.will(), 0x0C)), "CONNACK 5")
    show("a Will that says up", lambda: connack(a.identity, mqtt_connect(a.id, a.topic("state"), json.dumps(doc | {"isUp": True}).encode())), "CONNACK 5")
    show("a Will with a count", lambda: connack(a.identity, mqtt_connect(a.id, a.topic("state"), json.dumps(doc | {"queued": 7}).encode())), "CONNACK 0")
    show("a Will with spaces", lambda: connack(a.identity, mqtt_connect(a.id, a.topic("state"), json.dumps(doc).encode())), "CONNACK 0")
    show("a Will in another order", lambda: connack(a.identity, mqtt_connect(a.id, a.topic("state"), json.dumps(doc, sort_keys=True).encode())), "CONNACK 0")
    show("a Will with another key", lambda: connack(a.identity, mqtt_connect(a.id, a.topic("state"), json.dumps(doc | {"more": 1}).encode())), "CONNACK 0")
    show("clean session 0", lambda: connack(a.identity, good.replace(b"MQTT\4\x2e", b"MQTT\4\x2c")), "CONNACK 0")
    show("a user name", lambda: connack(a.identity, mqtt_packet(0x10, (good[2:] if good[1] < 128 else good[3:]).replace(b"MQTT\4\x2e", b"MQTT\4\xae") + mqtt_text("u"))), "CONNACK 0")
    show("protocol level 3", lambda: connack(a.identity, good.replace(b"MQTT\4", b"MQTT\3")), "CONNACK 1")
    show("protocol level 5", lambda: connack(a.identity, good.replace(b"MQTT\4", b"MQTT\5")), "CONNACK 1")
    show("keep-alive 0", lambda: connack(a.identity, mqtt_connect(a.id, a.topic("state"), a.will(), keep_alive=0)), "CONNACK 0")

    def session(call):
        connected(a)
        try:
            return call(a.mqtt)
        finally:
            a.cut()

    def publish(topic, payload, **how):
        def call(mqtt):
            packet = mqtt.publish(topic, payload, **how)
            if how.get("qos") == 0:
                mqtt.ping(30)
                return "nothing happened"
            mqtt.wait(4, packet, 30)
            return "PUBACK"
        return lambda: session(call)

    def fresh(kiosk=a):
        """Seals one check-in, in the outbox too: (key id, record, [(seq, row)]) of that row alone."""
        key_id, seq = kiosk.scan(texts[kiosk.outbox.last % 20], "in")[0]
        record, row = kiosk.outbox.db.execute("SELECT record, row FROM rows NATURAL JOIN keys WHERE seq = ?", (seq,)).fetchone()
        kiosk.outbox.settle(key_id, [seq])
        return key_id, record, [(seq, row)]

    a.ask_time()
    b.ask_time()
    session(lambda mqtt: mqtt.pump(30, lambda: a.policy is not None))
    closes = "closed|reset|EOF"
    show("b's batch on b's topic, by a", publish(b.topic("batch"), b.batch(*fresh(b))), closes)
    show("a's batch on b's topic", publish(b.topic("batch"), a.batch(*fresh())), closes)
    show("b's state by a", publish(b.topic("state"), a.state(), is_retained=True), closes)
    show("own receipt topic", publish(a.topic("receipt"), b"x"), closes)
    show("own policy topic", publish(a.topic("policy"), b"", is_retained=True), closes)
    show("an events topic", publish("vestibule/1/events/x/y", b"{}"), closes)
    show("own batch, QoS 0", publish(a.topic("batch"), a.batch(*fresh()), qos=0), closes)
    show("own batch, QoS 2", publish(a.topic("batch"), a.batch(*fresh()), qos=2), closes)
    show("own batch, retained", publish(a.topic("batch"), a.batch(*fresh()), is_retained=True), closes)
    show("own batch, DUP set", publish(a.topic("batch"), a.batch(*fresh()), is_dup=True), "PUBACK")
    show("own state, not retained", publish(a.topic("state"), a.state()), closes)
    show("own state, no JSON", publish(a.topic("state"), b"{", is_retained=True), "PUBACK")
    show("own state, empty", publish(a.topic("state"), b"", is_retained=True), "PUBACK")
    show("own state, a key that is not known", publish(a.topic("state"), json.dumps(json.loads(a.state()) | {"more": [1]}).encode(), is_retained=True), "PUBACK")
    show("own state, 8,193 bytes", publish(a.topic("state"), a.state().ljust(8193), is_retained=True), "PUBACK")
    others = [b.topic("receipt"), b.topic("policy"), a.topic("batch"), a.topic("state"), "#", "vestibule/1/kiosk/+/policy", "vestibule/1/events/#", "vestibule/1/gateway/state", "$SYS/#",
              "vestibule/1/kiosk/" + a.id + "/#", a.topic("receipt")]
    show("subscribe others' and own", lambda: session(lambda mqtt: list(zip([t.replace(a.id, "A").replace(b.id, "B") for t in others], mqtt.subscribe(others)))),
         r"\('vestibule/1/kiosk/A/receipt', 1\)\]")

    def second():
        connected(a)
        mqtt, first = None, a.mqtt

        def again():
            nonlocal mqtt
            mqtt = Mqtt(a.open_tls())
            return f"CONNACK {mqtt.connect(good, 30)}"

        patiently(again)
        try:
            first.ping(30)
            return "both live"
        finally:
            mqtt.cut()
            a.cut()

    show("a second connection ends the first", second, closes)

    def send(kiosk, batch, is_first=False):
        """On the connection there is; on a fresh one where a receipt is expected though all is accepted."""
        kiosk.receipts.clear()
        if is_first:
            kiosk.cut()
        if kiosk.mqtt is None:
            connected(kiosk)
        try:
            kiosk.mqtt.wait(4, kiosk.mqtt.publish(kiosk.topic("batch"), batch), 20)
            return f"PUBACK; {kiosk.receipt_for(batch, 20)}"
        except OSError:
            kiosk.cut()
            raise

    def whole_refused(code):
        return rf"^PUBACK; \[\(1, {MAX_INT}, 'quarantined', '{code}'\)\]"

    def listed(kiosk, key_id, record, rows, topic=None, key=None, entries=None, given=None, sent_at=None, deployment=None):
        """A batch with whatever said otherwise."""
        entries = [[s, sha256(r)] for s, r in rows] if entries is None else entries
        payload = cbor([key_id, sent_at or [boot_id(), monotonic_ms()], entries])
        return cbor([record, sign1(key or kiosk.key, list_aad(deployment or a.trust["deployment"], topic or kiosk.topic("batch")), payload),
                     [r for _, r in rows] if given is None else given])

    def sealed(kiosk, plaintext=None, seq_in_aad=None, counter=1000):
        """A row, sealed otherwise, under its number."""
        key_id, record, [(seq, row)] = fresh(kiosk)
        aad = row_aad(a.trust["deployment"], kiosk.id, kiosk.outbox.epoch, key_id, seq_in_aad or seq)
        return key_id, record, [(seq, encrypt0(kiosk.content_key, counter, aad, plaintext or event_bytes(kiosk.stamp() | {0: CHECK_OUT, 5: read_code(texts[0])["card"]})))]

    def flip(data, at):
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]

    k, r, rows = fresh()
    batch = a.batch(k, r, rows)
    show("the last byte altered (a row)", lambda: send(a, flip(batch, len(batch) - 1)), whole_refused("seal.digest"))
    show("a byte of the list altered", lambda: send(a, flip(batch, 3 + len(r) + 15)), whole_refused("seal.signature"))
    show("a byte of the key record altered", lambda: send(a, flip(batch, 60)), whole_refused("seal.signature"))
    show("cut", lambda: send(a, batch[:-1]), whole_refused("decode.truncated"))
    show("a byte more", lambda: send(a, batch + b"\0"), whole_refused("decode.malformed"))
    show("empty", lambda: send(a, b""), whole_refused("decode.truncated"))
    show("not canonical", lambda: send(a, b"\x98\x03" + batch[1:]), whole_refused("decode.not_canonical"))
    show("a tag", lambda: send(a, b"\xc1" + batch), whole_refused("decode.unsupported"))
    show("signed for the state topic", lambda: send(a, listed(a, *fresh(), topic=a.topic("state"))), whole_refused("seal.signature"))
    show("signed for another deployment", lambda: send(a, listed(a, *fresh(), deployment=new_id())), whole_refused("seal.signature"))
    show("signed by b", lambda: send(a, listed(a, *fresh(), key=b.key)), whole_refused("seal.signature"))
    show("b's own batch, on a's topic", lambda: send(a, b.batch(*fresh(b))), whole_refused("seal.signature"))
    show("b's key record and rows, a's list", lambda: send(a, a.batch(*fresh(b))), whole_refused("seal.signature"))
    k, r, rows = fresh()
    _, _, more = fresh()
    show("a row not listed", lambda: send(a, listed(a, k, r, rows, given=[rows[0][1], more[0][1]])), whole_refused("seal.digest"))
    show("a row twice", lambda: send(a, listed(a, k, r, rows, given=[rows[0][1]] * 2)), whole_refused("seal.digest"))
    show("numbers that do not ascend", lambda: send(a, listed(a, k, r, more + rows)), whole_refused("decode.malformed"))
    show("number 0", lambda: send(a, listed(a, k, r, [(0, rows[0][1])])), whole_refused("decode.out_of_range"))
    show("a row of 1,025 bytes", lambda: send(a, listed(a, k, r, [(rows[0][0], bytes(1025))])), whole_refused("decode.malformed"))
    show("no rows", lambda: send(a, listed(a, k, r, rows, given=[])), whole_refused("decode.malformed"))
    show("another key id", lambda: send(a, listed(a, secrets.token_bytes(8), r, rows)), whole_refused("seal.unknown_key"))
    show("65 rows", lambda: send(a, listed(a, k, r, [(s, bytes([s])) for s in range(1, 66)])), whole_refused("decode.malformed"))
    show("65,537 bytes", lambda: send(a, bytes(65537)), whole_refused("decode.overlong"))
    show("a packet of 65,792 bytes", lambda: send(a, bytes(65792 - 4 - len(a.topic("batch")))), whole_refused("decode.overlong"))
    show("a packet of 65,793 bytes", lambda: send(a, bytes(65793 - 4 - len(a.topic("batch")))), closes)
    show("a list that names a row that is not there", lambda: send(a, listed(a, k, r, rows + more, given=[rows[0][1]]), is_first=True), r"\(%d, %d, 'accepted'" % (rows[0][0], rows[0][0]))
    show("then that row", lambda: send(a, a.batch(k, r, more), is_first=True), "accepted")
    good_row = fresh()
    for name, args, code in (("a row sealed for another number", {"seq_in_aad": 999999}, "seal.open"), ("a row with no event", {"plaintext": b"\x82\1\2"}, "decode.malformed"),
                             ("an event with another type's field", {"plaintext": event_bytes(a.stamp() | {0: CHECK_OUT, 5: bytes(16)}).replace(b"\xa6", b"\xa7", 1) + b"\x07\1"}, "decode.unsupported"),
                             ("an event of 513 bytes", {"plaintext": bytes(513)}, "decode.overlong"), ("an event out of range", {"plaintext": cbor(a.stamp() | {0: CHECK_IN, 5: bytes(16), 7: 100, 8: True})}, "decode.out_of_range")):
        k, r, wrong_row = sealed(a, **args)
        show(name + ", and a good one before it", lambda: send(a, a.batch(k, r, good_row[2] + wrong_row)), rf"'quarantined', '{code}'\)\]")
    k, r, sticker = sealed(a, event_bytes(a.stamp() | {0: STICKER_LINK, 5: read_code(texts[0])["card"], 18: bytes(16)}))
    show("a sticker link by a kiosk that is no clinic", lambda: send(a, a.batch(k, r, sticker), is_first=True), r"'quarantined', 'ingest.not_clinic'\)\]")
    k, r, rows = sealed(a, event_bytes(a.stamp() | {0: UNDO, 6: [secrets.token_bytes(8), 5]}))
    show("an undo of a row that never was", lambda: send(a, a.batch(k, r, rows), is_first=True), "accepted")
    other = [(rows[0][0], encrypt0(a.content_key, 2000, row_aad(a.trust["deployment"], a.id, a.outbox.epoch, k, rows[0][0]), event_bytes(a.stamp() | {0: CHECK_OUT, 5: bytes(16)})))]
    show("the same number with other contents", lambda: send(a, a.batch(k, r, other)), "'conflict', 'ingest.conflict'")
    show("the same again", lambda: send(a, a.batch(k, r, other)), "'conflict', 'ingest.conflict'")
    clone_key, clone_id = secrets.token_bytes(32), secrets.token_bytes(8)
    record = make_key_record(b.key, b.trust["deployment"], b.id, b.outbox.epoch, clone_id, clone_key, b.trust["recipients"])
    k, r, rows = fresh(b)
    show("b: as it should be", lambda: send(b, b.batch(k, r, rows), is_first=True), "accepted")
    clone = lambda epoch: [(rows[0][0], seal_row(clone_key, 1, row_aad(b.trust["deployment"], b.id, epoch, clone_id, rows[0][0]), b.stamp() | {0: CHECK_OUT, 5: read_code(texts[0])["card"]}))]
    show("b: same epoch and number under another key id", lambda: send(b, b.batch(clone_id, record, clone(b.outbox.epoch)), is_first=True), "accepted")
    epoch2 = secrets.token_bytes(8)
    record2 = make_key_record(b.key, b.trust["deployment"], b.id, epoch2, clone_id, clone_key, b.trust["recipients"])
    show("b: that key id with another epoch", lambda: send(b, b.batch(clone_id, record2, clone(epoch2))), "'ingest.conflict'")

    a.cut()
    b.cut()
    first = a._load("policy")
    show("altered", lambda: (a.take_policy(flip(first, 40)), a.policy_why), "seal.signature")
    show("cut", lambda: (a.take_policy(first[:-1]), a.policy_why), "decode.truncated")
    connected(a)
    a.mqtt.pump(1)
    show("state says why", lambda: a.state().decode(), "decode.truncated")
    a.cut()
    show("a is moved to another door", lambda: (a.enrol(codes[2])["posting"]["entrance"]), ".")
    connected(a)
    show("a newer policy comes", lambda: a.mqtt.pump(30, lambda: a._load("policy") != first) and (a.policy["version"], a.policy["entrance"] == a.papers["posting"]["entrance"]), "True")
    show("the older one", lambda: (a.take_policy(first), a.policy_why), "policy.older")
    a.say_state()
    before = a.policy["version"]
    boast = json.loads(a.state())
    boast["policy"] = {"version": before + 1000}
    a.mqtt.wait(4, a.mqtt.publish(a.topic("state"), json.dumps(boast).encode(), is_retained=True))
    show("a kiosk that says a greater version is sent one above", lambda: a.mqtt.pump(30, lambda: a.policy["version"] != before) and a.policy["version"] - before, "^1001$")

    def with_a_late_clock():
        held = a._load("policy")
        a.clock_offset += 40 * 86400000
        os.unlink(a._path("policy"))
        a.policy = None
        a.take_policy(held)
        return a.policy_why

    show("an ended policy, by a set clock", with_a_late_clock, "policy.expired")
    a.mqtt.pump(1)
    a.disconnect()
    print(json.dumps({"right": shown[True], "wrong": shown[False]}))
    return bool(shown[False])


def main(args):
    if len(args) == 3 and args[0] == "vectors":
        return vectors(*args[1:])
    if len(args) == 4 and args[0] == "day":
        return day(*args[1:])
    if len(args) == 6 and args[0] == "scans":
        return scans(*args[1:])
    if len(args) == 2 and args[0] == "again":
        return again(args[1])
    if len(args) == 6 and args[0] == "refusals":
        return refusals(args[1], args[2:5], args[5])
    raise SystemExit(__doc__)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

#!/usr/bin/env python3
"""Writes the golden vectors beside it from specification.md alone, so that they and a codec check each other.

    python3 generate.py            writes the files below, and the traces in §16 of specification.md
    python3 generate.py --check    writes nothing; exits with 1 if a file is out of date

Needs the package `cryptography` for AES-256-GCM (tokens) and Ed25519 (receipts); everything else is in the standard library.
The conversations are in conversations.py.
"""

import base64
import hashlib
import json
import pathlib
import struct
import sys

FOLDER = pathlib.Path(__file__).parent
UP, DOWN, BOTH = "A→G", "G→A", "both"
U64_MAX = 2**64 - 1
U32_MAX = 2**32 - 1

# Specification §4: type, way.
TYPES = {
    "HELLO": (0x01, UP), "WELCOME": (0x02, DOWN), "PING": (0x03, BOTH), "PONG": (0x04, BOTH),
    "GO AWAY": (0x05, DOWN), "ERROR": (0x06, BOTH), "ENROL": (0x07, UP), "ENROLLED": (0x08, DOWN),
    "SESSION OPEN": (0x10, UP), "SESSION OPENED": (0x11, DOWN),
    "SESSION EXISTS": (0x12, DOWN), "SESSION REFUSED": (0x13, DOWN),
    "SESSION LEAVE": (0x14, UP), "SESSION LEFT": (0x15, DOWN), "PART OFFER": (0x20, UP),
    "PART DECISION": (0x21, DOWN), "PART DATA": (0x22, UP), "RECEIVED": (0x23, DOWN), "STORED": (0x24, DOWN),
    "RESUME QUERY": (0x30, UP), "RESUME STATE": (0x31, DOWN), "PART LIST": (0x32, BOTH), "COMPLETE": (0x40, UP),
    "PARTS WANTED": (0x41, DOWN), "COMPLETED": (0x42, DOWN), "ABORT": (0x43, UP), "ABORTED": (0x44, DOWN),
    "PROVE": (0x50, UP), "PROVEN": (0x51, DOWN), "REPORT": (0x60, UP),
}
# A receiver that does not know a type with this bit skips it (§3). REPORT always has it.
OPTIONAL = 0x80


def digest(seed):
    return hashlib.sha256(seed.encode()).digest()


def md5(seed):
    return hashlib.md5(seed.encode()).digest()


def identifier(seed):
    return digest(seed)[:16]


# The key that signs the receipts of the vectors: Ed25519, so that a statement has exactly one signature. Its
# SubjectPublicKeyInfo is this front and the 32 bytes of the public key (RFC 8410).
PRIVATE_KEY = bytes(range(32))
PUBLIC_KEY = bytes.fromhex(
    "302a300506032b6570032100" "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8")


def json_text(text):
    return json.dumps(text, ensure_ascii=True).replace("|", "\\u007c").replace(";", "\\u003b")


class Body:
    """The fields of one frame: each call appends its bytes (§2) and the words that describe it (§14)."""

    def __init__(self):
        self.data = b""
        self.fields = []
        # Name, bytes and value of each field, for the traces of §16.
        self.parts = []

    def append(self, name, data, word, value=None):
        self.data += data
        self.fields.append(f"{name}={word}")
        self.parts.append((name, data, value))
        return self

    def number(self, form, name, value):
        return self.append(name, struct.pack(form, value), value, value)

    def u8(self, name, value):
        return self.number(">B", name, value)

    def u16(self, name, value):
        return self.number(">H", name, value)

    def u32(self, name, value):
        return self.number(">I", name, value)

    def u64(self, name, value):
        return self.number(">Q", name, value)

    def i64(self, name, value):
        return self.number(">q", name, value)

    def fixed(self, name, value, count=b""):
        return self.append(name, count + value, value.hex() or "-")

    def count(self, form, name, entries):
        self.number(form, name, len(entries))
        return entries

    def bytes16(self, name, value):
        return self.fixed(name, value, struct.pack(">H", len(value)))

    def text(self, form, name, value):
        encoded = value.encode()
        return self.append(name, struct.pack(form, len(encoded)) + encoded, json_text(value), json_text(value))

    def text8(self, name, value):
        return self.text(">B", name, value)

    def text16(self, name, value):
        return self.text(">H", name, value)


# The frames of §4, field by field.


def hello(low=1, high=1, capabilities=1, software="sluice-agent/1.0", magic=0x534C5543, pins=(), run="run"):
    body = Body().u32("magic", magic).u16("versionMin", low).u16("versionMax", high)
    body.u32("capabilities", capabilities).fixed("fingerprint", digest("device")).fixed("run", identifier(run))
    for pin in body.count(">B", "pins", pins):
        body.fixed("pin", pin)
    return body.text8("software", software)


def enrol(software="sluice-agent/1.0", magic=0x534C5543):
    body = Body().u32("magic", magic).fixed("fingerprint", digest("device")).fixed("secret", identifier("secret"))
    return body.text8("software", software)


def enrolled(name, prefix):
    return Body().text8("name", name).text16("prefix", prefix)


WELCOME = dict(
    version=1, capabilities=1, slotsMax=64, chunkBytesMax=262144, initialCreditBytes=1048576, partBytesMin=5242880,
    partBytesMax=5368709120, partBytesDefault=8388608, partsMax=10000, objectBytesMax=5497558138880,
    putLimitMilliseconds=300000, idleLimitMilliseconds=90000, serverTime=1767225600000, software="sluice-gateway/1.0",
    deviceName="camera-7", prefix="site-a/", storeIdentity=digest("store"), receiptKey=b"", nextSiteKey=None)


def welcome(**changes):
    value = {**WELCOME, **changes}
    body = Body().u16("version", value["version"]).u32("capabilities", value["capabilities"])
    body.u16("slotsMax", value["slotsMax"]).u32("chunkBytesMax", value["chunkBytesMax"])
    body.u32("initialCreditBytes", value["initialCreditBytes"])
    for name in ("partBytesMin", "partBytesMax", "partBytesDefault"):
        body.u64(name, value[name])
    body.u32("partsMax", value["partsMax"]).u64("objectBytesMax", value["objectBytesMax"])
    body.u32("putLimitMilliseconds", value["putLimitMilliseconds"])
    body.u32("idleLimitMilliseconds", value["idleLimitMilliseconds"])
    body.i64("serverTime", value["serverTime"]).text8("software", value["software"])
    body.text8("deviceName", value["deviceName"]).text16("prefix", value["prefix"])
    body.fixed("storeIdentity", value["storeIdentity"]).bytes16("receiptKey", value["receiptKey"])
    return body if value["nextSiteKey"] is None else body.fixed("nextSiteKey", value["nextSiteKey"])


def ping(nonce=7):
    return Body().u64("nonce", nonce)


def go_away(deadline, message):
    return Body().u32("deadlineMilliseconds", deadline).text16("message", message)


def error(scope, code, part=0, retry=0, message=""):
    body = Body().u8("scope", scope).u16("code", code).u32("part", part).u32("retryAfterMilliseconds", retry)
    return body.text16("message", message)


def write_metadata(body, content_type, pairs):
    body.text8("contentType", content_type)
    for name, value in body.count(">B", "metadata", pairs):
        body.text8("name", name).text16("value", value)
    return body


def session_open(size=10485760, part_bytes=8388608, seconds=1767225600, nanoseconds=123456789, condition=0,
                 key="camera/2026-01-01.mp4", matches=bytes(16), content_type="", pairs=(), session="session"):
    body = Body().fixed("session", identifier(session)).u64("size", size).u64("partBytes", part_bytes)
    body.i64("modificationSeconds", seconds).u32("modificationNanoseconds", nanoseconds)
    body.u8("condition", condition).fixed("conditionSession", matches)
    return write_metadata(body, content_type, pairs).text16("key", key)


def write_partials(body, partials):
    for part, part_digest, offset, limit in body.count(">H", "partials", partials):
        body.u32("part", part).fixed("digest", part_digest).u64("offset", offset).u64("limit", limit)
    return body


def session_opened(token, part_bytes=8388608, session="session"):
    return Body().fixed("session", identifier(session)).u64("partBytes", part_bytes).bytes16("token", token)


def session_adopted(token, candidates=0, partials=(), part_bytes=8388608, session="adopted"):
    body = session_opened(token, part_bytes, session).u32("candidateParts", candidates)
    return write_partials(body, partials)


def session_exists(kind, evidence, size=10485760, part_bytes=8388608, etag='"0123abcd-2"', version="v1",
                   session=None, present=None):
    body = Body().u64("size", size).u64("partBytes", part_bytes).u8("evidenceKind", kind)
    body.bytes16("evidence", evidence).text16("etag", etag).text16("version", version)
    body.u8("sessionPresent", int(session is not None) if present is None else present)
    return body.fixed("session", session or bytes(16))


def session_refused(code, retry=0, message=""):
    return Body().u16("code", code).u32("retryAfterMilliseconds", retry).text16("message", message)


def part_offer(part=1, size=8388608, with_md5=False):
    body = Body().u32("part", part).u64("size", size).fixed("digest", digest("part"))
    return body.fixed("md5", md5("part")) if with_md5 else body


def part_decision(decision, part=1, offset=0, limit=0, code=0, retry=0, etag=""):
    body = Body().u32("part", part).u8("decision", decision).u64("offset", offset).u64("limit", limit)
    return body.u16("code", code).u32("retryAfterMilliseconds", retry).text16("etag", etag)


def part_data(payload, part=1, offset=0, plain_bytes=None):
    body = Body().u32("part", part).u64("offset", offset)
    return body.u32("plainBytes", len(payload) if plain_bytes is None else plain_bytes).fixed("payload", payload)


def received(part=1, count=262144, limit=1048576):
    return Body().u32("part", part).u64("received", count).u64("limit", limit)


def stored(part=1, etag='"d41d8cd98f00b204e9800998ecf8427e"'):
    return Body().u32("part", part).text16("etag", etag)


def resume_query(listed, token):
    return Body().u32("listedParts", listed).bytes16("token", token)


def resume_state(state, candidates=0, partials=(), wanted=(), token=b"", part_bytes=8388608):
    body = Body().u8("state", state).u64("partBytes", part_bytes).u32("candidateParts", candidates)
    write_partials(body, partials).u32("wanted", len(wanted))
    for part in wanted:
        body.u32("part", part)
    return body.bytes16("token", token)


def part_list(*entries):
    body = Body().u16("count", len(entries))
    for part, size, part_digest, etag in entries:
        body.u32("part", part).u64("size", size).u8("digestPresent", 0 if part_digest is None else 1)
        body.fixed("digest", part_digest or bytes(32)).text16("etag", etag)
    return body


def complete(count=2, size=10485760, root=None):
    return Body().fixed("root", root or digest("root")).u32("partCount", count).u64("size", size)


def parts_wanted(*parts):
    body = Body().u32("count", len(parts))
    for part in parts:
        body.u32("parts", part)
    return body


RECEIPT = (1767225661000, bytes(range(64)))


def write_receipt(body, receipt):
    return body if receipt is None else body.i64("receiptTime", receipt[0]).bytes16("signature", receipt[1])


def completed(kind, evidence, size=10485760, part_bytes=8388608, etag='"0123abcd-2"', version="v1",
              location="camera/2026-01-01.mp4", receipt=None):
    body = Body().u64("size", size).u8("evidenceKind", kind).bytes16("evidence", evidence)
    body.u64("partBytes", part_bytes)
    body.text16("etag", etag).text16("version", version).text16("location", location)
    return write_receipt(body, receipt)


def prove(size=10485760, part_bytes=8388608, root=None, key="camera/2026-01-01.mp4"):
    body = Body().u64("size", size).u64("partBytes", part_bytes).fixed("root", root or digest("root"))
    return body.text16("key", key)


def proven(outcome, kind=0, evidence=b"", size=0, part_bytes=0, etag="", version="", session=bytes(16), receipt=None):
    body = Body().u8("outcome", outcome).u64("size", size).u8("evidenceKind", kind).bytes16("evidence", evidence)
    body.u64("partBytes", part_bytes).text16("etag", etag).text16("version", version).fixed("session", session)
    return write_receipt(body, receipt)


def report(state=0, items=0, size=0, oldest=0, quarantined=0, free=U64_MAX, reason=""):
    body = Body().u8("state", state).u32("pendingItems", items).u64("pendingBytes", size).u32("oldestSeconds", oldest)
    return body.u32("quarantinedItems", quarantined).u64("freeBytes", free).text16("reason", reason)


def abort(token):
    return Body().bytes16("token", token)


# Frames as bytes.


def header(length, number, flags, slot):
    return struct.pack(">IBBH", length, number, flags, slot)


def frame(kind, body, slot=0, flags=0):
    return header(len(body.data), TYPES[kind][0], flags, slot) + body.data


def extension(tag, value=b""):
    return struct.pack(">HH", tag, len(value)) + value


def raw(kind, data, slot=0, flags=0):
    return header(len(data), TYPES[kind][0], flags, slot) + data


def line(name, kind, body, slot=0, flags=0, data=None):
    fields = "; ".join([f"slot={slot}", f"flags={flags}"] + body.fields)
    data = frame(kind, body, slot, flags) if data is None else data
    return f"{kind}: {name} | {TYPES[kind][1]} | {data.hex()} | {fields}"


TOKEN = bytes(range(64))
# UTF-8 of two, three and four bytes; a letter and a combining mark; separators of vectors; characters that JSON escapes.
TEXT = "é‖🜁 e\u0301 | ; = \\ \" \t"
ETAG_MAX = "e" * 1024
# A literal, a match of 58 bytes at distance 1, the five literals that end a block.
LZ4_BLOCK = bytes.fromhex("1f61010027506161616161")
MD5_ETAG = b"9b2cf535f27731c974343645a3985328-2"


def partial(part, offset, limit):
    return part, digest(f"partial {part}"), offset, limit


# 64 pairs with 1,792 bytes of names and values together, in order of name: the most that §6.6 allows.
MOST_METADATA = [(f"{n:02d}", "v" * 26) for n in range(64)]


def frames():
    yield line("one version", "HELLO", hello())
    yield line("two pins", "HELLO", hello(pins=[digest("site"), digest("next site")]))
    yield line("most pins", "HELLO", hello(pins=[digest(f"pin {n}") for n in range(8)]))
    yield line("several versions, no capability, no software", "HELLO", hello(1, 65535, 0, ""))
    yield line("all capabilities, longest software", "HELLO", hello(0, 0, U32_MAX, "s" * 255))
    yield line("usual", "WELCOME", welcome())
    yield line("with a key for receipts and a next key", "WELCOME",
               welcome(receiptKey=PUBLIC_KEY, nextSiteKey=digest("next site")), flags=1)
    yield line(
        "lowest", "WELCOME",
        welcome(version=0, capabilities=0, slotsMax=1, chunkBytesMax=1, initialCreditBytes=0, partBytesMin=1,
                partBytesMax=1, partBytesDefault=1, partsMax=1, objectBytesMax=0, putLimitMilliseconds=0,
                idleLimitMilliseconds=0, serverTime=-2**63, software="", deviceName="", prefix="",
                storeIdentity=bytes(32)))
    yield line(
        "highest", "WELCOME",
        welcome(version=65535, capabilities=U32_MAX, slotsMax=65535, initialCreditBytes=U32_MAX,
                partBytesMin=U64_MAX, partBytesMax=U64_MAX, partBytesDefault=U64_MAX, objectBytesMax=U64_MAX,
                putLimitMilliseconds=U32_MAX, idleLimitMilliseconds=U32_MAX, serverTime=2**63 - 1,
                software="é" * 127, deviceName="n" * 255, prefix="p" * 1023 + "/", storeIdentity=b"\xff" * 32,
                receiptKey=bytes(256), nextSiteKey=b"\xff" * 32), flags=1)
    for kind in ("PING", "PONG"):
        yield line("zero", kind, ping(0))
        yield line("byte order", kind, ping(0x0102030405060708))
        yield line("highest", kind, ping(U64_MAX))
    yield line("at once, no message", "GO AWAY", go_away(0, ""))
    yield line("a minute", "GO AWAY", go_away(60000, "restarting for an update"))
    yield line("longest message", "GO AWAY", go_away(U32_MAX, "m" * 512))
    yield line("part", "ERROR", error(1, 0x0050, part=3, message="digest of part 3"), slot=2)
    yield line("session", "ERROR", error(2, 0x003D, retry=5000, message=TEXT), slot=65535)
    yield line("connection", "ERROR", error(3, 0x0022))
    yield line("code of a later version", "ERROR", error(1, 0xFFFF, U32_MAX, U32_MAX, "m" * 512), slot=1)
    yield line("usual", "ENROL", enrol())
    yield line("no software", "ENROL", enrol(""))
    yield line("longest software", "ENROL", enrol("s" * 255))
    yield line("usual", "ENROLLED", enrolled("cam1", "cam1/"))
    yield line("no prefix", "ENROLLED", enrolled("n", ""))
    yield line("longest", "ENROLLED", enrolled("n" * 255, "p" * 1023 + "/"))
    yield line("absent, with a comparison", "SESSION OPEN", session_open(), slot=1, flags=1)
    yield line("any, a stream", "SESSION OPEN", session_open(size=U64_MAX, condition=1), slot=2)
    yield line("asks for a receipt", "SESSION OPEN", session_open(), slot=1, flags=2)
    yield line("compares, asks for a receipt", "SESSION OPEN", session_open(condition=1), slot=1, flags=3)
    yield line("content type", "SESSION OPEN", session_open(content_type="video/mp4"), slot=1)
    yield line("metadata", "SESSION OPEN",
               session_open(content_type="text/plain; charset=utf-8", pairs=[("line", "3"), ("shift", "late shift")]),
               slot=1)
    yield line("most metadata", "SESSION OPEN",
               session_open(content_type="a/" + "b" * 253, pairs=MOST_METADATA, key="k" * 1024), slot=1)
    yield line("metadata for the gateway to refuse", "SESSION OPEN",
               session_open(content_type="none", pairs=[("B", ""), ("", " é"), ("sluice-x", "a  b")]), slot=1)
    yield line("absent, before 1970", "SESSION OPEN", session_open(0, 1, -1, 999999999, 0, TEXT), slot=3)
    yield line("matches a session", "SESSION OPEN", session_open(condition=2, matches=identifier("older")), slot=4)
    yield line("any, with a comparison, largest", "SESSION OPEN",
               session_open(U64_MAX - 1, U64_MAX, 2**63 - 1, 0, 1, "k" * 1024), slot=65535, flags=1)
    yield line("empty key, for the gateway to refuse", "SESSION OPEN", session_open(key="", seconds=-2**63), slot=1)
    yield line("part size 0, key too long, both for the gateway to refuse", "SESSION OPEN",
               session_open(part_bytes=0, key="k" * 1025), slot=1)
    yield line("new", "SESSION OPENED", session_opened(TOKEN), slot=1)
    yield line("adopted", "SESSION OPENED", session_adopted(TOKEN), slot=1, flags=1)
    yield line("adopted, with candidates and partials", "SESSION OPENED",
               session_adopted(TOKEN, 3, [partial(4, 262144, 2097152), partial(2, 1, 1)]), slot=1, flags=1)
    yield line("no token", "SESSION OPENED", session_opened(b"", 0), slot=65535)
    yield line("longest token", "SESSION OPENED", session_opened(bytes(4096), U64_MAX), slot=1)
    yield line("adopted, highest", "SESSION OPENED",
               session_adopted(bytes(4096), U32_MAX, [(U32_MAX, b"\xff" * 32, U64_MAX, U64_MAX)], U64_MAX), slot=65535,
               flags=1)
    yield line("no evidence", "SESSION EXISTS", session_exists(0, b"", 0, 0, "", ""), slot=1)
    yield line("root digest", "SESSION EXISTS", session_exists(1, digest("root")), slot=1)
    yield line("written by a session", "SESSION EXISTS",
               session_exists(1, digest("root"), session=identifier("older")), slot=1)
    yield line("digest of the whole", "SESSION EXISTS", session_exists(2, digest("whole"), part_bytes=0), slot=1)
    yield line("composite MD5", "SESSION EXISTS",
               session_exists(3, MD5_ETAG, U64_MAX, U64_MAX, TEXT, "v" * 1024), slot=1)
    yield line("key taken", "SESSION REFUSED", session_refused(0x0031, message="other content"), slot=1)
    yield line("busy", "SESSION REFUSED", session_refused(0x0035, 30000), slot=65535)
    yield line("highest", "SESSION REFUSED", session_refused(0xFFFF, U32_MAX, "m" * 512), slot=1)
    yield line("first", "PART OFFER", part_offer(), slot=1)
    yield line("last", "PART OFFER", part_offer(2, 2097152), slot=1, flags=1)
    yield line("with MD5", "PART OFFER", part_offer(with_md5=True), slot=1, flags=2)
    yield line("last, with MD5, highest", "PART OFFER", part_offer(U32_MAX, U64_MAX, True), slot=65535, flags=3)
    yield line("of an empty file", "PART OFFER", part_offer(1, 0), slot=1, flags=1)
    yield line("send", "PART DECISION", part_decision(0, offset=262144, limit=1310720), slot=1)
    yield line("send, highest", "PART DECISION", part_decision(0, U32_MAX, U64_MAX, U64_MAX), slot=65535)
    yield line("send, nothing yet", "PART DECISION", part_decision(0), slot=1)
    yield line("have", "PART DECISION", part_decision(1, etag='"abc"'), slot=1)
    yield line("have, longest ETag", "PART DECISION", part_decision(1, etag=ETAG_MAX), slot=1)
    yield line("later", "PART DECISION", part_decision(2, code=0x0035, retry=2000), slot=1)
    yield line("later, no advice", "PART DECISION", part_decision(2, code=0x003D), slot=1)
    yield line("no", "PART DECISION", part_decision(3, part=9, code=0x003E), slot=1)
    yield line("plain", "PART DATA", part_data(b"edge bytes"), slot=1)
    yield line("one byte, highest", "PART DATA", part_data(b"\xff", U32_MAX, U64_MAX - 1), slot=65535)
    yield line("compressed, 64 times the letter a", "PART DATA", part_data(LZ4_BLOCK, 2, 262144, 64), slot=1, flags=1)
    yield line("compressed to one byte", "PART DATA", part_data(b"\x00", plain_bytes=2), slot=1, flags=1)
    yield line("many bytes", "PART DATA", part_data(bytes(i % 251 for i in range(1024)), 3, 4096), slot=7)
    yield line("some", "RECEIVED", received(), slot=1)
    yield line("nothing", "RECEIVED", received(1, 0, 0), slot=1)
    yield line("highest", "RECEIVED", received(U32_MAX, U64_MAX, U64_MAX), slot=65535)
    yield line("usual", "STORED", stored(), slot=1)
    yield line("shortest", "STORED", stored(U32_MAX, "e"), slot=65535)
    yield line("longest", "STORED", stored(2, ETAG_MAX), slot=1)
    yield line("with a list to follow", "RESUME QUERY", resume_query(10000, TOKEN), slot=1)
    yield line("joining", "RESUME QUERY", resume_query(0, TOKEN), slot=1)
    yield line("empty token", "RESUME QUERY", resume_query(U32_MAX, b""), slot=65535)
    yield line("asks for partials", "RESUME QUERY", resume_query(2, TOKEN), slot=1, flags=1)
    yield line("asks for a receipt", "RESUME QUERY", resume_query(0, TOKEN), slot=1, flags=2)
    yield line("asks for partials and a receipt", "RESUME QUERY", resume_query(0, TOKEN), slot=1, flags=3)
    yield line("ongoing", "RESUME STATE",
               resume_state(0, 3, [partial(4, 262144, 2097152), partial(2, 1, 1)], [1, 10000], TOKEN), slot=1)
    yield line("ongoing, nothing to tell", "RESUME STATE", resume_state(0, token=b"t"), slot=1)
    yield line("ongoing, much", "RESUME STATE",
               resume_state(0, U32_MAX, [partial(n, U64_MAX, U64_MAX) for n in range(1, 33)], range(1, 65), TOKEN * 4,
                            U64_MAX), slot=1)
    yield line("completing", "RESUME STATE", resume_state(1), slot=1)
    yield line("lost", "RESUME STATE", resume_state(2, part_bytes=0), slot=65535)
    yield line("one of more pages", "PART LIST",
               part_list((1, 8388608, digest("1"), '"a"'), (2, 8388608, digest("2"), "b")), slot=1)
    yield line("last page", "PART LIST", part_list((3, 2097152, digest("3"), TEXT)), slot=1, flags=1)
    yield line("no digest", "PART LIST",
               part_list((1, 0, None, "e"), (U32_MAX, U64_MAX, None, ETAG_MAX)), slot=65535, flags=1)
    yield line("empty page", "PART LIST", part_list(), slot=1, flags=1)
    yield line("usual", "COMPLETE", complete(), slot=1)
    yield line("first", "COMPLETE", complete(), slot=1, flags=1)
    yield line("an empty file", "COMPLETE", complete(1, 0), slot=1)
    yield line("highest", "COMPLETE", complete(U32_MAX, U64_MAX), slot=65535)
    yield line("one", "PARTS WANTED", parts_wanted(1), slot=1)
    yield line("some", "PARTS WANTED", parts_wanted(1, 2, 7, 10000, U32_MAX), slot=65535)
    yield line("root digest", "COMPLETED", completed(1, digest("root")), slot=1)
    yield line("digest of the whole", "COMPLETED", completed(2, digest("whole"), 0, 0, "", "", ""), slot=65535)
    yield line("composite MD5", "COMPLETED",
               completed(3, MD5_ETAG, U64_MAX, U64_MAX, TEXT, "v" * 1024, "l" * 1024), slot=1)
    yield line("no evidence", "COMPLETED", completed(0, b""), slot=1)
    yield line("with a receipt", "COMPLETED", completed(1, digest("root"), receipt=RECEIPT), slot=1, flags=1)
    yield line("with the shortest signature", "COMPLETED",
               completed(2, digest("whole"), receipt=(-2**63, b"s")), slot=1, flags=1)
    yield line("with the longest signature", "COMPLETED",
               completed(2, digest("whole"), receipt=(2**63 - 1, bytes(128))), slot=65535, flags=1)
    yield line("empty token, for the gateway to refuse", "ABORT", abort(b""), slot=1)
    yield line("by token", "ABORT", abort(TOKEN), slot=65535)
    yield line("long token", "ABORT", abort(b"\xff" * 512), slot=1)
    yield line("usual", "PROVE", prove(), slot=1)
    yield line("by reading back", "PROVE", prove(), slot=1, flags=1)
    yield line("an empty file, part size 1", "PROVE", prove(0, 1, key=TEXT), slot=2)
    yield line("highest, key too long, for the gateway to refuse", "PROVE", prove(U64_MAX, U64_MAX, key="k" * 1025),
               slot=65535, flags=1)
    yield line("proven, with a receipt", "PROVEN",
               proven(0, 1, digest("root"), 10485760, 8388608, '"0123abcd-2"', "v1", identifier("session"), RECEIPT),
               slot=1, flags=1)
    yield line("proven, without a receipt", "PROVEN",
               proven(0, 2, digest("whole"), 5, 0, '"e"', session=identifier("session")), slot=1)
    yield line("absent", "PROVEN", proven(1), slot=1)
    yield line("different", "PROVEN", proven(2, 1, digest("other"), 10485760, 8388608, '"0123abcd-2"', "v1"), slot=1)
    yield line("unknown, a composite MD5", "PROVEN",
               proven(3, 3, MD5_ETAG, U64_MAX, U64_MAX, TEXT, "v" * 1024), slot=65535)
    yield line("idle", "REPORT", report(), flags=OPTIONAL)
    yield line("waiting", "REPORT",
               report(2, 17, 5368709120, 86400, 1, 1073741824, "the store is full"), flags=OPTIONAL)
    yield line("highest, a state of a later version", "REPORT",
               report(255, U32_MAX, U64_MAX, U32_MAX, U32_MAX, U64_MAX - 1, "m" * 512), flags=OPTIONAL)
    for kind in ("ABORTED", "SESSION LEAVE", "SESSION LEFT"):
        yield line("usual", kind, Body(), slot=1)
        yield line("highest slot", kind, Body(), slot=65535)


def extended(name, kind, body, extensions, slot=0, flags=0):
    return line(name, kind, body, slot, flags, raw(kind, body.data + extensions, slot, flags))


def tolerated():
    yield extended("one extension field", "PING", ping(), extension(1, b"\x2a"))
    yield extended("an empty extension field of tag 0", "PONG", ping(), extension(0))
    yield extended("sixteen extension fields", "HELLO", hello(), b"".join(extension(n, b"x" * n) for n in range(16)))
    yield extended("highest optional tag", "ABORTED", Body(), extension(0x7FFF, b"xyz"), slot=1)
    yield extended("the same tag twice", "COMPLETE", complete(), extension(5, b"a") + extension(5, b"b"), slot=1)
    yield extended("fields behind a list", "PART LIST", part_list((1, 1, None, "e")), extension(1, bytes(70)), 1, 1)
    yield extended("fields behind an MD5", "PART OFFER", part_offer(with_md5=True), extension(2, bytes(16)), 1, 2)
    yield extended("to the maximum body", "PING", ping(), extension(3, bytes(52)))
    yield extended("a field behind a next site key", "WELCOME", welcome(nextSiteKey=digest("next site")),
                   extension(1, b"x"), flags=1)
    yield extended("a field behind metadata and key", "SESSION OPEN", session_open(pairs=[("a", "b")]),
                   extension(1, b"x"), slot=1)
    yield extended("a field behind partials", "SESSION OPENED", session_adopted(TOKEN, 0, [partial(1, 2, 3)]),
                   extension(1, b"x"), slot=1, flags=1)
    yield extended("a field behind a receipt", "COMPLETED", completed(1, digest("root"), receipt=RECEIPT),
                   extension(1, b"x"), slot=1, flags=1)
    yield extended("a field behind a reason", "REPORT", report(reason="r"), extension(1, b"x"), flags=OPTIONAL)
    for name, unknown in (
            ("an empty unknown frame before", header(0, 0x7F, 0x80, 0)),
            ("an unknown frame with every flag in a slot before", header(5, 0xFF, 0xFF, 9) + b"12345"),
            ("two unknown frames before", header(1, 0x00, 0x80, 0) + b"x" + header(2, 0x16, 0x80, 1) + b"yz")):
        yield line(name, "PING", ping(), data=unknown + frame("PING", ping()))
    yield line("a long unknown frame before", "ABORT", abort(b""), slot=1,
               data=header(2048, 0x70, 0x80, 0) + bytes(2048) + frame("ABORT", abort(b""), slot=1))


def malformed_headers():
    yield "PING of 65 bytes", BOTH, header(65, 0x03, 0, 0), "frame_too_large"
    yield "HELLO of 1,025 bytes", UP, header(1025, 0x01, 0, 0), "frame_too_large"
    yield "PART DATA of 262,161 bytes", UP, header(262161, 0x22, 0, 1), "frame_too_large"
    yield "ABORTED of the largest length", DOWN, header(U32_MAX, 0x44, 0, 1), "frame_too_large"
    yield "unknown frame too long to skip", BOTH, header(65537, 0x70, 0x80, 0), "frame_too_large"
    yield "type 0", BOTH, header(0, 0x00, 0, 0), "unknown_type"
    yield "type between two", BOTH, header(0, 0x09, 0, 0), "unknown_type"
    yield "type 255, all flags but bit 7", BOTH, header(0, 0xFF, 0x7F, 0), "unknown_type"
    yield "an HTTP request", UP, b"GET / HTTP/1.1\r\n", "unknown_type"
    yield "flag of PING", BOTH, header(8, 0x03, 0x01, 0) + bytes(8), "reserved_bits"
    yield "bit 7 of a known type", UP, header(86, 0x01, 0x80, 0), "reserved_bits"
    yield "bit 7 of PROVE", UP, header(50, 0x50, 0x80, 1), "reserved_bits"
    yield "REPORT without bit 7", UP, header(31, 0x60, 0x00, 0), "reserved_bits"
    yield "first flag of REPORT", UP, header(31, 0x60, 0x81, 0), "reserved_bits"
    yield "first flag of HELLO", UP, header(86, 0x01, 0x01, 0), "reserved_bits"
    yield "second flag of WELCOME", DOWN, header(120, 0x02, 0x02, 0), "reserved_bits"
    yield "third flag of SESSION OPEN", UP, header(65, 0x10, 0x04, 1), "reserved_bits"
    yield "third flag of RESUME QUERY", UP, header(6, 0x30, 0x04, 1), "reserved_bits"
    yield "first flag of RESUME STATE", DOWN, header(21, 0x31, 0x01, 1), "reserved_bits"
    yield "second flag of COMPLETED", DOWN, header(30, 0x42, 0x02, 1), "reserved_bits"
    yield "second flag of PROVE", UP, header(50, 0x50, 0x02, 1), "reserved_bits"
    yield "second flag of PROVEN", DOWN, header(40, 0x51, 0x02, 1), "reserved_bits"
    yield "third flag of PART OFFER", UP, header(44, 0x20, 0x04, 1), "reserved_bits"
    yield "second flag of SESSION OPENED", DOWN, header(26, 0x11, 0x02, 1), "reserved_bits"
    yield "second flag of PART DATA", UP, header(17, 0x22, 0x03, 1), "reserved_bits"
    yield "second flag of PART LIST", BOTH, header(2, 0x32, 0x02, 1), "reserved_bits"
    yield "PING in a slot", BOTH, header(8, 0x03, 0, 1), "bad_slot"
    yield "HELLO in a slot", UP, header(86, 0x01, 0, 65535), "bad_slot"
    yield "COMPLETE in slot 0", UP, header(44, 0x40, 0, 0), "bad_slot"
    yield "PART DATA in slot 0", UP, header(17, 0x22, 0, 0), "bad_slot"
    yield "PROVE in slot 0", UP, header(50, 0x50, 0, 0), "bad_slot"
    yield "REPORT in a slot", UP, header(31, 0x60, 0x80, 1), "bad_slot"
    yield "ERROR of the connection in a slot", BOTH, frame("ERROR", error(3, 1), slot=1), "bad_slot"
    yield "ERROR of a session in slot 0", BOTH, frame("ERROR", error(2, 1)), "bad_slot"
    yield "ERROR of a part in slot 0", BOTH, frame("ERROR", error(1, 1, 1)), "bad_slot"
    for kind, (number, way) in TYPES.items():
        if way != BOTH:
            slot = 0 if number < 0x10 or kind == "REPORT" else 1
            yield f"{kind} to its sender", DOWN if way == UP else UP, header(0, number, 0, slot), "wrong_direction"


def malformed_bodies():
    yield "PING of 7 bytes", BOTH, raw("PING", bytes(7)), "body_too_short"
    yield "empty HELLO", UP, raw("HELLO", b""), "body_too_short"
    yield "HELLO without software", UP, raw("HELLO", hello(software="").data[:-1]), "body_too_short"
    yield "software beyond the body", UP, raw("HELLO", hello(software="").data[:-1] + b"\x01"), "body_too_short"
    yield "key beyond the body", UP, raw("SESSION OPEN", session_open().data[:-1], 1), "body_too_short"
    yield "MD5 flag without MD5", UP, raw("PART OFFER", part_offer().data, 1, 2), "body_too_short"
    yield "a pin beyond the body", UP, raw("HELLO", hello(software="").data[:-2] + b"\x01\x00"), "body_too_short"
    yield "flag of a next site key without the key", DOWN, raw("WELCOME", welcome().data, 0, 1), "body_too_short"
    yield "adopted without partials", DOWN, raw("SESSION OPENED", session_opened(TOKEN).data, 1, 1), "body_too_short"
    yield "more partials than there are", DOWN, raw(
        "SESSION OPENED", session_opened(b"").data + struct.pack(">IH", 0, 1), 1, 1), "body_too_short"
    yield "metadata value beyond the body", UP, raw(
        "SESSION OPEN", session_open(key="").data[:-3] + b"\x01\x01a\xff\xff", 1), "body_too_short"
    yield "flag of a receipt without one", DOWN, raw(
        "COMPLETED", completed(1, digest("root")).data, 1, 1), "body_too_short"
    yield "receipt without a signature", DOWN, raw(
        "PROVEN", proven(0, 1, digest("root")).data + bytes(8), 1, 1), "body_too_short"
    yield "PART DATA of 0 bytes", UP, header(0, 0x22, 0, 1), "body_too_short"
    yield "PART DATA of 15 bytes", UP, header(15, 0x22, 0, 1), "body_too_short"
    yield "PART DATA without payload", UP, raw("PART DATA", part_data(b"", plain_bytes=1).data, 1), "body_too_short"
    yield "payload one byte short", UP, raw("PART DATA", part_data(b"abc", plain_bytes=4).data, 1), "body_too_short"
    yield "more entries than there are", BOTH, raw("PART LIST", b"\xff\xff", 1), "body_too_short"
    yield "more wanted than there are", DOWN, raw("PARTS WANTED", struct.pack(">II", 10000, 1), 1), "body_too_short"
    yield "extension field beyond the body", BOTH, raw("PING", bytes(8) + b"\x00\x01\x00\x02x"), "body_too_short"
    for count in (1, 2, 3):
        yield f"PING and {count} more", BOTH, raw("PING", bytes(8 + count)), "trailing_bytes"
    yield "a byte behind an extension field", BOTH, raw(
        "PING", bytes(8) + extension(1, b"x") + b"\x00"), "trailing_bytes"
    yield "ABORTED of one byte", DOWN, raw("ABORTED", b"\x00", 1), "trailing_bytes"
    yield "MD5 without its flag", UP, raw("PART OFFER", part_offer(with_md5=True).data[:47], 1), "trailing_bytes"
    yield "next site key without its flag", DOWN, raw(
        "WELCOME", welcome(receiptKey=b"").data + b"\x00", 0), "trailing_bytes"
    yield "partials without the flag adopted", DOWN, raw(
        "SESSION OPENED", session_opened(TOKEN).data + b"\x00", 1), "trailing_bytes"
    yield "payload one byte long", UP, raw("PART DATA", part_data(b"abcde", plain_bytes=4).data, 1), "trailing_bytes"
    yield "required extension field", BOTH, raw("PING", bytes(8) + extension(0x8000)), "unknown_required_field"
    yield "required field behind an optional one", DOWN, raw(
        "ABORTED", extension(1, b"x") + extension(0xFFFF, b"y"), 1), "unknown_required_field"
    yield "seventeen extension fields", UP, raw("HELLO", hello().data + extension(1) * 17), "too_many_fields"
    yield "HTTP in a HELLO", UP, frame("HELLO", hello(magic=0x47455420)), "bad_magic"
    yield "magic in the wrong order", UP, frame("HELLO", hello(magic=0x43554C53)), "bad_magic"
    yield "compressed to nothing", UP, raw("PART DATA", part_data(b"", plain_bytes=1).data, 1, 1), "bad_compression"
    yield "compressed to as many bytes", UP, raw(
        "PART DATA", part_data(b"abcd", plain_bytes=4).data, 1, 1), "bad_compression"
    yield "compressed to more bytes", UP, raw(
        "PART DATA", part_data(b"abcde", plain_bytes=4).data, 1, 1), "bad_compression"


def malformed_texts():
    for name, text in (
            ("a byte that never begins", b"\xff"), ("a lone continuation", b"\x80"), ("a cut character", b"\xe2\x82"),
            ("an overlong slash", b"\xc0\xaf"), ("a surrogate", b"\xed\xa0\x80"),
            ("beyond Unicode", b"\xf4\x90\x80\x80")):
        prefix = session_open(key="").data[:-2]
        yield f"key with {name}", UP, raw("SESSION OPEN", prefix + struct.pack(">H", len(text)) + text, 1), "bad_text"
    yield "software", UP, raw("HELLO", hello(software="").data[:-1] + b"\x01\xfe"), "bad_text"
    front = session_open(key="").data[:-4]
    yield "content type", UP, raw("SESSION OPEN", front + b"\x01\xff\x00\x00\x00", 1), "bad_text"
    yield "metadata name", UP, raw("SESSION OPEN", front + b"\x00\x01\x01\xff\x00\x00\x00\x00", 1), "bad_text"
    yield "metadata value", UP, raw("SESSION OPEN", front + b"\x00\x01\x01a\x00\x01\xff\x00\x00", 1), "bad_text"
    yield "key of PROVE", UP, raw("PROVE", prove(key="").data[:-2] + b"\x00\x01\x80", 1), "bad_text"
    yield "reason", UP, raw("REPORT", report().data[:-2] + b"\x00\x01\x80", 0, OPTIONAL), "bad_text"
    yield "message", BOTH, raw("ERROR", error(3, 1).data[:-2] + b"\x00\x01\x80"), "bad_text"
    yield "ETag", DOWN, raw("STORED", struct.pack(">IH", 1, 1) + b"\x80", 1), "bad_text"
    yield "composite MD5", DOWN, frame("SESSION EXISTS", session_exists(3, b"\xff"), 1), "bad_text"


def malformed_values():
    def bad(name, kind, body, slot=1, flags=0):
        return f"{kind}: {name}", TYPES[kind][1], frame(kind, body, slot, flags), "bad_value"

    yield bad("versions the wrong way round", "HELLO", hello(2, 1), 0)
    for name, changes in (
            ("no slot", dict(slotsMax=0)), ("chunk of 0", dict(chunkBytesMax=0)),
            ("chunk of 262,145", dict(chunkBytesMax=262145)),
            ("part size of 0", dict(partBytesMin=0)), ("bounds the wrong way round", dict(partBytesMax=1)),
            ("choice below", dict(partBytesDefault=1)), ("choice above", dict(partBytesDefault=U64_MAX)),
            ("no parts", dict(partsMax=0)), ("10,001 parts", dict(partsMax=10001))):
        yield bad(name, "WELCOME", welcome(**changes), 0)
    yield bad("key for receipts of 257 bytes", "WELCOME", welcome(receiptKey=bytes(257)), 0)
    yield bad("nine pins", "HELLO", hello(pins=[digest("pin")] * 9), 0)
    yield bad("message of 513 bytes", "GO AWAY", go_away(0, "m" * 513), 0)
    yield bad("message of 513 bytes", "ERROR", error(3, 1, message="m" * 513), 0)
    yield bad("message of 513 bytes", "SESSION REFUSED", session_refused(1, 0, "m" * 513))
    yield bad("scope 0", "ERROR", error(0, 1))
    yield bad("scope 4", "ERROR", error(4, 1))
    yield bad("part 0", "ERROR", error(1, 1, 0))
    yield bad("part of a session", "ERROR", error(2, 1, 1))
    yield bad("part of a connection", "ERROR", error(3, 1, 1), 0)
    yield bad("a second of nanoseconds", "SESSION OPEN", session_open(nanoseconds=1000000000))
    yield bad("condition 3", "SESSION OPEN", session_open(condition=3))
    yield bad("a session with absent", "SESSION OPEN", session_open(matches=identifier("older")))
    yield bad("a session with any", "SESSION OPEN", session_open(condition=1, matches=identifier("older")))
    yield bad("session present twice", "SESSION EXISTS", session_exists(0, b"", present=2))
    yield bad("a session that is not present", "SESSION EXISTS",
              session_exists(0, b"", session=identifier("older"), present=0))
    yield bad("token of 4,097 bytes", "SESSION OPENED", session_opened(bytes(4097)))
    yield bad("partial part 0", "SESSION OPENED", session_adopted(b"", 0, [partial(0, 0, 0)]), flags=1)
    yield "SESSION OPENED: 1,025 partial parts", DOWN, raw(
        "SESSION OPENED", session_opened(b"").data + struct.pack(">IH", 0, 1025), 1, 1), "bad_value"
    yield bad("empty signature", "COMPLETED", completed(1, digest("root"), receipt=(0, b"")), flags=1)
    yield bad("signature of 129 bytes", "COMPLETED", completed(1, digest("root"), receipt=(0, bytes(129))), flags=1)
    yield bad("part size 0", "PROVE", prove(part_bytes=0))
    yield bad("outcome 4", "PROVEN", proven(4))
    yield bad("empty signature", "PROVEN", proven(0, 1, digest("root"), receipt=(0, b"")), flags=1)
    yield bad("signature of 129 bytes", "PROVEN", proven(0, 1, digest("root"), receipt=(0, bytes(129))), flags=1)
    for outcome in (1, 2, 3):
        yield bad(f"receipt with outcome {outcome}", "PROVEN", proven(outcome, receipt=RECEIPT), flags=1)
    for name, body in (
            ("size", proven(1, size=1)), ("evidence", proven(1, 1, digest("root"))),
            ("a part size", proven(1, part_bytes=1)), ("ETag", proven(1, etag="e")),
            ("version", proven(1, version="v")), ("session", proven(1, session=identifier("older")))):
        yield bad(f"absent with {name}", "PROVEN", body)
    yield bad("evidence kind 4", "PROVEN", proven(0, 4))
    yield bad("evidence of kind 0", "PROVEN", proven(0, 0, b"x"))
    yield bad("root of 31 bytes", "PROVEN", proven(0, 1, bytes(31)))
    yield bad("whole digest of 33 bytes", "PROVEN", proven(0, 2, bytes(33)))
    yield bad("reason of 513 bytes", "REPORT", report(reason="m" * 513), 0, OPTIONAL)
    for kind, make in (("SESSION EXISTS", session_exists), ("COMPLETED", completed)):
        yield bad("evidence kind 4", kind, make(4, b""))
        yield bad("evidence of kind 0", kind, make(0, b"x"))
        yield bad("root of 31 bytes", kind, make(1, bytes(31)))
        yield bad("whole digest of 33 bytes", kind, make(2, bytes(33)))
    yield bad("part 0", "PART OFFER", part_offer(0))
    yield bad("part 0", "PART DECISION", part_decision(0, part=0))
    yield bad("decision 4", "PART DECISION", part_decision(4))
    yield bad("have with offset", "PART DECISION", part_decision(1, offset=1, etag="e"))
    yield bad("have with limit", "PART DECISION", part_decision(1, limit=1, etag="e"))
    yield bad("have with code", "PART DECISION", part_decision(1, code=1, etag="e"))
    yield bad("have with retryAfter", "PART DECISION", part_decision(1, retry=1, etag="e"))
    yield bad("have without ETag", "PART DECISION", part_decision(1))
    yield bad("have with an ETag of 1,025 bytes", "PART DECISION", part_decision(1, etag="e" * 1025))
    yield bad("send with code", "PART DECISION", part_decision(0, code=1))
    yield bad("send with ETag", "PART DECISION", part_decision(0, etag="e"))
    yield bad("later with ETag", "PART DECISION", part_decision(2, code=1, etag="e"))
    yield bad("no with retryAfter", "PART DECISION", part_decision(3, code=1, retry=1))
    yield bad("part 0", "PART DATA", part_data(b"x", 0))
    yield bad("no plain bytes", "PART DATA", part_data(b""))
    yield bad("262,145 plain bytes", "PART DATA", part_data(b"x", plain_bytes=262145), 1, 1)
    yield bad("end beyond 64 bits", "PART DATA", part_data(b"x", offset=U64_MAX))
    yield bad("part 0", "RECEIVED", received(0))
    yield bad("part 0", "STORED", stored(0))
    yield bad("no ETag", "STORED", stored(1, ""))
    yield bad("ETag of 1,025 bytes", "STORED", stored(1, "e" * 1025))
    yield bad("token of 4,097 bytes", "RESUME QUERY", resume_query(0, bytes(4097)))
    yield bad("state 3", "RESUME STATE", resume_state(3))
    yield bad("token while completing", "RESUME STATE", resume_state(1, token=b"t"))
    yield bad("token of a lost session", "RESUME STATE", resume_state(2, token=b"t"))
    yield bad("token of 4,097 bytes", "RESUME STATE", resume_state(0, token=bytes(4097)))
    yield bad("partial part 0", "RESUME STATE", resume_state(0, partials=[partial(0, 1, 1)]))
    yield bad("wanted part 0", "RESUME STATE", resume_state(0, wanted=[0]))
    prefix = resume_state(0).data[:13]
    yield "RESUME STATE: 1,025 partial parts", DOWN, raw(
        "RESUME STATE", prefix + struct.pack(">H", 1025), 1), "bad_value"
    yield "RESUME STATE: 10,001 wanted", DOWN, raw(
        "RESUME STATE", prefix + struct.pack(">HI", 0, 10001), 1), "bad_value"
    yield bad("part 0", "PART LIST", part_list((0, 1, None, "e")))
    yield bad("a part twice", "PART LIST", part_list((1, 1, None, "e"), (1, 1, None, "e")))
    yield bad("parts the wrong way round", "PART LIST", part_list((2, 1, None, "e"), (1, 1, None, "e")))
    yield bad("no ETag", "PART LIST", part_list((1, 1, None, "")))
    entry = struct.pack(">HIQ", 1, 1, 1)
    yield "PART LIST: digestPresent 2", BOTH, raw(
        "PART LIST", entry + b"\x02" + bytes(32) + b"\x00\x01e", 1), "bad_value"
    yield "PART LIST: absent digest not zero", BOTH, raw(
        "PART LIST", entry + bytes(32) + b"\x01\x00\x01e", 1), "bad_value"
    yield bad("no parts", "COMPLETE", complete(0))
    yield bad("none", "PARTS WANTED", parts_wanted())
    yield "PARTS WANTED: 10,001", DOWN, raw("PARTS WANTED", struct.pack(">I", 10001), 1), "bad_value"
    yield bad("part 0", "PARTS WANTED", parts_wanted(0, 1))
    yield bad("a part twice", "PARTS WANTED", parts_wanted(1, 1))
    yield bad("parts the wrong way round", "PARTS WANTED", parts_wanted(2, 1))
    yield bad("token of 4,097 bytes", "ABORT", abort(bytes(4097)))


def malformed_twice():
    yield "type before length", BOTH, header(U32_MAX, 0x7F, 0x7F, 0), "unknown_type"
    yield "direction before length", UP, header(U32_MAX, 0x02, 0, 0), "wrong_direction"
    yield "direction before flags and slot", DOWN, header(0, 0x40, 0xFF, 0), "wrong_direction"
    yield "length before flags", BOTH, header(65, 0x03, 0x01, 0), "frame_too_large"
    yield "flags before slot", BOTH, header(8, 0x03, 0x01, 1), "reserved_bits"
    yield "slot before body", BOTH, raw("PING", bytes(7), 1), "bad_slot"
    yield "slot before a body that is not there", UP, header(15, 0x22, 0, 0), "bad_slot"
    yield "direction before the flag of REPORT", DOWN, header(31, 0x60, 0, 1), "wrong_direction"
    yield "length before the flag of REPORT", UP, header(1025, 0x60, 0, 1), "frame_too_large"
    yield "the flag of REPORT before its slot", UP, header(31, 0x60, 0, 1), "reserved_bits"
    yield "an outcome before a receipt", DOWN, frame("PROVEN", proven(4, receipt=RECEIPT), 1, 1), "bad_value"
    yield "another magic in ENROL", UP, frame("ENROL", enrol(magic=0x47455420)), "bad_magic"
    yield "ENROL in a slot", UP, header(53, 0x07, 0, 1), "bad_slot"
    yield "ENROL without a secret", UP, raw("ENROL", enrol("").data[:36]), "body_too_short"
    yield "ENROLLED to its sender", UP, frame("ENROLLED", enrolled("n", "")), "wrong_direction"
    yield "magic before versions", UP, frame("HELLO", hello(2, 1, magic=0)), "bad_magic"
    yield "a value before a short body", UP, raw("PART OFFER", bytes(5), 1), "bad_value"
    yield "a value before a text", DOWN, raw("STORED", struct.pack(">IH", 0, 1) + b"\xff", 1), "bad_value"
    yield "a text before the rest", DOWN, raw("STORED", struct.pack(">IH", 1, 1) + b"\xff\x00", 1), "bad_text"
    yield "a required field before the rest", BOTH, raw(
        "PING", bytes(8) + extension(0x8000) + b"\x00"), "unknown_required_field"


def malformed():
    for source in (malformed_headers, malformed_bodies, malformed_texts, malformed_values, malformed_twice):
        for name, way, data, code in source():
            yield f"{name} | {way} | {data.hex()} | {code}"


def roots():
    for name, part_bytes, content in (
            ("empty file, one empty part", 4, b""),
            ("one short part", 4, b"abc"),
            ("one whole part", 4, b"abcd"),
            ("the same file in two parts", 2, b"abcd"),
            ("a last part of one byte", 4, b"abcdefghi"),
            ("many parts", 3, bytes(i % 251 for i in range(100)))):
        parts = [content[i:i + part_bytes] for i in range(0, len(content), part_bytes)] or [b""]
        digests = [hashlib.sha256(part).digest() for part in parts]
        root = hashlib.sha256(b"".join(digests)).hexdigest()
        yield f"{name} | {part_bytes} | {content.hex() or '-'} | {','.join(d.hex() for d in digests)} | {root}"


def named(body):
    for field in body.fields:
        name, value = field.split("=", 1)
        yield f"{name} | {value}"


SEALING_KEY, SEALING_KEY_ID, NONCE = bytes(range(32)), 0x01020304, bytes(range(0xA0, 0xAC))


def seal(plain):
    """The associated data and the sealed form of a token (§11.1), always with the same nonce: for vectors only."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    front = struct.pack(">BI", 1, SEALING_KEY_ID)
    associated = front + b"sluice session token"
    return associated, front + NONCE + AESGCM(SEALING_KEY).encrypt(NONCE, plain, associated)


def token():
    body = Body().u8("format", 2).text8("device", "camera-7").fixed("session", identifier("session"))
    body.u64("size", 10485760).u64("partBytes", 8388608)
    body.i64("modificationSeconds", 1767225600).u32("modificationNanoseconds", 123456789)
    body.u8("condition", 2).fixed("conditionSession", identifier("older"))
    write_metadata(body, "video/mp4", [("line", "3"), ("shift", "late")])
    body.text16("key", "site-a/camera/2026-01-01.mp4").i64("issued", 1767225660000)
    body.text16("upload", "2~kPqL0bYw.upload-id_example")
    associated, sealed = seal(body.data)
    yield f"sealingKeyID | {SEALING_KEY_ID}"
    yield f"sealingKey | {SEALING_KEY.hex()}"
    yield f"nonce | {NONCE.hex()}"
    yield from named(body)
    yield f"plainText | {body.data.hex()}"
    yield f"associatedData | {associated.hex()}"
    yield f"sealed | {sealed.hex()}"


STORE = ("https://s3.eu-central-1.amazonaws.com", "edge-files", "plant/")
STORE_IDENTITY = hashlib.sha256(b"sluice store v1\0" + "\0".join(STORE).encode()).digest()


def statement(device, key, session, size, part_bytes, kind, evidence, etag, version, time):
    """The statement of a receipt (§9.5)."""
    body = Body().fixed("purpose", b"sluice receipt v1\0").fixed("storeIdentity", STORE_IDENTITY)
    body.fixed("siteKey", hashlib.sha256(PUBLIC_KEY).digest()).text8("device", device).text16("key", key)
    body.fixed("session", session).u64("size", size).u64("partBytes", part_bytes)
    body.u8("evidenceKind", kind).bytes16("evidence", evidence).text16("etag", etag).text16("version", version)
    return body.i64("time", time)


def sign(message):
    """Ed25519 is deterministic: a statement has exactly one signature by a key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(PRIVATE_KEY).sign(message)


def example_statement():
    return statement("camera-7", "site-a/camera/2026-01-01.mp4", identifier("session"), 10485760, 8388608, 1,
                     digest("root"), '"0123abcd-2"', "v1", 1767225661000)


def receipt():
    body = example_statement()
    for name, value in zip(("storeEndpoint", "storeBucket", "storePrefix"), STORE):
        yield f"{name} | {json_text(value)}"
    yield f"privateKey | {PRIVATE_KEY.hex()}"
    yield f"publicKey | {PUBLIC_KEY.hex()}"
    yield from named(body)
    yield f"statement | {body.data.hex()}"
    yield f"signature | {sign(body.data).hex()}"


def receipt_file():
    def text(data):
        return base64.b64encode(data).decode()

    said = example_statement().data
    yield "sluice receipt v1"
    yield f"statement: {text(said)}"
    yield f"signature: {text(sign(said))}"
    yield "-----BEGIN PUBLIC KEY-----"
    yield text(PUBLIC_KEY)
    yield "-----END PUBLIC KEY-----"


def records():
    def record(name, key, session, **fields):
        fields = {"device": "camera-7", "key": key, "modified": {"seconds": 1767225600, "nanoseconds": 123456789},
                  "partBytes": 8388608, "session": identifier(session).hex(), "version": 2, **fields}
        written = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        record_name = f"{hashlib.sha256(key.encode()).hexdigest()[:32]}-{identifier(session).hex()}"
        return f"{name} | {record_name} | {json_text(written)}"

    key = "site-a/camera/2026-01-01.mp4"
    yield record("before the upload is created", key, "session", size=10485760, replaces={"what": "nothing"})
    yield record("with an upload", key, "session", size=10485760, replaces={"what": "nothing"}, upload="2~kPqL0bYw")
    yield record("a stream that may replace anything", key, "second", replaces={"what": "anything"}, upload="u")
    yield record("matches, with metadata", "é/" + key, "third", size=10485760, upload="u", contentType="video/mp4",
                 replaces={"what": "session", "session": identifier("older").hex()},
                 metadata={"line": "3", "shift": "late"})


def conversation_lines():
    import conversations

    return conversations.lines()


FILES = {
    "frames.txt": ("name | way | bytes | fields: encode to and decode from each other exactly (§14)", frames),
    "tolerated.txt": ("name | way | bytes | fields: the bytes decode to the fields, never the reverse (§14)", tolerated),
    "malformed.txt": ("name | way | bytes | code: the bytes are refused with the code (§12, §14)", malformed),
    "root.txt": ("name | part size | the file's bytes | part digests | root digest (§1, §14)", roots),
    "token.txt": ("name | value: one session token (§11.1, §14)", token),
    "receipt.txt": ("name | value: one receipt, and the store identity in it (§9.5, §11.3, §14)", receipt),
    "receipt-file.txt": ("the receipt of receipt.txt as a file (§9.5)", receipt_file),
    "record.txt": ("name | record name | content: session records (§11.2)", records),
    "conversations.txt": ("lines of conversations (§14.1)", conversation_lines),
}
SPECIFICATION = FOLDER.parent / "specification.md"
TRACES_BEGIN, TRACES_END = "<!-- traces: written by vectors/generate.py -->", "<!-- end of traces -->"


def with_traces(text):
    """The specification with the traces of §16 from the conversations."""
    import conversations

    front, rest = text.split(TRACES_BEGIN)
    _, back = rest.split(TRACES_END)
    return f"{front}{TRACES_BEGIN}\n\n" + "\n".join(conversations.traces()) + f"{TRACES_END}{back}"


def main():
    stale = []
    for name, (comment, source) in FILES.items():
        text = f"# {comment}\n# Written by generate.py.\n" + "".join(f"{entry}\n" for entry in source())
        path = FOLDER / name
        if "--check" not in sys.argv[1:]:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
    said = SPECIFICATION.read_text(encoding="utf-8")
    if "--check" not in sys.argv[1:]:
        SPECIFICATION.write_text(with_traces(said), encoding="utf-8")
    elif said != with_traces(said):
        stale.append("the traces of §16 in specification.md")
    if stale:
        sys.exit(f"not as generate.py writes them: {', '.join(stale)}")


if __name__ == "__main__":
    main()

"""The conversations of specification §14.1, and the traces of §16. Imported by generate.py."""

import hashlib

import generate as v

PART = 16
DEVICE, PREFIX = "camera-7", "site-a/"
WALL = 1767225600000
SMALL = b"edge bytes"
LARGE = bytes(range(0x41, 0x69))
KEY = "camera/1.bin"
DRAWN = dict(
    version=1, capabilities=1, slotsMax=64, chunkBytesMax=262144, initialCreditBytes=1048576, partBytesMin=PART,
    partBytesMax=1048576, partBytesDefault=PART, partsMax=4, objectBytesMax=1048576, putLimitMilliseconds=75000,
    idleLimitMilliseconds=60000, serverTime=WALL, software="sluice-gateway/1.0", deviceName=DEVICE, prefix=PREFIX,
    storeIdentity=v.STORE_IDENTITY, receiptKey=v.PUBLIC_KEY)


def sha(content):
    return hashlib.sha256(content).digest()


def pieces(content, part_bytes=PART):
    return [content[i:i + part_bytes] for i in range(0, len(content), part_bytes)] or [b""]


def root(content, part_bytes=PART):
    return sha(b"".join(sha(piece) for piece in pieces(content, part_bytes)))


def etag(content):
    return f'"{hashlib.md5(content).hexdigest()}"'


def composite(content):
    parts = pieces(content)
    joined = hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts)).hexdigest()
    return f'"{joined}-{len(parts)}"'


class Terms:
    """The terms and the content of a session in the conversations."""

    def __init__(self, content, session="session", size=None, condition=0, matches=bytes(16), key=KEY, part_bytes=PART,
                 content_type="", pairs=()):
        self.content, self.session, self.condition, self.matches = content, session, condition, matches
        self.size = len(content) if size is None else size
        self.key, self.part_bytes, self.content_type, self.pairs = key, part_bytes, content_type, pairs
        self.upload = f"upload-{session}"

    @property
    def is_one_part(self):
        return self.size <= self.part_bytes

    def open(self):
        return v.session_open(self.size, self.part_bytes, 1767225600, 5, self.condition, self.key, self.matches,
                              self.content_type, self.pairs, self.session)

    def token(self, device=DEVICE):
        body = v.Body().u8("format", 2).text8("device", device).fixed("session", v.identifier(self.session))
        body.u64("size", self.size).u64("partBytes", self.part_bytes)
        body.i64("modificationSeconds", 1767225600).u32("modificationNanoseconds", 5)
        body.u8("condition", self.condition).fixed("conditionSession", self.matches)
        v.write_metadata(body, self.content_type, self.pairs)
        body.text16("key", PREFIX + self.key).i64("issued", WALL)
        body.text16("upload", "" if self.is_one_part else self.upload)
        return v.seal(body.data)[1]

    def opened(self):
        return v.session_opened(self.token(), self.part_bytes, self.session)

    def piece(self, part):
        return pieces(self.content, self.part_bytes)[part - 1]

    def entries(self, *parts):
        return [(part, len(self.piece(part)), sha(self.piece(part)), etag(self.piece(part))) for part in parts]

    @property
    def part_count(self):
        return len(pieces(self.content, self.part_bytes))

    def complete(self):
        return v.complete(self.part_count, len(self.content), root(self.content, self.part_bytes))

    def completed(self, with_receipt=False):
        whole = self.is_one_part
        kind, evidence = (2, sha(self.content)) if whole else (1, root(self.content, self.part_bytes))
        tag = etag(self.content) if whole else composite(self.content)
        receipt = None
        if with_receipt:
            said = v.statement(DEVICE, PREFIX + self.key, v.identifier(self.session), len(self.content),
                               self.part_bytes, kind, evidence, tag, "", WALL)
            receipt = (WALL, v.sign(said.data))
        return v.completed(kind, evidence, len(self.content), self.part_bytes, tag, "", self.key, receipt)


class Conversation:
    def __init__(self, name, sentence, side="both"):
        self.name = name
        self.lines = [f"conversation | {name} | {side} | {sentence}"]
        self.frames = []

    def add(self, *fields):
        self.lines.append(" | ".join(str(field) for field in fields))
        return self

    def frame(self, way, kind, body, slot=0, flags=0, on=1):
        self.frames.append((way, kind, body, slot, flags))
        fields = "; ".join([f"slot={slot}", f"flags={flags}"] + body.fields)
        return self.add(way, on, kind, v.frame(kind, body, slot, flags).hex(), fields)

    def a(self, kind, body=None, slot=1, flags=0, on=1):
        return self.frame(v.UP, kind, body or v.Body(), slot, flags, on)

    def g(self, kind, body=None, slot=1, flags=0, on=1):
        return self.frame(v.DOWN, kind, body or v.Body(), slot, flags, on)

    def error(self, scope, code, message, part=0, retry=0, slot=1, on=1):
        return self.g("ERROR", v.error(scope, code, part, retry, message), slot, on=on)

    def store(self, what, **fields):
        words = []
        for name, value in fields.items():
            if isinstance(value, (bytes, bytearray)):
                value = value.hex() or "-"
            elif isinstance(value, str):
                value = v.json_text(value)
            words.append(f"{name}={value}")
        return self.add("store", what, "; ".join(words) or "-")

    def connect(self, on=1, run="run", low=1, high=1, **changes):
        self.add("connect", on)
        self.a("HELLO", v.hello(low, high, pins=[v.digest("site")], run=run), 0, on=on)
        return self.g("WELCOME", v.welcome(**{**DRAWN, **changes}), 0, on=on)

    def close(self, side, on=1):
        return self.add("close", on, side)

    def pause(self, milliseconds):
        return self.add("pause", milliseconds)

    # Building blocks of the conversations.

    def offer(self, terms, part, slot=1, on=1, is_last=None):
        is_last = part == terms.part_count if is_last is None else is_last
        body = v.Body().u32("part", part).u64("size", len(terms.piece(part)))
        return self.a("PART OFFER", body.fixed("digest", sha(terms.piece(part))), slot, int(is_last), on)

    def data(self, terms, part, start=0, end=None, slot=1, on=1):
        payload = terms.piece(part)[start:end]
        return self.a("PART DATA", v.part_data(payload, part, start), slot, on=on)

    def send(self, terms, part, offset=0, slot=1, on=1, limit=None):
        limit = len(terms.piece(part)) if limit is None else limit
        return self.g("PART DECISION", v.part_decision(0, part, offset, limit), slot, on=on)

    def received(self, terms, part, slot=1, on=1, count=None):
        """`count`: number of received bytes; by default the whole part. The limit is always the whole part."""
        size = len(terms.piece(part))
        return self.g("RECEIVED", v.received(part, size if count is None else count, size), slot, on=on)

    def stored(self, terms, part, slot=1, on=1):
        return self.g("STORED", v.stored(part, etag(terms.piece(part))), slot, on=on)

    def list_all(self, terms, slot=1, on=1, first=True):
        """`first`: this is the first COMPLETE of the session, and this run opened the session (§9.1)."""
        self.a("PART LIST", v.part_list(*terms.entries(*range(1, terms.part_count + 1))), slot, 1, on)
        return self.a("COMPLETE", terms.complete(), slot, int(first), on)

    def transfer(self, terms, *parts, slot=1, on=1):
        for part in parts:
            self.offer(terms, part, slot, on)
        for part in parts:
            self.send(terms, part, slot=slot, on=on)
        return self.move(terms, *parts, slot=slot, on=on)

    def transfer_small(self, terms, on=1):
        """Sends a one-part file; the data waits for the decision."""
        self.offer(terms, 1, on=on).send(terms, 1, on=on).data(terms, 1, on=on)
        return self.a("COMPLETE", terms.complete(), on=on).received(terms, 1, on=on)

    def move(self, terms, *parts, slot=1, on=1, start=0):
        for part in parts:
            self.data(terms, part, start, slot=slot, on=on)
        for part in parts:
            self.received(terms, part, slot, on)
        for part in parts:
            self.stored(terms, part, slot, on)
        return self

    def flight(self, terms, slot=1, flags=1, on=1, with_receipt=False):
        self.a("SESSION OPEN", terms.open(), slot, flags, on)
        self.offer(terms, 1, slot, on)
        if terms.content:
            self.data(terms, 1, slot=slot, on=on)
        self.a("COMPLETE", terms.complete(), slot, on=on)
        self.g("SESSION OPENED", terms.opened(), slot, on=on)
        self.send(terms, 1, len(terms.content), slot, on)
        return self.g("COMPLETED", terms.completed(with_receipt), slot, int(with_receipt), on)

    def begin(self, terms, flags=1, slot=1, on=1):
        self.a("SESSION OPEN", terms.open(), slot, flags, on)
        return self.g("SESSION OPENED", terms.opened(), slot, on=on)


def small_files():
    yield Conversation("one flight", "A small file costs one round trip after WELCOME.").connect().flight(Terms(SMALL))
    yield Conversation("empty file", "An empty file is one empty part without data.").connect().flight(Terms(b""))
    two = Conversation("a slot used again", "A slot is free as soon as the frame that closed it has been read.")
    yield two.connect().flight(Terms(SMALL)).flight(Terms(b"more bytes", "second", key="camera/2.bin"))
    talk = Conversation("compressed", "A chunk is one LZ4 block; sizes and offsets count plain bytes.").connect()
    terms = Terms(b"a" * 64, part_bytes=64)
    talk.a("SESSION OPEN", terms.open(), flags=1).offer(terms, 1)
    talk.a("PART DATA", v.part_data(v.LZ4_BLOCK, plain_bytes=64), flags=1).a("COMPLETE", terms.complete())
    talk.g("SESSION OPENED", terms.opened()).send(terms, 1, 64)
    yield talk.g("COMPLETED", terms.completed())
    talk = Conversation("metadata and a receipt", "The statement of the receipt is built by both sides.").connect()
    terms = Terms(SMALL, content_type="text/plain", pairs=[("line", "3"), ("shift", "late")])
    yield talk.flight(terms, flags=3, with_receipt=True)
    talk = Conversation("a lost answer", "COMPLETED did not arrive; the same id asks again and hears it.")
    terms = Terms(SMALL)
    talk.connect().a("SESSION OPEN", terms.open(), flags=1).offer(terms, 1).data(terms, 1)
    talk.a("COMPLETE", terms.complete()).pause(200).g("SESSION OPENED", terms.opened()).send(terms, 1, len(SMALL))
    talk.g("COMPLETED", terms.completed()).close("A").connect(2)
    yield talk.a("SESSION OPEN", terms.open(), flags=1, on=2).g("COMPLETED", terms.completed(), on=2)


def several_parts():
    terms = Terms(LARGE)
    talk = Conversation("several parts", "Three parts are offered, sent, stored, listed and completed.").connect()
    talk.begin(terms).transfer(terms, 1, 2, 3)
    yield talk.list_all(terms).g("COMPLETED", terms.completed())

    talk = Conversation("several parts and a receipt", "G received and checked every part, so it may sign.").connect()
    talk.begin(terms, flags=3).transfer(terms, 1, 2, 3)
    yield talk.list_all(terms).g("COMPLETED", terms.completed(True), flags=1)

    talk = Conversation("data in two chunks", "G tells with RECEIVED when the part is whole.").connect()
    talk.begin(terms).offer(terms, 1).send(terms, 1).data(terms, 1, 0, 6).pause(20).data(terms, 1, 6)
    yield talk.received(terms, 1).stored(terms, 1)

    talk = Conversation("joined", "Two connections carry one session; each part's answers go to its own slot.")
    talk.connect().begin(terms).connect(2).a("RESUME QUERY", v.resume_query(0, terms.token()), on=2)
    talk.g("RESUME STATE", v.resume_state(0, token=terms.token(), part_bytes=PART), on=2)
    talk.transfer(terms, 1, 3).transfer(terms, 2, on=2).list_all(terms)
    yield talk.g("COMPLETED", terms.completed()).g("COMPLETED", terms.completed(), on=2)

    talk = Conversation("parts wanted", "The store holds a part in another form; it is sent again.").connect()
    talk.begin(terms).transfer(terms, 1, 2, 3)
    talk.store("part", upload=terms.upload, part=2, content=b"another content.", etag=etag(b"another content."))
    talk.list_all(terms).g("PARTS WANTED", v.parts_wanted(2)).transfer(terms, 2)
    yield talk.list_all(terms, first=False).g("COMPLETED", terms.completed())

    talk = Conversation("parts wanted in two slots",
                        "Each slot that is completing is told; COMPLETED goes to both.", "gateway")
    talk.connect().begin(terms).connect(2).a("RESUME QUERY", v.resume_query(0, terms.token()), on=2)
    talk.g("RESUME STATE", v.resume_state(0, token=terms.token(), part_bytes=PART), on=2).transfer(terms, 1, 2, 3)
    talk.store("part", upload=terms.upload, part=2, content=b"another content.", etag=etag(b"another content."))
    talk.list_all(terms).list_all(terms, on=2, first=False)
    talk.g("PARTS WANTED", v.parts_wanted(2)).g("PARTS WANTED", v.parts_wanted(2), on=2).transfer(terms, 2, on=2)
    talk.list_all(terms, first=False)
    yield talk.g("COMPLETED", terms.completed()).g("COMPLETED", terms.completed(), on=2)

    talk = Conversation("lost in one slot of two", "The query joined; the session goes on in the other slot.", "agent")
    talk.connect().begin(terms).connect(2).a("RESUME QUERY", v.resume_query(0, terms.token()), on=2)
    talk.g("RESUME STATE", v.resume_state(2, part_bytes=PART), on=2).transfer(terms, 1, 2, 3)
    yield talk.list_all(terms).g("COMPLETED", terms.completed())

    talk = Conversation("a part that does not agree", "The bytes are not those of the offered digest.").connect()
    talk.begin(terms)
    wrong = v.Body().u32("part", 1).u64("size", PART).fixed("digest", v.digest("another"))
    talk.a("PART OFFER", wrong).send(terms, 1).data(terms, 1).received(terms, 1)
    talk.error(1, 0x0050, "part 1 has another SHA-256 than it was offered with", 1)
    yield talk.transfer(terms, 1)


def credit():
    small, large = Terms(SMALL), Terms(LARGE)
    talk = Conversation("little initial credit",
                        "4 of 10 bytes go ahead; then the decision's limit holds, then RECEIVED's.", "agent")
    talk.connect(initialCreditBytes=4).a("SESSION OPEN", small.open(), flags=1).offer(small, 1).data(small, 1, 0, 4)
    talk.g("SESSION OPENED", small.opened()).send(small, 1, 4, limit=7).data(small, 1, 4, 7)
    talk.received(small, 1, count=7).data(small, 1, 7).a("COMPLETE", small.complete()).received(small, 1)
    yield talk.g("COMPLETED", small.completed())

    talk = Conversation("no initial credit", "All data waits; the first limit is 0, too.", "agent")
    talk.connect(initialCreditBytes=0).a("SESSION OPEN", small.open(), flags=1).offer(small, 1)
    talk.g("SESSION OPENED", small.opened()).send(small, 1, limit=0).pause(100).received(small, 1, count=0)
    talk.data(small, 1).a("COMPLETE", small.complete()).received(small, 1)
    yield talk.g("COMPLETED", small.completed())

    talk = Conversation("each part has its limit", "Part 2 goes on while part 1 waits for RECEIVED.", "agent")
    talk.connect(initialCreditBytes=0).begin(large).offer(large, 1).offer(large, 2)
    talk.send(large, 1, limit=6).send(large, 2)
    talk.data(large, 1, 0, 6).data(large, 2).received(large, 2).stored(large, 2).received(large, 1, count=6)
    yield talk.data(large, 1, 6).received(large, 1).stored(large, 1)


def resumed():
    terms = Terms(LARGE)

    def cut(name, sentence, side="both"):
        talk = Conversation(name, sentence, side).connect().begin(terms).transfer(terms, 1)
        return talk.offer(terms, 2).send(terms, 2).data(terms, 2, 0, 6).pause(50).close("A")

    def query(talk, flags=0):
        talk.a("RESUME QUERY", v.resume_query(1, terms.token()), flags=flags, on=2)
        return talk.a("PART LIST", v.part_list(*terms.entries(1)), flags=1, on=2)

    def state(talk, **changes):
        return talk.g("RESUME STATE", v.resume_state(0, token=terms.token(), part_bytes=PART, **changes), on=2)

    talk = query(cut("resume at the same gateway", "Offers follow the query; the decision names the byte.").connect(2))
    state(talk.offer(terms, 2, on=2).offer(terms, 3, on=2)).send(terms, 2, 6, on=2).send(terms, 3, on=2)
    talk.data(terms, 2, 6, on=2).data(terms, 3, on=2).received(terms, 2, on=2).received(terms, 3, on=2)
    talk.stored(terms, 2, on=2).stored(terms, 3, on=2)
    yield talk.list_all(terms, on=2).g("COMPLETED", terms.completed(), on=2)

    talk = cut("resume at another gateway", "A gateway that knows nothing opens the token; the part is sent anew.")
    talk = query(talk.add("restart").connect(2)).offer(terms, 2, on=2).offer(terms, 3, on=2)
    state(talk).send(terms, 2, on=2).send(terms, 3, on=2).move(terms, 2, 3, on=2)
    yield talk.list_all(terms, on=2).g("COMPLETED", terms.completed(), on=2)

    talk = cut("resume", "A new run asks for partials, each of which is a decision, and sends on at the byte.")
    talk = query(talk.connect(2, "second run"), 1).offer(terms, 3, on=2)
    state(talk, partials=[(2, sha(terms.piece(2)), 6, PART)]).send(terms, 3, on=2)
    talk.data(terms, 2, 6, on=2).data(terms, 3, on=2).received(terms, 2, on=2).received(terms, 3, on=2)
    talk.stored(terms, 2, on=2).stored(terms, 3, on=2)
    yield talk.list_all(terms, on=2, first=False).g("COMPLETED", terms.completed(), on=2)

    talk = Conversation("a candidate", "STORED did not arrive; the list behind RESUME STATE names the part.").connect()
    talk.begin(terms).offer(terms, 1).send(terms, 1).data(terms, 1).received(terms, 1).stored(terms, 1).close("A")
    talk.add("restart").connect(2).a("RESUME QUERY", v.resume_query(0, terms.token()), on=2)
    state(talk, candidates=1).g("PART LIST", v.part_list(*terms.entries(1)), flags=1, on=2)
    talk.transfer(terms, 2, 3, on=2)
    yield talk.list_all(terms, on=2).g("COMPLETED", terms.completed(), on=2)

    talk = cut("leave",
               "SESSION LEAVE keeps what is stored and lets go of what was being received.", "gateway").connect(2)
    state(query(talk)).offer(terms, 2, on=2).send(terms, 2, 6, on=2)
    talk.a("SESSION LEAVE", on=2).g("SESSION LEFT", on=2)
    state(query(talk).offer(terms, 2, on=2)).send(terms, 2, on=2)
    yield talk.move(terms, 2, on=2)

    talk = cut("lost", "The upload is gone and no object of the session is there.").add("restart")
    talk.store("gone", upload=terms.upload)
    talk = query(talk.connect(2)).pause(10000)
    yield talk.g("RESUME STATE", v.resume_state(2, part_bytes=PART), on=2)

    talk = Conversation("a part wanted while resuming", "The store holds a listed part in another form.").connect()
    talk.begin(terms).transfer(terms, 1, 2).close("A").add("restart")
    talk.store("part", upload=terms.upload, part=2, content=b"another content.", etag=etag(b"another content."))
    talk.connect(2).a("RESUME QUERY", v.resume_query(2, terms.token()), on=2)
    state(talk.a("PART LIST", v.part_list(*terms.entries(1, 2)), flags=1, on=2), wanted=(2,))
    yield talk.transfer(terms, 2, 3, on=2).list_all(terms, on=2).g("COMPLETED", terms.completed(), on=2)

    def completing(name, sentence):
        """The connection is cut behind COMPLETE, and the completion is still under way when A resumes."""
        talk = Conversation(name, sentence, "agent").connect().begin(terms).transfer(terms, 1, 2, 3).list_all(terms)
        talk.close("A").connect(2).a("RESUME QUERY", v.resume_query(3, terms.token()), on=2)
        talk.a("PART LIST", v.part_list(*terms.entries(1, 2, 3)), flags=1, on=2)
        return talk.g("RESUME STATE", v.resume_state(1, part_bytes=PART), on=2).pause(300)

    talk = completing("completing", "A waits in the slot; COMPLETED comes without another COMPLETE.")
    yield talk.g("COMPLETED", terms.completed(), on=2)

    talk = completing("completing, and a part is wanted", "PARTS WANTED opens the slot.")
    talk.g("PARTS WANTED", v.parts_wanted(2), on=2).transfer(terms, 2, on=2)
    yield talk.list_all(terms, on=2, first=False).g("COMPLETED", terms.completed(), on=2)

    talk = Conversation("a foreign token", "The device was renamed; A begins anew.").connect()
    talk.a("RESUME QUERY", v.resume_query(0, terms.token("camera-6")), flags=1)
    talk.g("SESSION REFUSED", v.session_refused(0x0037, 0, "the token is of another device"))
    yield talk.begin(Terms(LARGE, "second"))


def adopted():
    first, second = Terms(LARGE, "session"), Terms(LARGE, "second")

    def left(name, sentence, side="both"):
        talk = Conversation(name, sentence, side).connect().begin(first).transfer(first, 1).close("A").add("restart")
        return talk.connect(2, "second run")

    talk = left("adoption", "A's journal is lost; SESSION OPENED names the unfinished session and its parts.")
    talk.a("SESSION OPEN", second.open(), flags=1, on=2)
    talk.g("SESSION OPENED", v.session_adopted(first.token(), 1, (), PART, "session"), flags=1, on=2)
    talk.g("PART LIST", v.part_list(*first.entries(1)), flags=1, on=2).transfer(first, 2, 3, on=2)
    yield talk.list_all(first, on=2, first=False).g("COMPLETED", first.completed(), on=2)

    talk = left("adoption with offers sent ahead",
                "Offers made while opening are decided in the adopted session.", "gateway")
    talk.a("SESSION OPEN", second.open(), flags=1, on=2)
    for part in (1, 2, 3):
        talk.offer(second, part, on=2)
    talk.g("SESSION OPENED", v.session_adopted(first.token(), 1, (), PART, "session"), flags=1, on=2)
    talk.g("PART LIST", v.part_list(*first.entries(1)), flags=1, on=2)
    talk.g("PART DECISION", v.part_decision(1, 1, etag=etag(first.piece(1))), on=2)
    talk.send(first, 2, on=2).send(first, 3, on=2).move(first, 2, 3, on=2)
    yield talk.list_all(first, on=2, first=False).g("COMPLETED", first.completed(), on=2)

    talk = left("an adoption that is not wanted", "A leaves the slot, aborts by the token, and opens again.", "gateway")
    talk.a("SESSION OPEN", second.open(), flags=1, on=2)
    talk.g("SESSION OPENED", v.session_adopted(first.token(), 1, (), PART, "session"), flags=1, on=2)
    talk.g("PART LIST", v.part_list(*first.entries(1)), flags=1, on=2)
    talk.a("SESSION LEAVE", on=2).g("SESSION LEFT", on=2)
    talk.a("ABORT", v.abort(first.token()), on=2).g("ABORTED", on=2)
    third = Terms(LARGE, "third")
    yield talk.a("SESSION OPEN", third.open(), flags=1, on=2).g("SESSION OPENED", third.opened(), on=2)


def existing():
    older = v.identifier("older")

    def held(name, sentence, content, checksum="sha256"):
        talk = Conversation(name, sentence)
        return talk.store("object", key=PREFIX + KEY, content=content, session=older, partBytes=PART,
                          etag=etag(content), checksum=checksum)

    def exists(talk, content, session=older):
        return talk.g("SESSION EXISTS", v.session_exists(2, sha(content), len(content), 0, etag(content), "", session))

    talk = held("exists, the same content", "A reads the file, computes the evidence, and is done.", SMALL).connect()
    yield exists(talk.a("SESSION OPEN", Terms(SMALL).open(), flags=1), SMALL).pause(50)

    other = b"other byte"
    talk = held("exists, replaced", "Other content is replaced by a new session, and only that object.", other)
    exists(talk.connect().a("SESSION OPEN", Terms(SMALL, condition=1).open(), flags=1), other)
    yield talk.flight(Terms(SMALL, "second", condition=2, matches=older), flags=0)

    terms = Terms(LARGE)
    talk = Conversation("exists at the end", "Another writer was faster; no object is replaced unasked.").connect()
    talk.begin(terms).transfer(terms, 1, 2, 3)
    talk.store("object", key=PREFIX + KEY, content=other, session=older, partBytes=PART, etag=etag(other),
               checksum="sha256")
    yield exists(talk.list_all(terms), other)

    large, newer = b"another file of the very same 40 bytes.\n", v.identifier("newer")
    talk = held("exists at the end, not the one to replace",
                "A session may replace one object; meanwhile another took its place.", large)
    exists(talk.connect().a("SESSION OPEN", Terms(LARGE, condition=1).open(), flags=1), large)
    terms = Terms(LARGE, "second", condition=2, matches=older)
    talk.begin(terms, 0).transfer(terms, 1, 2, 3)
    talk.store("object", key=PREFIX + KEY, content=other, session=newer, partBytes=PART, etag=etag(other),
               checksum="sha256")
    yield exists(talk.list_all(terms), other, newer)

    talk = held("prove", "The store keeps a digest that it has checked.", SMALL).connect()
    said = v.statement(DEVICE, PREFIX + KEY, older, len(SMALL), 0, 2, sha(SMALL), etag(SMALL), "", WALL)
    talk.a("PROVE", v.prove(len(SMALL), PART, root(SMALL), KEY))
    talk.g("PROVEN", v.proven(0, 2, sha(SMALL), len(SMALL), 0, etag(SMALL), "", older, (WALL, v.sign(said.data))),
           flags=1)
    talk.a("PROVE", v.prove(len(other), PART, root(other), KEY))
    talk.g("PROVEN", v.proven(2, 2, sha(SMALL), len(SMALL), 0, etag(SMALL), "", older))
    talk.a("PROVE", v.prove(len(SMALL), PART, root(SMALL), "camera/none.bin")).g("PROVEN", v.proven(1))
    talk.a("PROVE", v.prove(len(SMALL), PART, root(SMALL), "../none.bin"))
    yield talk.g("SESSION REFUSED", v.session_refused(0x0030, 0, "the key has a segment that is . or .."))

    whole = Terms(LARGE)
    talk = Conversation("prove several parts", "The store keeps a composite digest, and the part size is the object's.",
                        "gateway").connect().begin(whole).transfer(whole, 1, 2, 3)
    talk.list_all(whole).g("COMPLETED", whole.completed())
    known = v.identifier(whole.session)
    said = v.statement(DEVICE, PREFIX + KEY, known, len(LARGE), PART, 1, root(LARGE), composite(LARGE), "", WALL)
    talk.a("PROVE", v.prove(len(LARGE), PART, root(LARGE), KEY))
    talk.g("PROVEN", v.proven(0, 1, root(LARGE), len(LARGE), PART, composite(LARGE), "", known,
                              (WALL, v.sign(said.data))), flags=1)
    talk.a("PROVE", v.prove(len(LARGE), PART, root(bytes(40)), KEY))
    yield talk.g("PROVEN", v.proven(2, 1, root(LARGE), len(LARGE), PART, composite(LARGE), "", known))

    talk = held("prove by reading back", "Nothing tells the content until G may read the object.", SMALL, "none")
    talk.connect().a("PROVE", v.prove(len(SMALL), PART, root(SMALL), KEY))
    talk.g("PROVEN", v.proven(3, 0, b"", len(SMALL), 0, etag(SMALL), "", older))
    said = v.statement(DEVICE, PREFIX + KEY, older, len(SMALL), PART, 1, root(SMALL), etag(SMALL), "", WALL)
    talk.a("PROVE", v.prove(len(SMALL), PART, root(SMALL), KEY), flags=1)
    yield talk.g("PROVEN", v.proven(0, 1, root(SMALL), len(SMALL), PART, etag(SMALL), "", older,
                                    (WALL, v.sign(said.data))), flags=1)


def streams():
    terms = Terms(LARGE[:24], size=v.U64_MAX)
    talk = Conversation("stream", "The size is not known when the session opens; a flag marks the last part.")
    talk.connect().begin(terms, 0).transfer(terms, 1, 2)
    yield talk.list_all(terms).g("COMPLETED", terms.completed())

    terms = Terms(b"", size=v.U64_MAX)
    talk = Conversation("empty stream", "A stream of 0 bytes is one empty part, stored and listed as any other.")
    talk.connect().begin(terms, 0).offer(terms, 1).send(terms, 1).received(terms, 1).stored(terms, 1)
    yield talk.list_all(terms).g("COMPLETED", terms.completed())

    terms = Terms(bytes(80), size=v.U64_MAX)
    talk = Conversation("stream too long",
                        "Part 5 of at most 4 is refused at its offer; A aborts.", "gateway").connect()
    talk.begin(terms, 0).offer(terms, 5, is_last=False)
    talk.g("PART DECISION", v.part_decision(3, 5, code=0x0033))
    talk.a("SESSION LEAVE").g("SESSION LEFT")
    yield talk.a("ABORT", v.abort(terms.token())).g("ABORTED")

    terms = Terms(LARGE[:24], size=v.U64_MAX)
    talk = Conversation("stream with two last parts",
                        "The second last-part flag breaks the protocol.", "gateway").connect()
    talk.begin(terms, 0).offer(terms, 1, is_last=True).send(terms, 1).offer(terms, 2, is_last=True)
    talk.error(3, 0x0051, "part 2 is offered behind the last part, 1", slot=0)
    yield talk.close("G")

    talk = Conversation("stream without a last part", "COMPLETE does not agree with the flags.", "gateway").connect()
    talk.begin(terms, 0)
    for part in (1, 2):
        talk.offer(Terms(LARGE[:32], size=v.U64_MAX), part, is_last=False)
    full = Terms(LARGE[:32], size=v.U64_MAX)
    talk.send(full, 1).send(full, 2).move(full, 1, 2)
    yield talk.list_all(full).error(2, 0x003C, "part 2 was offered without the last-part flag")


def troubles():
    terms = Terms(LARGE)
    talk = Conversation("abort", "ABORT is sent in a closed slot, with the token.").connect().begin(terms)
    talk.transfer(terms, 1).a("SESSION LEAVE").g("SESSION LEFT")
    yield talk.a("ABORT", v.abort(terms.token())).g("ABORTED")

    small = Terms(SMALL)
    talk = Conversation("later", "An offer is deferred; COMPLETE, sent ahead, is void; A offers again.", "agent")
    talk.connect().a("SESSION OPEN", small.open(), flags=1).offer(small, 1).data(small, 1)
    talk.a("COMPLETE", small.complete()).g("SESSION OPENED", small.opened())
    talk.g("PART DECISION", v.part_decision(2, 1, code=0x0035, retry=200)).pause(200).offer(small, 1)
    talk.send(small, 1).data(small, 1).a("COMPLETE", small.complete()).received(small, 1)
    yield talk.g("COMPLETED", small.completed())

    talk = Conversation("later, of one part of several", "A waits as long as G says; other parts go on.", "agent")
    talk.connect().begin(terms).offer(terms, 1).offer(terms, 2).send(terms, 1)
    talk.g("PART DECISION", v.part_decision(2, 2, code=0x0035, retry=500)).move(terms, 1).pause(450)
    yield talk.transfer(terms, 2)

    talk = Conversation("a part that is let go",
                        "It is offered again, and sent from its first byte.", "agent")
    talk.connect(initialCreditBytes=0).begin(terms).offer(terms, 1).send(terms, 1, limit=6).data(terms, 1, 0, 6)
    yield talk.error(1, 0x0052, "part 1 was let go; other parts need its memory", 1, 200).transfer(terms, 1)

    talk = Conversation("a store that is down",
                        "A waits as long as G says, and sends no data before a decision.", "agent").connect()
    talk.a("SESSION OPEN", small.open(), flags=1).offer(small, 1).data(small, 1).a("COMPLETE", small.complete())
    talk.g("SESSION REFUSED", v.session_refused(0x003D, 5000, "the store does not answer")).pause(4900)
    yield talk.begin(small).transfer_small(small).g("COMPLETED", small.completed())

    talk = Conversation("no", "The store denies the gateway; A reports.", "agent").connect().begin(terms)
    talk.offer(terms, 1)
    yield talk.g("PART DECISION", v.part_decision(3, 1, code=0x003E))

    talk = Conversation("a full store", "The part fails, A waits and offers it again.").connect().begin(terms)
    talk.store("full").offer(terms, 1).send(terms, 1).data(terms, 1).received(terms, 1)
    talk.error(1, 0x003F, "the store is full", 1, 5000).store("well").pause(5000)
    yield talk.transfer(terms, 1)

    talk = Conversation("a grant beyond the part", "A takes a limit beyond the part's size for the size.", "agent")
    talk.connect().begin(terms).offer(terms, 3).g("PART DECISION", v.part_decision(0, 3, 0, v.U64_MAX))
    yield talk.data(terms, 3).received(terms, 3).stored(terms, 3)

    talk = Conversation("COMPLETE before its data",
                        "A one-part file's COMPLETE is judged when it arrives.", "gateway").connect()
    talk.a("SESSION OPEN", small.open()).g("SESSION OPENED", small.opened()).offer(small, 1).send(small, 1)
    yield talk.a("COMPLETE", small.complete()).error(2, 0x003C, "0 of 10 bytes of part 1 have arrived")

    talk = Conversation("COMPLETE before its offer", "It stands on no part.", "gateway").connect()
    talk.a("SESSION OPEN", small.open()).g("SESSION OPENED", small.opened()).a("COMPLETE", small.complete())
    yield talk.error(2, 0x003C, "part 1 was not offered in this slot")

    talk = Conversation("COMPLETE with another root",
                        "The digests do not give the root.", "gateway").connect().begin(small)
    talk.offer(small, 1).send(small, 1).data(small, 1).received(small, 1)
    talk.a("COMPLETE", v.complete(1, len(SMALL), v.digest("another")))
    yield talk.error(2, 0x003B, "the digest of part 1 gives another root digest")

    talk = Conversation("COMPLETE with a gap", "The list is no whole file.", "gateway").connect().begin(terms)
    talk.transfer(terms, 1, 2, 3).a("PART LIST", v.part_list(*terms.entries(1, 3)), flags=1)
    yield talk.a("COMPLETE", terms.complete(), flags=1).error(2, 0x003C, "part 2 is not listed")

    talk = Conversation("refusals", "Each refusal says what was wrong.", "gateway").connect()
    for slot, (refused, code, message) in enumerate((
            (Terms(SMALL, key="a//b"), 0x0030, "the key has two slashes in a row"),
            (Terms(SMALL, key="a/../b"), 0x0030, "the key has a segment that is . or .."),
            (Terms(SMALL, part_bytes=1), 0x0034, "the part size 1 is below 16"),
            (Terms(SMALL, size=81), 0x0033, "81 bytes are more than 4 parts of 16 bytes"),
            (Terms(SMALL, pairs=[("sluice-session", "x")]), 0x0043, "metadata names do not begin with sluice-")), 1):
        talk.a("SESSION OPEN", refused.open(), slot)
        talk.g("SESSION REFUSED", v.session_refused(code, 0, message), slot)
    yield talk

    talk = Conversation("an unexpected frame",
                        "SESSION OPEN in a slot that is in use.", "gateway").connect().begin(terms)
    talk.a("SESSION OPEN", Terms(LARGE, "second").open())
    yield talk.error(3, 0x000C, "SESSION OPEN in slot 1, which is open", slot=0).close("G")

    talk = Conversation("a slot that does not exist", "WELCOME allows 64 slots.", "gateway").connect()
    talk.a("SESSION OPEN", small.open(), 65)
    yield talk.error(3, 0x0009, "slot 65 is above 64", slot=0).close("G")

    talk = Conversation("a part of the wrong size",
                        "The offer does not fit the session.", "gateway").connect().begin(terms)
    talk.a("PART OFFER", v.part_offer(1, 15))
    yield talk.error(3, 0x0051, "part 1 has 16 bytes, and was offered with 15", slot=0).close("G")

    talk = Conversation("data beyond its part", "No limit reaches so far.", "gateway").connect().begin(terms)
    talk.offer(terms, 1).send(terms, 1).a("PART DATA", v.part_data(LARGE[:17]))
    yield talk.error(3, 0x000E, "data of part 1 ends at 17, beyond its 16 bytes", slot=0).close("G")

    talk = Conversation("data with a gap", "The first byte of a part is missing.", "gateway").connect().begin(terms)
    talk.offer(terms, 1).send(terms, 1).data(terms, 1, 1)
    yield talk.error(3, 0x000F, "data of part 1 begins at 1, behind the 0 bytes that have come", slot=0).close("G")

    talk = Conversation("LZ4 without the capability", "A block that was not agreed is refused.", "gateway")
    talk.add("connect", 1).a("HELLO", v.hello(capabilities=0), 0)
    talk.g("WELCOME", v.welcome(**{**DRAWN, "capabilities": 0}), 0)
    packed = Terms(b"a" * 64, part_bytes=64)
    talk.begin(packed).offer(packed, 1).send(packed, 1)
    talk.a("PART DATA", v.part_data(v.LZ4_BLOCK, plain_bytes=64), flags=1)
    yield talk.error(3, 0x0010, "LZ4 was not agreed", slot=0).close("G")

    talk = Conversation("a list that disagrees",
                        "RESUME QUERY announced two entries, the last page has one.", "gateway")
    talk.connect().begin(terms).transfer(terms, 1).close("A").connect(2)
    talk.a("RESUME QUERY", v.resume_query(2, terms.token()), on=2)
    talk.a("PART LIST", v.part_list(*terms.entries(1)), flags=1, on=2)
    yield talk.error(3, 0x0008, "1 entry of PART LIST is missing on its last page", slot=0, on=2).close("G", 2)


def connections():
    terms = Terms(LARGE)
    talk = Conversation("report", "REPORT has no answer; PING has one.").connect()
    talk.a("REPORT", v.report(1, 3, 40, 12, 0, 1 << 30, ""), 0, v.OPTIONAL)
    yield talk.a("PING", v.ping(1), 0).g("PONG", v.ping(1), 0)

    talk = Conversation("silence", "G asks after a third of its idle limit.").connect()
    yield talk.pause(20000).g("PING", v.ping(7), 0).a("PONG", v.ping(7), 0)

    talk = Conversation("go away", "A part under way is finished; what is new goes to another connection.").connect()
    small = Terms(SMALL)
    talk.begin(small).offer(small, 1).send(small, 1).add("drain", 60000)
    talk.g("GO AWAY", v.go_away(60000, "the gateway is being stopped"), 0).data(small, 1)
    talk.a("COMPLETE", small.complete()).received(small, 1).g("COMPLETED", small.completed())
    yield talk.close("A")

    talk = Conversation("go away while opening",
                        "G had read what A sent ahead, and finishes it.", "agent").connect()
    talk.a("SESSION OPEN", small.open(), flags=1).offer(small, 1).data(small, 1).a("COMPLETE", small.complete())
    talk.g("GO AWAY", v.go_away(60000, "the gateway is being stopped"), 0)
    talk.g("SESSION OPENED", small.opened()).send(small, 1, len(SMALL)).g("COMPLETED", small.completed())
    yield talk.close("A")

    talk = Conversation("go away before opening",
                        "GO AWAY crossed SESSION OPEN; A opens on another connection.", "agent").connect()
    talk.a("SESSION OPEN", small.open(), flags=1).offer(small, 1).data(small, 1).a("COMPLETE", small.complete())
    talk.g("GO AWAY", v.go_away(60000, "the gateway is being stopped"), 0)
    talk.g("SESSION REFUSED", v.session_refused(0x0025, 0, "the gateway is being stopped")).close("A")
    yield talk.connect(2).begin(small, on=2).transfer_small(small, on=2).g("COMPLETED", small.completed(), on=2)

    talk = Conversation("draining", "SESSION OPEN that crosses GO AWAY is refused.", "gateway").connect()
    talk.add("drain", 60000).g("GO AWAY", v.go_away(60000, "the gateway is being stopped"), 0)
    talk.a("SESSION OPEN", Terms(SMALL).open())
    yield talk.g("SESSION REFUSED", v.session_refused(0x0025, 0, "the gateway is being stopped")).close("A")

    talk = Conversation("fenced", "A newer run of the device takes over.").connect().connect(2, "second run")
    yield talk.error(3, 0x0022, "a newer run of this device took over", slot=0).close("G")

    talk = Conversation("an unknown device", "The fingerprint is on no list. Under TLS the handshake says so.").add("connect", 1)
    unknown = v.Body().u32("magic", 0x534C5543).u16("versionMin", 1).u16("versionMax", 1).u32("capabilities", 1)
    unknown.fixed("fingerprint", v.digest("unknown")).fixed("run", v.identifier("run")).u8("pins", 0)
    talk.a("HELLO", unknown.text8("software", ""), 0)
    yield talk.error(3, 0x0021, "this device is not on the gateway's list", slot=0).close("G")

    talk = Conversation("another version", "A speaks versions 2 to 3 only.", "gateway").add("connect", 1)
    talk.a("HELLO", v.hello(2, 3), 0)
    yield talk.error(3, 0x0020, "this gateway speaks version 1", slot=0).close("G")

    talk = Conversation("no HELLO",
                        "The first frame is another one.", "gateway").add("connect", 1).a("PING", v.ping(1), 0)
    yield talk.error(3, 0x000C, "PING before HELLO", slot=0).close("G")

    talk = Conversation("enrolment", "An invitation is good once. Under TLS only.")
    talk.add("invitation", f"name={v.json_text('cam1')}; prefix={v.json_text('cam1/')}; "
             f"secret={v.identifier('secret').hex()}")
    talk.add("connect", 1).a("ENROL", v.enrol(), 0).g("ENROLLED", v.enrolled("cam1", "cam1/"), 0)
    yield talk.close("G")


def all_conversations():
    for source in (small_files, several_parts, credit, resumed, adopted, existing, streams, troubles, connections):
        yield from source()


def lines():
    for talk in all_conversations():
        yield from talk.lines


# The traces of §16.

TRACES = (
    ("one flight", 0, "One flight: a file of 10 bytes. A sends the four frames behind WELCOME without waiting."),
    ("resume", 12, "Resume: 40 bytes in parts of 16. A new run has part 1 in its journal, and asks for partials; "
     "G has 6 bytes of part 2."),
    ("adoption", 11, "Adoption: the same file, a journal that was lost. A's id `second` gives way to the unfinished "
     "session."),
)


def shown(data):
    return data.hex() if len(data) <= 20 else f"{data[:8].hex()}…{data[-4:].hex()} ({len(data)} bytes)"


def traced(way, kind, body, slot, flags):
    head = v.frame(kind, body, slot, flags)[:8].hex()
    yield f"{way}  {head[:8]} {head[8:10]} {head[10:12]} {head[12:]}  {kind}, slot {slot}"
    for name, data, value in body.parts:
        note = name if value is None else f"{name} {value}"
        yield f"       {shown(data):<44}  {note}".rstrip()


def traces():
    found = {talk.name: talk for talk in all_conversations()}
    for name, first, sentence in TRACES:
        yield f"**{sentence}**"
        yield ""
        yield "```"
        for entry in found[name].frames[first:]:
            if entry[1] not in ("HELLO", "WELCOME") or name == "one flight":
                yield from traced(*entry)
        yield "```"
        yield ""

import TransferCommon
import WireProtocol

/// The parts of one upload: those under way, those that are stored, and what gateways have said of the others.
///
/// `OutgoingPart` has the states of each part. This type decides which part is next; the upload performs the result.
struct UploadParts: Hashable, Sendable {
    var underWay: [PartNumber: OutgoingPart] = [:]
    private(set) var stored = AgentStoredParts()
    private var queue = PartQueue()
    var window = SendWindow()
    /// What gateways have said of parts without an offer.
    var named = NamedParts()
    /// Parts that the store lists without a digest: their offer carries an MD5.
    private var needsMD5: Set<PartNumber> = []
    /// Bytes of the stream that have been read.
    private(set) var streamBytes: UInt64 = 0

    // MARK: Read-outs

    /// A part under way. It is added by `takeUp` and removed by `remove` only.
    subscript(number: PartNumber) -> OutgoingPart? {
        get { underWay[number] }
        _modify { yield &underWay[number] }
    }

    var isEmpty: Bool { underWay.isEmpty }

    var isReading: Bool { underWay.values.contains(where: \.isReading) }

    /// Whether data of a part is being sent, or a part that was sent waits for the store's confirmation.
    var isSending: Bool { underWay.values.contains { $0.isSending || $0.isSent } }

    /// Whether a part counts against the concurrency.
    var holdsRoom: Bool { underWay.values.contains(where: \.isCounted) }

    /// The numbers of the parts under way, in ascending order.
    var numbers: [PartNumber] { underWay.keys.sorted() }

    var hasReady: Bool { underWay.values.contains(where: \.isReady) }

    /// The next moment after `now` at which a part may be offered; `nil` if no part waits for one.
    func nextOffer(after now: Instant) -> Instant? {
        underWay.values.reduce(nil) { next, part in
            guard case .ready(_, let notBefore, _) = part.state, notBefore > now else { return next }
            return earlier(next, notBefore)
        }
    }

    /// Whether no part is read now: a list of candidates has been announced and is not complete, or a part of this
    /// stream lends its room.
    var readsNone: Bool { named.awaitsList || underWay.values.contains(where: \.isLent) }

    /// Whether every part of which a gateway may hold bytes is known.
    var knowsPartials: Bool { named.isComplete }

    /// Whether another part may be left in the queue, as far as is known.
    func hasNext(in plan: PartPlan?) -> Bool { queue.hasNext(in: plan, isReading: isReading) }

    /// Whether parts are left to send beside those that are being sent.
    func hasUnsent(in plan: PartPlan?) -> Bool {
        if hasNext(in: plan) || hasReady { return true }
        // The shell may still be reading parts that the upload took before the answer to RESUME QUERY came. A single
        // such part needs no further connection.
        return underWay.values.count(where: \.isReading) > 1
    }

    func isUnderWay(on connection: ConnectionID) -> Bool {
        underWay.values.contains { $0.place?.connection == connection }
    }

    func isUnderWay(in place: Attachment) -> Bool { underWay.values.contains { $0.place == place } }

    /// How many parts are being sent in a slot, including those that wait for credit.
    func sendingCount(in place: Attachment) -> Int { underWay.values.count { $0.isSending && $0.place == place } }

    /// Whether the loss of a connection loses bytes of a part that was being sent on it.
    func hasDataUnderWay(on connection: ConnectionID) -> Bool {
        underWay.values.contains { part in
            part.isSending && part.offer.map { $0.taken > 0 && $0.place.connection == connection } ?? false
        }
    }

    /// The parts that are being sent on a connection, each with the number of its bytes that the socket has not taken.
    func rests(of upload: UploadID, on connection: ConnectionID) -> [SendRest] {
        underWay.compactMap { number, part in
            guard part.isSending, part.place?.connection == connection else { return nil }
            return SendRest(part: UploadPart(upload: upload, part: number), bytes: part.bytesToTake)
        }
    }

    // MARK: The session

    /// Takes over the parts that an earlier run has stored, because its session is continued.
    mutating func restore(_ entries: [PartListEntry], isQueried: Bool) {
        for entry in entries { stored.keep(entry) }
        named = NamedParts(ofEarlierRun: isQueried)
    }

    /// Forgets all parts of the file for a new session, in which nothing is stored.
    mutating func startOver() {
        stored.removeAll()
        queue = PartQueue()
        needsMD5 = []
        named = NamedParts()
        window.sessionBegins()
    }

    /// Forgets what is stored, because another session takes the place of this one; parts under way stay.
    mutating func adopt() {
        stored.removeAll()
        queue.restart()
        named = NamedParts()
        window.sessionBegins()
    }

    mutating func forgetStored() { stored.removeAll() }

    /// Notes that RESUME QUERY has been answered, so that all partials are known.
    mutating func queryAnswered() { named.answered() }

    /// Waits for a list of candidates that the gateway has announced in a slot.
    mutating func expectList(of count: UInt32, in place: Attachment) { named.expectList(of: count, in: place) }

    /// Forgets the stored and partial parts that gateways have named in slots that are closed or left.
    mutating func forgetSlots(where isGone: (Attachment) -> Bool) { named.forgetSlots(where: isGone) }

    /// Bounds the upload to one part at once, because a connection was lost while a part was being sent on it.
    mutating func shrinkWindow() { window.shrink() }

    // MARK: Taking up

    /// What the shell is to read.
    struct OnTakeUp: Hashable {
        var number: PartNumber
        var size: UInt64
        var withMD5: Bool
    }

    /// Takes the next part from the queue. The shell then reads it.
    mutating func takeUp(in plan: PartPlan, isCounted: Bool) -> OnTakeUp? {
        // The closure refers to the parts only until the call ends. If it kept them, the change below would copy all
        // parts.
        let next = queue.next(in: plan, isReading: isReading) { [stored, underWay] number in
            stored[number] != nil || underWay[number] != nil
        }
        guard let number = next, let size = plan.bytes(of: number) else { return nil }
        underWay[number] = OutgoingPart(size: size, isCounted: isCounted)
        // Parts that the store lists without a digest need an MD5 in their offer. The answer to the run's first RESUME
        // QUERY names them. A part that is offered before that answer might be one of them, so it gets an MD5, too.
        return OnTakeUp(number: number, size: size, withMD5: needsMD5.contains(number) || !named.isComplete)
    }

    /// Puts parts at the front of the queue, to be read before all others.
    mutating func putFirst(_ numbers: [PartNumber]) { queue.putFirst(numbers) }

    /// Takes the size and the digests of a part of a stream that the shell has read.
    mutating func readOfStream(_ number: PartNumber, _ digests: OutgoingPart.Digests, bytes: UInt64, now: Instant) {
        streamBytes += bytes
        underWay[number]?.read(digests, bytes: bytes, now: now)
    }

    // MARK: Stored and wanted

    /// A part that has been stored.
    struct OnStored: Hashable {
        var entry: PartListEntry
        /// Whether no other part of the upload is deferred.
        var othersAreWell: Bool
    }

    /// Counts a part as stored. The part stays under way until it is removed.
    mutating func store(_ number: PartNumber, etag: String, roomMax: Int) -> OnStored? {
        guard let part = underWay[number], let digest = part.digest else { return nil }
        let entry = PartListEntry(part: number, size: part.size, digest: digest, etag: etag)
        stored.keep(entry)
        named.forget(number)
        for (other, part) in underWay where part.failures > 0 { underWay[other]?.failures = 0 }
        window.grow(roomMax: roomMax)
        return OnStored(
            entry: entry, othersAreWell: underWay.allSatisfy { $0.key == number || !$0.value.wasDeferred })
    }

    /// Parts that counted as stored and are sent again.
    struct OnWanted: Hashable {
        var numbers: [PartNumber]
        var bytes: UInt64 = 0
    }

    /// Queues stored parts that the store turned out to lack, before all others.
    mutating func sendAgain(_ wanted: [PartNumber]) -> OnWanted {
        var result = OnWanted(numbers: wanted.filter { stored[$0] != nil })
        for number in result.numbers {
            named.forget(number)
            if let entry = stored.remove(number) { result.bytes &+= entry.size }
        }
        queue.putFirst(result.numbers)
        return result
    }
}

// MARK: - Parts that are named without an offer

extension UploadParts {
    /// RESUME STATE or SESSION OPENED has named partials in a slot. If the agent has offered a part already, the
    /// gateway answers the offer by a decision. Such a part is not added here.
    mutating func name(_ partials: [PartialPart], in place: Attachment, of plan: PartPlan?) {
        var fresh: [PartNumber] = []
        for partial in partials where stored[partial.part] == nil && plan?.bytes(of: partial.part) != nil {
            guard underWay[partial.part]?.place == nil else { continue }
            named.name(partial, in: place)
            if underWay[partial.part] == nil { fresh.append(partial.part) }
        }
        window.known.formUnion(partials.map(\.part))
        queue.putFirst(fresh)
    }

    /// PART LIST names the parts that the store has and the agent did not list. They are read first. The parts of a
    /// stream are read in order and once, so the list of a stream counts only for its parts under way.
    mutating func list(_ page: PartList, of plan: PartPlan) {
        let entries = page.entries.filter { !plan.isStream || underWay[$0.part] != nil }
        window.known.formUnion(entries.map(\.part))
        for entry in entries where stored[entry.part] == nil && plan.bytes(of: entry.part) == entry.size {
            if let digest = entry.digest, underWay[entry.part]?.place == nil {
                named.list(entry.part, digest: digest, etag: entry.etag)
            }
            guard underWay[entry.part] == nil, queue.preferredCount <= Int(plan.partCount ?? 0) else { continue }
            queue.putLast(entry.part)
            if entry.digest == nil { needsMD5.insert(entry.part) }
        }
        if page.isLast { named.listEnded() }
    }

    /// The slot in which a part was named as a partial.
    func placeOfPartial(_ number: PartNumber) -> Attachment? {
        if case .partial(let place, _, _)? = named[number]?.standing { place } else { nil }
    }

    /// Judges a part that has been read, if a gateway has named it (`NamedParts.judge`).
    mutating func judgeNamed(_ number: PartNumber, maySkip: Bool, slot: NamedParts.Slot) -> NamedParts.OnRead {
        underWay[number]?.digest.map { named.judge(number, $0, maySkip: maySkip, slot: slot) } ?? .offer
    }

    /// Forgets a partial that was evicted before the agent read it; returns whether it was named in this slot.
    mutating func evicted(_ number: PartNumber, at place: Attachment) -> Bool { named.evicted(number, at: place) }
}

import TransferCommon
import WireProtocol

/// One connection as the agent sees it.
///
///     away ── due ──▶ connecting ── connected ──▶ greeting ── WELCOME ──▶ open ── GO AWAY ──▶ leaving
///      ▲                  │                          │                     │                    │
///      └──────────────────┴────────── lost ──────────┴─────────────────────┴────────────────────┘
///
/// Frames overtake chunks that wait for their turn. So that no chunk of an earlier use is taken for one of a later use,
/// a slot is used again, and a part offered again, only when none of its chunks wait any more.
struct AgentConnection: Hashable {
    enum Phase: Hashable {
        /// Not connected; to be tried again at a moment.
        case away(until: Instant)
        case connecting(deadline: Instant)
        /// HELLO was sent.
        case greeting(deadline: Instant)
        case open(Welcome)
        /// Told to go away: what is under way is finished, nothing new begins.
        case leaving(Welcome, deadline: Instant)
    }

    /// A part whose data this connection carries.
    struct Carried: Hashable {
        var upload: UploadID
        var part: PartNumber
    }

    /// A chunk that was handed to the shell and not taken by the socket.
    struct QueuedChunk: Hashable {
        var slot: Slot
        var carried: Carried
        /// Which offer of the part it belongs to (`AgentPart.attempt`).
        var attempt: UInt64
    }

    var phase: Phase
    /// Failures in a row, for the backoff.
    var failures = 0
    var heardAt = Instant(nanoseconds: 0)
    var pingedAt: Instant?
    /// What the gateway proved in the handshake; `nil` on plain TCP.
    var gateway: GatewayProof?
    /// Which upload each slot in use belongs to.
    private(set) var slots: [Slot: UploadID] = [:]
    /// Slots that were left: whatever arrives there before SESSION LEFT was sent before the gateway knew.
    private(set) var leftSlots: Set<Slot> = []
    /// Closed slots with chunks that wait to be sent; the gateway will discard them.
    private var closedSlots: Set<Slot> = []
    private var freeSlots: [Slot] = []
    private var lastSlot: UInt16 = 0
    /// Parts whose data may go on, in turn.
    var carried: [Carried] = []
    /// Undecided parts that wait for others to give back initial credit.
    var awaitingCredit: [Carried] = []
    /// Plain bytes sent of parts that are not decided (specification §7.2).
    var undecidedBytes: UInt64 = 0
    /// Plain bytes handed to the shell and not taken by the socket.
    private(set) var queuedBytes: UInt64 = 0
    private var queuedChunks: [QueuedChunk] = []
    /// What the socket takes, in bytes a second; 0 while unknown.
    private(set) var bytesPerSecond: Double = 0
    private var measuredBytes: UInt64 = 0
    private var measuredSince: Instant?

    init(now: Instant) {
        self.phase = .away(until: now)
    }

    var welcome: Welcome? {
        switch phase {
        case .open(let welcome), .leaving(let welcome, _): welcome
        case .away, .connecting, .greeting: nil
        }
    }

    /// Whether sessions may be opened or resumed here.
    var isOpen: Bool {
        guard case .open = phase else { return false }
        return true
    }

    /// Whether it is being made for the first time, and so is likely to be there soon.
    var isComing: Bool {
        switch phase {
        case .connecting, .greeting: failures == 0
        case .away, .open, .leaving: false
        }
    }

    // MARK: Slots

    var hasFreeSlot: Bool {
        guard let welcome else { return false }
        return !freeSlots.isEmpty || lastSlot < welcome.slotsMax
    }

    /// A closed slot, or `nil` where all are in use.
    mutating func takeSlot(for upload: UploadID) -> Slot? {
        guard hasFreeSlot else { return nil }
        let slot: Slot
        if let free = freeSlots.popLast() {
            slot = free
        } else {
            lastSlot += 1
            slot = Slot(lastSlot)
        }
        slots[slot] = upload
        return slot
    }

    /// The frame that closed the slot has been read: it can be used again.
    mutating func giveBack(_ slot: Slot) {
        guard slots.removeValue(forKey: slot) != nil else { return }
        free(slot)
    }

    /// SESSION LEAVE is being sent in the slot.
    mutating func leave(_ slot: Slot, of upload: UploadID) {
        carried.removeAll { $0.upload == upload }
        awaitingCredit.removeAll { $0.upload == upload }
        guard slots.removeValue(forKey: slot) != nil else { return }
        leftSlots.insert(slot)
    }

    /// SESSION LEFT has been read.
    mutating func left(_ slot: Slot) {
        guard leftSlots.remove(slot) != nil else { return }
        free(slot)
    }

    private mutating func free(_ slot: Slot) {
        if queuedChunks.contains(where: { $0.slot == slot }) {
            closedSlots.insert(slot)
        } else {
            freeSlots.append(slot)
        }
    }

    // MARK: Data

    mutating func carry(_ carried: Carried) {
        awaitingCredit.removeAll { $0 == carried }
        if !self.carried.contains(carried) { self.carried.append(carried) }
    }

    mutating func drop(_ carried: Carried) {
        self.carried.removeAll { $0 == carried }
        awaitingCredit.removeAll { $0 == carried }
    }

    /// Takes out the part whose turn it is, while the socket has not enough.
    ///
    /// - Returns: with the part, how many bytes of it may be in the next chunk.
    mutating func takeCarried(_ limits: AgentLimits) -> (Carried, bytesMax: UInt64)? {
        guard let welcome, welcome.chunkBytesMax > 0, queuedBytes < limits.queuedBytesMax else { return nil }
        carryWhatCreditAllows()
        guard !carried.isEmpty else { return nil }
        return (carried.removeFirst(), chunkBytes(limits))
    }

    /// Initial credit that is left lets one more undecided part go on.
    private mutating func carryWhatCreditAllows() {
        guard !awaitingCredit.isEmpty, let credit = welcome?.initialCreditBytes, undecidedBytes < UInt64(credit) else {
            return
        }
        carried.append(awaitingCredit.removeFirst())
    }

    mutating func queue(_ chunk: QueuedChunk, plainBytes: UInt64) {
        queuedChunks.append(chunk)
        queuedBytes += plainBytes
    }

    /// Whether chunks of the part wait to be sent.
    func hasQueued(_ carried: Carried) -> Bool {
        queuedChunks.contains { $0.carried == carried }
    }

    /// The socket has taken a chunk, or the chunk will never be sent. Takes the first queued chunk of the same part.
    mutating func unqueue(_ chunk: Chunk) -> QueuedChunk? {
        queuedBytes -= min(UInt64(chunk.plainBytes), queuedBytes)
        let carried = Carried(upload: chunk.upload, part: chunk.part)
        guard let index = queuedChunks.firstIndex(where: { $0.carried == carried }) else { return nil }
        let chunk = queuedChunks.remove(at: index)
        if closedSlots.contains(chunk.slot), !queuedChunks.contains(where: { $0.slot == chunk.slot }) {
            closedSlots.remove(chunk.slot)
            freeSlots.append(chunk.slot)
        }
        return chunk
    }

    /// The socket has taken bytes.
    mutating func measure(wireBytes: UInt64, now: Instant) {
        let since = measuredSince ?? now
        measuredSince = since
        measuredBytes += wireBytes
        let elapsed = now.since(since).inSeconds
        guard elapsed >= 0.25 else { return }
        let rate = Double(measuredBytes) / elapsed
        bytesPerSecond = bytesPerSecond == 0 ? rate : bytesPerSecond * 0.5 + rate * 0.5
        measuredBytes = 0
        measuredSince = now
    }

    /// The most plain bytes that one chunk should carry here: at most a second of the link, so that control frames,
    /// a second part and a cut never wait behind more than that.
    func chunkBytes(_ limits: AgentLimits) -> UInt64 {
        var bytes = UInt64(min(limits.chunkBytesMax, welcome?.chunkBytesMax ?? 0))
        if bytesPerSecond > 0, bytesPerSecond < Double(bytes) { bytes = UInt64(bytesPerSecond) }
        if let limit = limits.bytesPerSecond { bytes = min(bytes, max(limit / 20, 1)) }
        return max(bytes, UInt64(min(limits.chunkBytesMin, welcome?.chunkBytesMax ?? 1)))
    }
}

import WireProtocol

/// One connection as the agent sees it.
///
///     away ── due ──▶ connecting ── connected ──▶ greeting ── WELCOME ──▶ open ── GO AWAY ──▶ leaving
///      ▲                  │                          │                     │                    │
///      └──────────────────┴────────── lost ──────────┴─────────────────────┴────────────────────┘
struct AgentConnection {
    enum Phase: Equatable {
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
    struct Carried: Equatable {
        var upload: UploadID
        var part: PartNumber
    }

    var phase: Phase
    /// Failures in a row, for the backoff.
    var failures = 0
    var heardAt = Instant(nanoseconds: 0)
    var pingedAt: Instant?
    /// Which upload each slot in use belongs to.
    var slots: [Slot: UploadID] = [:]
    /// Slots that were left: whatever arrives there before SESSION LEFT was sent before the gateway knew.
    private(set) var leftSlots: Set<Slot> = []
    private var freeSlots: [Slot] = []
    private var lastSlot: UInt16 = 0
    /// Parts whose data is being sent, in turn.
    var carried: [Carried] = []
    /// Plain bytes sent of parts that are not decided (specification §7.2).
    var undecidedBytes: UInt64 = 0
    /// Plain bytes handed to the socket and not taken by it.
    var queuedBytes: UInt64 = 0
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

    /// The connection is gone: what it carried and measured goes with it, its failures are counted.
    mutating func reset(until: Instant) {
        let failures = failures
        self = AgentConnection(now: until)
        self.failures = failures
    }

    // MARK: Slots

    /// A closed slot, or `nil` where all are in use.
    mutating func takeSlot(for upload: UploadID) -> Slot? {
        guard let welcome else { return nil }
        let slot: Slot
        if let free = freeSlots.popLast() {
            slot = free
        } else {
            guard lastSlot < welcome.slotsMax else { return nil }
            lastSlot += 1
            slot = Slot(lastSlot)
        }
        slots[slot] = upload
        return slot
    }

    /// The frame that closed the slot has been read: it can be used again.
    mutating func giveBack(_ slot: Slot) {
        guard slots.removeValue(forKey: slot) != nil else { return }
        freeSlots.append(slot)
    }

    /// SESSION LEAVE is being sent in the slot.
    mutating func leave(_ slot: Slot, of upload: UploadID) {
        carried.removeAll { $0.upload == upload }
        slots[slot] = nil
        leftSlots.insert(slot)
    }

    /// SESSION LEFT has been read.
    mutating func left(_ slot: Slot) {
        guard leftSlots.remove(slot) != nil else { return }
        freeSlots.append(slot)
    }

    // MARK: Data

    mutating func carry(_ carried: Carried) {
        if !self.carried.contains(carried) { self.carried.append(carried) }
    }

    mutating func drop(_ carried: Carried) {
        self.carried.removeAll { $0 == carried }
    }

    /// The socket has taken bytes.
    mutating func took(plainBytes: UInt64, wireBytes: UInt64, now: Instant) {
        queuedBytes -= min(plainBytes, queuedBytes)
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
        if let limit = limits.bytesPerSecond { bytes = min(bytes, max(limit / 8, 1)) }
        return max(bytes, UInt64(min(limits.chunkBytesMin, welcome?.chunkBytesMax ?? 1)))
    }
}

package import TransferCommon
package import WireProtocol

/// One offered part on its way through the gateway (specification §7).
///
///     from      event                                                           to
///     waiting   the part is decided *send*                                      sending
///     waiting   any other decision; its agent leaves; its connection is lost    dropped
///     sending   the same part is offered again, or named as a partial           sending
///     sending   its connection is lost                                          orphaned
///     sending   its connection is lost after its tail was released              dropped
///     sending   the store answers; its agent leaves; it is evicted              dropped
///     orphaned  the same part is offered again, or named as a partial           sending
///     orphaned  the store answers; the grace is over                            dropped
///
/// - When a part is dropped, the session removes it and frees its budget, so `dropped` is no phase.
/// - Data beyond `limit` is a violation. The limit rises as the store takes bytes, and everything below it is reserved
///   in the budget.
/// - The bytes of an orphaned part stay for a while, so that its agent sends only the rest.
package struct IncomingPart: Hashable, Sendable {
    /// Whether the part is decided. `Sending` has the values that exist only after the decision.
    package enum Phase: Hashable, Sendable {
        case waiting(owner: Attachment)
        case sending(Sending)
    }

    /// The part is decided *send*, and a call to the store takes its bytes.
    package struct Sending: Hashable, Sendable {
        package let call: StoreRequestID
        /// The condition that the store checks for a one-part file; later looks at the key do not change it.
        package let condition: PutCondition
        package fileprivate(set) var holder: Holder
        /// The agent may send bytes below this offset.
        package fileprivate(set) var limit: ByteOffset
        /// Bytes of the budget that the part holds.
        package fileprivate(set) var bytesReserved: UInt64
        /// The bytes that had been received at the end of the last window of progress. `nil` if the part has waited
        /// since then for something other than its agent; such a part is not measured.
        fileprivate var mark: Mark?
    }

    /// Who sends the part.
    package enum Holder: Hashable, Sendable {
        case slot(Attachment)
        /// The connection of the slot that sent the part is lost.
        case orphaned(since: Instant)
    }

    /// The last bytes of a one-part file, without which the store makes no object.
    ///
    ///     from           event                                        to
    ///     held           COMPLETE of the owner passes the checks      wanted
    ///     wanted         COMPLETE becomes void                        held
    ///     wanted         a look at the key is needed first            looking
    ///     wanted         no look is needed                            released
    ///     looking        COMPLETE becomes void                        lookingInVain
    ///     looking        the key may be written                       released
    ///     lookingInVain  COMPLETE of the owner passes the checks      looking
    ///     lookingInVain  the key may be written                       held
    ///
    /// COMPLETE becomes void when the part is offered again, fails, or loses its connection. The next COMPLETE causes
    /// another look at the key, unless a look is under way.
    package enum Tail: Hashable, Sendable {
        /// The session has several parts: nothing is held back.
        case unheld
        case held
        /// COMPLETE has arrived, and the part is not decided yet.
        case wanted
        case looking(StoreRequestID)
        case lookingInVain(StoreRequestID)
        /// The store may have the last bytes.
        case released
    }

    fileprivate struct Mark: Hashable {
        var received: ByteOffset
        var creditBytes: UInt64
    }

    /// What the session does about data.
    package enum OnData: Hashable, Sendable {
        /// The session gives the plain bytes to the flow, except the first `skip` bytes.
        case accept(skip: UInt64)
        case discard
        /// The gateway ends the connection; the text says what is wrong.
        case violation(ErrorCode, String)
    }

    /// What the session does after the store has taken bytes.
    package struct OnConsumed: Hashable, Sendable {
        /// The call of the part, if the store has taken the part's last byte; otherwise `nil`.
        package var handedOver: StoreRequestID?
        /// How many bytes of the budget the part no longer needs.
        package var bytesReleased: UInt64 = 0
        /// Whether the limit was raised. If so, the gateway sends the new limit to the agent in RECEIVED.
        package var isLimitRaised = false

        package init() {}
    }

    package let offer: PartOffer
    package let flow: FlowID
    package private(set) var phase: Phase
    package private(set) var tail: Tail
    /// Plain bytes that have arrived.
    package private(set) var received: ByteOffset = 0
    /// Plain bytes that the store has taken.
    private var consumed: ByteOffset = 0
    /// The end of the newest accepted chunk, which may still be arriving.
    private var announced: ByteOffset = 0

    /// - Parameter holdsTail: whether the last bytes are held back, because the part is a whole file.
    package init(offer: PartOffer, owner: Attachment, flow: FlowID, holdsTail: Bool) {
        self.offer = offer
        self.flow = flow
        self.phase = .waiting(owner: owner)
        self.tail = holdsTail ? .held : .unheld
    }

    // MARK: Read-outs

    /// The slot that sends the part; `nil` while its connection is lost.
    package var owner: Attachment? {
        switch phase {
        case .waiting(let owner): owner
        case .sending(let sending):
            switch sending.holder {
            case .slot(let owner): owner
            case .orphaned: nil
            }
        }
    }

    /// The data of a part that is decided *send*; `nil` before the decision.
    package var sending: Sending? {
        switch phase {
        case .waiting: nil
        case .sending(let sending): sending
        }
    }

    package var isUndecided: Bool { sending == nil }
    package var isWhole: Bool { received == offer.size }
    /// The agent may send bytes below this offset; 0 before the decision.
    package var limit: ByteOffset { sending?.limit ?? 0 }
    package var bytesReserved: UInt64 { sending?.bytesReserved ?? 0 }
    /// The end of the bytes that have arrived or are arriving.
    package var reach: ByteOffset { max(received, announced) }

    /// RECEIVED, which tells the agent how many bytes have arrived and how many it may send.
    package var receivedFrame: Received { Received(part: offer.part, received: received, limit: limit) }

    /// Whether an offer names the same bytes as this part.
    package func isSame(as offer: PartOffer) -> Bool {
        self.offer.digest == offer.digest && self.offer.size == offer.size
    }

    /// When the part is given up; `nil` while it has an owner. Also `nil` for a part of a larger file that has arrived
    /// completely: it ends with the store's answer.
    package func nextDeadline(grace: Duration) -> Instant? {
        guard case .sending(let sending) = phase, case .orphaned(let since) = sending.holder else { return nil }
        return isWhole && tail == .unheld ? nil : since + grace
    }

    // MARK: Decision

    /// The budget that the part needs, to be reserved before `decided`.
    package func bytesNeeded(window: UInt64) -> UInt64 { max(min(offer.size, window), received) }

    /// Decides *send*: a call to the store takes the part's bytes from now on. `bytes` are reserved, and the agent may
    /// send `bytesFirst` of them before the store has taken any.
    package mutating func decided(
        call: StoreRequestID, condition: PutCondition, reserved bytes: UInt64, bytesFirst: UInt64
    ) {
        guard case .waiting(let owner) = phase else { return }
        let limit = max(received, min(offer.size, consumed + min(bytes, max(bytesFirst, 1))))
        phase = .sending(
            Sending(
                call: call, condition: condition, holder: .slot(owner), limit: limit, bytesReserved: bytes, mark: nil))
    }

    /// Continues the part in another slot, of the same connection or of a newer one.
    package mutating func takenOver(by owner: Attachment) {
        switch phase {
        case .waiting: phase = .waiting(owner: owner)
        case .sending(var sending):
            sending.holder = .slot(owner)
            sending.mark = nil
            phase = .sending(sending)
        }
    }

    /// Names the part as a partial, which counts as the decision *send*.
    package mutating func named(to owner: Attachment) {
        takenOver(by: owner)
        guard case .sending(var sending) = phase else { return }
        // If the store is tried cautiously, the limit is small, and the bytes that arrived before the decision may lie
        // beyond it.
        sending.limit = max(sending.limit, received)
        phase = .sending(sending)
    }

    /// Orphans the part, because its connection is lost. Returns the store call that now waits for bytes of the part;
    /// `nil` if the session has to drop the part. It drops an undecided part, and a one-part file whose last bytes the
    /// store may already have: such a file must not appear long after its agent has gone (specification §9.2).
    package mutating func connectionLost(now: Instant) -> StoreRequestID? {
        guard case .sending(var sending) = phase, tail != .released else { return nil }
        sending.holder = .orphaned(since: now)
        phase = .sending(sending)
        completionVoided()
        return sending.call
    }

    // MARK: Data

    /// Judges the header of PART DATA from the owner. The connection has used `undecidedBytes` of its initial credit.
    package mutating func receivedData(
        _ header: PartDataHeader, creditBytes: UInt64, undecidedBytes: UInt64
    ) -> OnData {
        let (end, overflow) = header.offset.addingReportingOverflow(UInt64(header.plainBytes))
        guard !overflow, end <= offer.size else {
            return .violation(.creditExceeded, "the part has \(offer.size) bytes")
        }
        guard header.offset <= received else { return .violation(.offsetGap, "\(received) bytes are there") }
        guard end > received else { return .discard }
        switch phase {
        case .waiting:
            guard undecidedBytes + (end - received) <= creditBytes else {
                let message = "\(undecidedBytes) bytes are undecided, of at most \(creditBytes)"
                return .violation(.creditExceeded, message)
            }
        case .sending(let sending):
            // If the store is tried cautiously, the limit is small. Bytes that the agent sent before it read the
            // decision may lie beyond the limit, but they lie within the budget that the part has reserved.
            let early = min(creditBytes, consumed + sending.bytesReserved)
            guard end <= max(sending.limit, early) else {
                return .violation(.creditExceeded, "the limit is \(sending.limit)")
            }
        }
        announced = end
        return .accept(skip: received - header.offset)
    }

    /// Counts plain bytes that go to the flow; returns `false` if the part was offered anew while they arrived.
    package mutating func receivedBytes(_ count: UInt64) -> Bool {
        guard count <= offer.size - received else { return false }
        received += count
        guard case .sending(var sending) = phase else { return true }
        // The agent has used its credit. From now on the store, not the agent, determines the progress.
        if received >= sending.limit { sending.mark = nil }
        phase = .sending(sending)
        return true
    }

    /// Releases budget and raises the limit after the store has taken bytes; `total` counts from the beginning of the
    /// flow. `heldBytesMax`: a part up to this size stays in memory until the store has answered. `window`: the number
    /// of bytes that a part may hold in memory.
    package mutating func consumed(_ total: UInt64, heldBytesMax: UInt64, window: UInt64) -> OnConsumed? {
        guard total > consumed, total <= received else { return nil }
        consumed = total
        var result = OnConsumed()
        guard case .sending(var sending) = phase else { return result }
        if total == offer.size { result.handedOver = sending.call }
        let rest = offer.size <= heldBytesMax ? offer.size : offer.size - total
        if sending.bytesReserved > rest {
            result.bytesReleased = sending.bytesReserved - rest
            sending.bytesReserved = rest
        }
        let limit = min(offer.size, total + sending.bytesReserved)
        // The limit is raised only in large steps, because each step costs a frame.
        let step = min(window / 4, offer.size - sending.limit)
        if limit > sending.limit, limit - sending.limit >= step {
            sending.limit = limit
            result.isLimitRaised = true
        }
        phase = .sending(sending)
        return result
    }

    // MARK: The tail

    /// The look at the key that the last bytes wait for, or waited for before COMPLETE became void; `nil` if none.
    package var look: StoreRequestID? {
        switch tail {
        case .looking(let look), .lookingInVain(let look): look
        case .unheld, .held, .wanted, .released: nil
        }
    }

    /// Notes that COMPLETE of the owner has passed the checks.
    package mutating func completed() {
        switch tail {
        case .held: tail = .wanted
        case .lookingInVain(let look): tail = .looking(look)
        case .unheld, .wanted, .looking, .released: break
        }
    }

    /// Makes COMPLETE void. Last bytes that were released already stay released.
    package mutating func completionVoided() {
        switch tail {
        case .wanted: tail = .held
        case .looking(let look): tail = .lookingInVain(look)
        case .unheld, .held, .lookingInVain, .released: break
        }
    }

    /// Lets the last bytes wait for a look at the key, which the gateway has requested.
    package mutating func looks(_ look: StoreRequestID) {
        if tail == .wanted { tail = .looking(look) }
    }

    /// The look has found that the key may be written. Releases the last bytes, unless COMPLETE became void meanwhile.
    package mutating func looked() {
        switch tail {
        case .looking: tail = .released
        case .lookingInVain: tail = .held
        case .unheld, .held, .wanted, .released: break
        }
    }

    /// Releases the last bytes without a look at the key.
    package mutating func released() {
        if tail == .wanted { tail = .released }
    }

    // MARK: Progress

    /// How many bytes the agent could send now: the bytes below the limit, or 1 for the COMPLETE of a one-part file
    /// whose bytes have all arrived. 0 if the part waits for something other than its agent.
    package var creditToUse: UInt64 {
        guard case .sending(let sending) = phase, owner != nil else { return 0 }
        if isWhole { return tail == .held ? 1 : 0 }
        return sending.limit > received ? sending.limit - received : 0
    }

    /// Returns what the part took in since the last window of progress; `nil` if it waited for something other than
    /// its agent meanwhile.
    package mutating func measure() -> ProgressCheck.Gain? {
        guard case .sending(var sending) = phase else { return nil }
        let credit = creditToUse
        let gain = sending.mark.map { ProgressCheck.Gain(bytes: received - $0.received, creditBytes: $0.creditBytes) }
        sending.mark = credit > 0 ? Mark(received: received, creditBytes: credit) : nil
        phase = .sending(sending)
        return credit > 0 ? gain : nil
    }
}

package import TransferCommon
import WireProtocol

/// One part on its way from the file to the gateway.
///
///     from     event                                                         to
///     reading  the shell has read the part                                   ready
///     reading  the file was touched: the part is read a second time          reading
///     ready    the part is offered, or continues where a gateway holds it    sending
///     sending  the socket has taken the last byte                            sent
///     sending  the part is deferred, or its slot or connection is gone       ready
///     sent     the part is deferred, or its slot or connection is gone       ready
///
/// A part that is stored or given up is removed, in any state.
package struct OutgoingPart: Hashable, Sendable {
    /// The digests of the bytes that were read.
    package struct Digests: Hashable, Sendable {
        package var sha256: SHA256Digest
        package var md5: MD5Digest?

        package init(sha256: SHA256Digest, md5: MD5Digest?) {
            self.sha256 = sha256
            self.md5 = md5
        }
    }

    /// The states of one part. Each state owns the data that exists only in it.
    package enum State: Hashable, Sendable {
        /// The shell reads and hashes the part. `earlier`: the digest of the first read, if this is the second.
        case reading(earlier: SHA256Digest?)
        /// The part is to be offered at `notBefore` or later. `waitsForStore`: whether the store is why it waits.
        case ready(Digests, notBefore: Instant, waitsForStore: Bool)
        /// The agent sends data as far as the gateway's credit allows.
        case sending(Digests, Offer)
        /// The socket has taken the whole part; the agent waits until the gateway confirms that the part is stored.
        case sent(Digests, Offer)
    }

    /// One offer of the part in a slot, or the continuation of the part in the slot in which a gateway has named it.
    package struct Offer: Hashable, Sendable {
        /// What the gateway has said about the offer.
        enum Credit: Hashable, Sendable {
            /// - sentEarly: bytes sent before the decision; they count against the initial credit.
            case undecided(sentEarly: UInt64)
            /// The agent may send bytes below the limit, which is at most the part's size.
            case decided(limit: ByteOffset)
        }

        let id: OfferID
        let place: Attachment
        /// The bytes below this offset were passed to the shell.
        fileprivate(set) var handed: ByteOffset
        /// The socket has taken the bytes below this offset.
        fileprivate(set) var taken: ByteOffset
        fileprivate(set) var credit: Credit

        /// An offer that the agent has made.
        package init(_ id: OfferID, in place: Attachment) {
            self.id = id
            self.place = place
            self.handed = 0
            self.taken = 0
            self.credit = .undecided(sentEarly: 0)
        }

        /// The continuation of a part that the gateway has named in the slot: it holds the bytes below `start`.
        init(_ id: OfferID, in place: Attachment, from start: ByteOffset, limit: ByteOffset) {
            self.id = id
            self.place = place
            self.handed = start
            self.taken = start
            self.credit = .decided(limit: limit)
        }

        var isUndecided: Bool {
            if case .undecided = credit { true } else { false }
        }
    }

    /// What the owner does after the credit of the part has changed.
    package enum OnCredit: Hashable, Sendable {
        case nothing
        /// The part takes turns on its connection.
        case send
        /// The socket has the whole part already.
        case whole
    }

    /// What follows when the socket has taken a chunk.
    package struct OnTaken: Hashable, Sendable {
        package var taken: ByteOffset
        /// Whether every earlier attempt has written fewer bytes of the part to a socket.
        package var isProgress: Bool
        package var isWhole: Bool
    }

    /// Bytes of the part. For a part of a stream that is not read yet: the number of bytes that were requested.
    package private(set) var size: UInt64
    package private(set) var state = State.reading(earlier: nil)
    /// Whether the part counts against the concurrency.
    package private(set) var isCounted: Bool
    /// Whether the part of a stream no longer counts, so that another upload has room.
    package private(set) var isLent = false
    /// Highest offset that any attempt has written to a socket.
    package private(set) var reached: ByteOffset = 0
    /// Highest offset below which a gateway has received all bytes, in any attempt.
    private var arrived: ByteOffset = 0
    /// Failures of this part, for the back-off. The count starts again at 0 when the store takes any part of the
    /// session, and when a gateway receives more of this part than in any attempt before.
    package var failures = 0
    /// Whether the part was deferred or did not match its digest, so that its next data waits for a decision.
    package var wasDeferred = false
    /// How often the gateway received other bytes of the part than the agent hashed.
    package var mismatches = 0

    package init(size: UInt64, isCounted: Bool) {
        self.size = size
        self.isCounted = isCounted
    }

    /// The part no longer counts against the concurrency.
    mutating func lend() {
        isCounted = false
        isLent = true
    }
}

// MARK: - Read-outs

extension OutgoingPart {
    package var digest: SHA256Digest? {
        switch state {
        case .reading(let earlier): earlier
        case .ready(let digests, _, _), .sending(let digests, _), .sent(let digests, _): digests.sha256
        }
    }

    /// The offer that is in use.
    package var offer: Offer? {
        switch state {
        case .reading, .ready: nil
        case .sending(_, let offer), .sent(_, let offer): offer
        }
    }

    /// Where the part was offered.
    var place: Attachment? { offer?.place }

    package var isReading: Bool {
        if case .reading = state { true } else { false }
    }

    package var isReady: Bool {
        if case .ready = state { true } else { false }
    }

    package var isSending: Bool {
        if case .sending = state { true } else { false }
    }

    package var isSent: Bool {
        if case .sent = state { true } else { false }
    }

    /// Whether a decision is due on the part in this slot.
    func isUndecided(in place: Attachment) -> Bool { offer.map { $0.place == place && $0.isUndecided } ?? false }

    /// The digests of a part that may be offered now; `nil` if the part may not be offered now.
    package func digestsToOffer(at now: Instant) -> Digests? {
        if case .ready(let digests, let notBefore, _) = state, notBefore <= now { digests } else { nil }
    }

    /// Bytes that are still to be passed to the shell; for a decided part, only bytes below its limit.
    package var bytesToHand: UInt64 {
        guard case .sending(_, let offer) = state else { return 0 }
        return switch offer.credit {
        case .undecided: size - min(offer.handed, size)
        case .decided(let limit): limit > offer.handed ? limit - offer.handed : 0
        }
    }

    /// Bytes that the socket has not taken.
    package var bytesToTake: UInt64 { size - min(offer?.taken ?? 0, size) }
}

// MARK: - Events

extension OutgoingPart {
    /// Takes the digests of a part that the shell has read. `bytes`: how much it read of a part of a stream.
    package mutating func read(_ digests: Digests, bytes: UInt64? = nil, now: Instant) {
        guard case .reading = state else { return }
        size = bytes ?? size
        state = .ready(digests, notBefore: now, waitsForStore: false)
    }

    /// Reads the part a second time, because the file was touched meanwhile. Only the same digest proves the same
    /// bytes.
    package mutating func readAgain(after digest: SHA256Digest) {
        guard case .reading = state else { return }
        state = .reading(earlier: digest)
    }

    /// Offers the part, or continues it in the slot in which a gateway has named it.
    package mutating func begin(_ offer: Offer) {
        guard case .ready(let digests, _, _) = state else { return }
        reached = max(reached, offer.taken)
        state = .sending(digests, offer)
    }

    /// Counts bytes that were passed to the shell; returns whether the shell has the whole part.
    package mutating func handed(_ bytes: UInt64) -> Bool {
        guard case .sending(let digests, var offer) = state else { return true }
        offer.handed += bytes
        if case .undecided(let early) = offer.credit { offer.credit = .undecided(sentEarly: early + bytes) }
        state = .sending(digests, offer)
        return offer.handed >= size
    }

    /// Notes that the socket has taken a chunk, which ends at this offset; `nil` for a chunk of an earlier offer.
    package mutating func taken(upTo end: ByteOffset, of id: OfferID) -> OnTaken? {
        guard case .sending(let digests, var offer) = state, offer.id == id else { return nil }
        offer.taken = max(offer.taken, end)
        state = .sending(digests, offer)
        let isProgress = offer.taken > reached
        reached = max(reached, offer.taken)
        return OnTaken(taken: offer.taken, isProgress: isProgress, isWhole: offer.taken >= size)
    }

    /// The socket has the whole part.
    package mutating func allTaken() {
        if case .sending(let digests, let offer) = state { state = .sent(digests, offer) }
    }

    /// The gateway wants the bytes from an offset on, and allows those below the limit. The limit may be higher than
    /// the part's size (specification §7.2).
    package mutating func granted(from offset: ByteOffset, limit: ByteOffset) -> OnCredit {
        let start = min(offset, size)
        let isSending = isSending
        change { offer, size in
            offer.credit = .decided(limit: min(limit, size))
            offer.handed = max(offer.handed, start)
            offer.taken = max(offer.taken, start)
        }
        reached = max(reached, start)
        guard isSending, let offer else { return .nothing }
        if offer.taken >= size { return .whole }
        return offer.handed < size ? .send : .nothing
    }

    /// Raises the limit, because the gateway allows more bytes.
    package mutating func raised(to limit: ByteOffset) -> OnCredit {
        guard case .decided(let before)? = offer?.credit else { return .nothing }
        change { offer, size in offer.credit = .decided(limit: max(before, min(limit, size))) }
        guard isSending, let offer, offer.handed < size else { return .nothing }
        return .send
    }

    /// Notes that a gateway has received the bytes below `end`; returns whether that is more than ever before.
    package mutating func arrived(upTo end: ByteOffset) -> Bool {
        guard offer != nil, end > arrived else { return false }
        arrived = end
        failures = 0
        return true
    }

    /// Takes the bytes that were sent before a decision off the initial credit, and returns their number.
    package mutating func takeEarlyBytes() -> UInt64 {
        guard case .undecided(let bytes)? = offer?.credit else { return 0 }
        change { offer, _ in offer.credit = .undecided(sentEarly: 0) }
        return bytes
    }

    /// Ends the offer of a part that is not stored. The agent offers the part again at `moment` or later.
    package mutating func withdraw(notBefore moment: Instant, waitsForStore: Bool = false) {
        switch state {
        case .sending(let digests, _), .sent(let digests, _):
            state = .ready(digests, notBefore: moment, waitsForStore: waitsForStore)
        case .reading, .ready: break
        }
    }

    /// Ends the wait for a store that takes data again; returns whether the part waited for it.
    package mutating func storeIsWell(now: Instant) -> Bool {
        guard case .ready(let digests, let notBefore, true) = state, notBefore > now else { return false }
        state = .ready(digests, notBefore: now, waitsForStore: true)
        return true
    }

    private mutating func change(_ body: (inout Offer, UInt64) -> Void) {
        switch state {
        case .sending(let digests, var offer):
            body(&offer, size)
            state = .sending(digests, offer)
        case .sent(let digests, var offer):
            body(&offer, size)
            state = .sent(digests, offer)
        case .reading, .ready: break
        }
    }
}

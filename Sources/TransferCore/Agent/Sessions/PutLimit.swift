package import TransferCommon

/// The wait of one upload for the put limit (specification §9.2).
///
///     from      event                                                      to
///     none      another version of the file may appear from now on         due
///     none      another version was given up some time ago                 counting
///     due       a gateway names the limit                                  waiting
///     counting  a gateway names the limit                                  waiting
///     waiting   another version of the file may appear from now on         due
///     waiting   the wait is over, and a session begins                     none
///
/// A request that makes the object may still take effect for a while, the put limit, after its upload was given up.
/// During this time the agent writes no other version of the file under the key. Only a gateway knows how long the
/// limit is, so the wait begins when a gateway has named it. The request of a file of one part takes effect within
/// `ofOnePart` or not at all. The gateway may name a longer limit, because a completion can take longer in its store.
package struct PutLimit: Hashable, Sendable {
    /// The states of the wait, as the table in the comment on `PutLimit` lists them.
    package enum State: Hashable, Sendable {
        /// No other version of the file can appear under the key.
        case none
        /// The whole limit must pass, from the moment at which a gateway names it. `isOnePart`: every version that may
        /// appear is a file of one part.
        case due(isOnePart: Bool)
        /// At the moment `from`, the time `passed` of the limit had passed already.
        case counting(from: Instant, passed: Duration)
        /// The end of the wait. When that moment has passed, the state stays `waiting` until a session begins.
        /// `isShort`: the wait is shorter than the limit that the gateway has named.
        case waiting(until: Instant, isShort: Bool)
    }

    /// What the upload does before it begins a session.
    package enum OnLimit: Hashable, Sendable {
        case proceed
        /// - rest: the time that is left; zero if the limit has passed already.
        case wait(until: Instant, rest: Duration)
    }

    /// Whether an object with this version of the file may still appear under the key, without a gateway's word.
    package enum OwnVersion: Hashable, Sendable {
        /// No request for the version was sent, the store has refused it, or the put limit has passed since.
        case cannotAppear
        /// COMPLETE was sent once, and its outcome is unknown.
        case completeSent
        /// COMPLETE may have been sent several times, or by an earlier run; an answer tells only the last outcome.
        case mayAppear
        /// An earlier run gave this version up. At the moment `from`, the time `passed` had passed since.
        case givenUp(from: Instant, passed: Duration)
    }

    /// The longest put limit of a file of one part (specification §9.2).
    package static let ofOnePart = Duration.seconds(75)

    package private(set) var state = State.none
    package private(set) var ownVersion = OwnVersion.cannotAppear

    package init() {}

    /// Whether the upload still waits. This wait does not count as a lack of progress.
    package func isWaiting(at now: Instant) -> Bool {
        if case .waiting(let end, _) = state { end > now } else { false }
    }

    /// Notes that an earlier run may have sent COMPLETE.
    package mutating func ownVersionMayAppear() {
        ownVersion = .mayAppear
    }

    /// Notes that an earlier run gave up a session of this version, at least `age` ago.
    package mutating func ownVersionWasGivenUp(age: Duration, now: Instant) {
        ownVersion = .givenUp(from: now, passed: age)
    }

    /// Notes that COMPLETE is sent.
    package mutating func completeSent() {
        ownVersion = ownVersion == .cannotAppear ? .completeSent : .mayAppear
    }

    /// The gateway's answer to COMPLETE says that the store has not stored the version and will not store it.
    package mutating func completeRefused() {
        if ownVersion == .completeSent { ownVersion = .cannotAppear }
    }

    /// Notes that the session of another version has ended, and that its object may still appear.
    ///
    /// - Parameter isOnePart: whether that version has one part.
    package mutating func otherVersionMayAppear(isOnePart: Bool = false) {
        state = .due(isOnePart: isOnePart && state != .due(isOnePart: false))
    }

    /// Notes that an earlier run gave up another version, at least `age` ago.
    package mutating func otherVersionWasGivenUp(age: Duration, now: Instant) {
        state = .counting(from: now, passed: age)
    }

    /// Begins or ends the wait, by the limit that a gateway has named.
    package mutating func named(_ limit: Duration, now: Instant) -> OnLimit {
        if case .givenUp(let start, let passed) = ownVersion, now.since(start) + passed >= limit {
            ownVersion = .cannotAppear
        }
        let rest: Duration
        var isShort = false
        switch state {
        case .none: return .proceed
        case .waiting(let end, _) where end > now:
            return .wait(until: end, rest: end.since(now))
        case .waiting(_, let wasShort):
            // If the wait was as long as the put limit, no earlier request for this version can take effect any more.
            // This wait does not cover requests of the session that begins now.
            if !wasShort { ownVersion = .cannotAppear }
            state = .none
            return .proceed
        case .due(let isOnePart):
            isShort = isOnePart && limit > Self.ofOnePart
            rest = max(isShort ? Self.ofOnePart : limit, .zero)
        case .counting(let start, let passed): rest = max(limit - (now.since(start) + passed), .zero)
        }
        let end = now + rest
        state = .waiting(until: end, isShort: isShort)
        return .wait(until: end, rest: rest)
    }
}

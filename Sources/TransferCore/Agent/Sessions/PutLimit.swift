package import TransferCommon

/// The wait for the put limit of one upload (specification §9.2).
///
///     from      event                                                      to
///     none      another version of the file may appear from now on         due
///     none      another version was given up some time ago                 counting
///     due       a gateway names the limit                                  waiting
///     counting  a gateway names the limit                                  waiting
///     waiting   another version of the file may appear from now on         due
///
/// A request that stores a one-part file may take effect for a while after its connection has ended. Until then the
/// agent writes no other version of the file under the key. Only a gateway knows how long the limit is, so the wait
/// begins when a gateway has named it.
package struct PutLimit: Hashable, Sendable {
    /// The states of the table above.
    package enum State: Hashable, Sendable {
        /// No other version may appear.
        case none
        /// The whole limit must pass, from the moment at which a gateway names it.
        case due
        /// A part of the limit had passed at a moment.
        case counting(from: Instant, passed: Duration)
        /// The upload waits until then, or has waited.
        case waiting(until: Instant)
    }

    /// What the upload does before it begins a session.
    package enum OnLimit: Hashable, Sendable {
        case proceed
        /// - rest: zero if the limit has passed already.
        case wait(until: Instant, rest: Duration)
    }

    package private(set) var state = State.none

    package init() {}

    /// Whether the limit has been waited for, so that no earlier version can appear.
    package var wasAwaited: Bool {
        if case .waiting = state { true } else { false }
    }

    /// Whether the upload still waits. That is no standstill, although nothing moves.
    package func isWaiting(at now: Instant) -> Bool {
        if case .waiting(let end) = state { end > now } else { false }
    }

    /// A session of another version has ended, and its object may still appear.
    package mutating func otherVersionMayAppear() {
        state = .due
    }

    /// An earlier run gave up another version.
    ///
    /// - Parameter age: how long ago, at least.
    package mutating func otherVersionWasGivenUp(age: Duration, now: Instant) {
        state = .counting(from: now, passed: age)
    }

    /// A gateway has named the limit.
    package mutating func named(_ limit: Duration, now: Instant) -> OnLimit {
        let rest: Duration
        switch state {
        case .none, .waiting: return .proceed
        case .due: rest = max(limit, .zero)
        case .counting(let start, let passed): rest = max(limit - (now.since(start) + passed), .zero)
        }
        let end = now + rest
        state = .waiting(until: end)
        return .wait(until: end, rest: rest)
    }
}

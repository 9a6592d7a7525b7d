package import TransferCommon

/// Decides which failed requests to the store become log lines, and when a line says that requests succeed again. It
/// keeps a state for each kind of request: a store that refuses parts may still look objects up.
///
///     from     event                                        to
///     working  a request of this kind fails                 failing
///     failing  a request of this kind succeeds              working
///
/// - Every failure is written, but not more than 20 at once and then one a second, because a store that is down fails
///   each request. The next written line has the number of those that were not written.
/// - When requests succeed again, a line says so only if at least one of the failures before is in the log.
package struct StoreHealth: Sendable {
    /// The state of one kind of request, as the table in the comment on `StoreHealth` lists it.
    package enum State: Hashable, Sendable {
        case working
        /// - count: the failures since a request of this kind last succeeded.
        /// - isWritten: whether one of them is in the log.
        case failing(count: Int, isWritten: Bool)
    }

    /// What the caller does about a failed request.
    package enum OnFailure: Hashable, Sendable {
        /// The caller writes a line, and in it the number of failures of all kinds that were not written since the last
        /// line.
        case write(unwrittenBefore: Int)
        case count
    }

    private var states: [String: State] = [:]
    private var lines = Allowance(atOnce: 20, perSecond: 1)
    private var unwrittenCount = 0

    package init() {}

    /// The state of one kind of request, which `kind` names.
    package func state(of kind: String) -> State { states[kind] ?? .working }

    /// Counts a failed request of this kind, and decides whether the log gets a line about it.
    package mutating func failed(_ kind: String, now: Instant) -> OnFailure {
        let (count, wasWritten) =
            switch state(of: kind) {
            case .working: (0, false)
            case .failing(let count, let isWritten): (count, isWritten)
            }
        guard lines.take(now: now) == nil else {
            unwrittenCount += 1
            states[kind] = .failing(count: count + 1, isWritten: wasWritten)
            return .count
        }
        defer { unwrittenCount = 0 }
        states[kind] = .failing(count: count + 1, isWritten: true)
        return .write(unwrittenBefore: unwrittenCount)
    }

    /// Ends the series of failures of this kind, because a request succeeded.
    ///
    /// - Returns: the number of failures since the last success, if a line has to say that requests succeed again;
    ///   otherwise `nil`.
    package mutating func succeeded(_ kind: String) -> Int? {
        guard case .failing(let count, let isWritten)? = states.removeValue(forKey: kind) else { return nil }
        return isWritten ? count : nil
    }
}

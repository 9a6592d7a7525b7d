import TransferCommon

/// Decides which progress of parts and files is printed as JSON, so that a fast transfer does not fill a log: at most
/// four objects a second in all.
///
/// Parts move far more often than files. So that both are seen, a kind that was printed last waits for two intervals,
/// and leaves the first of them to the other kind.
package struct ProgressPace {
    /// What has moved on.
    package enum Kind: Sendable {
        case part, file
    }

    package static let interval = Duration.milliseconds(250)

    private var last: (kind: Kind, at: ContinuousClock.Instant)?

    package init() {}

    /// Whether to print an object of this kind now. If so, it counts as printed.
    package mutating func takes(_ kind: Kind, at now: ContinuousClock.Instant) -> Bool {
        if let last {
            let wait = last.kind == kind ? Self.interval * 2 : Self.interval
            guard now - last.at >= wait else { return false }
        }
        last = (kind, now)
        return true
    }
}

/// Computes how many bytes of all files are stored a second. Keeps a number for each file that is being sent, and adds
/// only what has changed.
package struct StoredRate {
    /// Number of stored bytes of each file, by the bytes of its key.
    private var stored: [[UInt8]: UInt64] = [:]
    private var sum: UInt64 = 0
    private var last: (at: ContinuousClock.Instant, sum: UInt64)?

    package init() {}

    /// Number of files in memory.
    package var fileCount: Int { stored.count }

    /// Notes how many bytes of a file are stored.
    package mutating func observe(_ storedBytes: UInt64, ofKey key: String) {
        let before = stored.updateValue(storedBytes, forKey: Array(key.utf8)) ?? 0
        sum = sum &+ storedBytes &- before
    }

    /// Forgets a file that has ended. Its bytes stay in the sum.
    package mutating func ended(_ key: String) { stored[Array(key.utf8)] = nil }

    /// Bytes a second since the last call; `nil` at the first call.
    package mutating func next(at now: ContinuousClock.Instant) -> UInt64? {
        defer { last = (now, sum) }
        guard let last, now > last.at else { return nil }
        guard sum > last.sum else { return 0 }
        return UInt64(exactly: (Double(sum - last.sum) / (now - last.at).inSeconds).rounded()) ?? .max
    }
}

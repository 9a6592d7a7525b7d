package import TransferCommon

/// Decides which failures of one kind of work become log lines, and when a line says that the work succeeds again.
///
///     from     event              to
///     working  the work fails     failing
///     failing  the work succeeds  working
///
/// - The first failure of each sort is written at once. Equal failures after it are counted, and a line a minute at
///   most has their number. *Equal* is what the caller passes as the same `sort`.
/// - The work may fail and succeed in turn. So the minute does not end when the work succeeds.
/// - When the work succeeds, a line says so only if at least one of the failures before it is in the log.
package struct FailureSeries<Sort: Hashable & Sendable>: Sendable {
    /// What the caller does about a failure.
    package enum OnFailure: Hashable, Sendable {
        /// The caller writes a line, and in it how many failures of this sort it has not written since the last line.
        case write(repeated: Int)
        case count
    }

    /// The facts of a line that says that the work succeeds again.
    package struct Recovery: Hashable, Sendable {
        /// The failures since the work last succeeded.
        package let failures: Int
        /// The time from the first of them until now.
        package let lasted: Duration
    }

    /// The state of the work, as the table in the comment on `FailureSeries` lists it.
    package enum State: Hashable, Sendable {
        case working
        /// - isWritten: whether one of the failures is in the log.
        case failing(count: Int, since: Instant, isWritten: Bool)
    }

    private struct Line {
        var writtenAt: Instant
        var unwritten = 0
    }

    /// Shortest time between two lines about failures of the same sort.
    package static var pause: Duration { .seconds(60) }
    /// Number of sorts of which the series keeps the time of the last line. A store could invent error codes. Failures
    /// of further sorts are only counted.
    package static var sortsMax: Int { 8 }

    package private(set) var state = State.working
    private var lines: [Sort: Line] = [:]
    private var unwrittenOfOtherSorts = 0

    package init() {}

    /// Counts a failure and decides whether the log gets a line about it.
    package mutating func failed(_ sort: Sort, now: Instant) -> OnFailure {
        let onFailure = written(sort, now)
        let isWritten = onFailure != .count
        switch state {
        case .working: state = .failing(count: 1, since: now, isWritten: isWritten)
        case .failing(let count, let since, let wasWritten):
            state = .failing(count: count + 1, since: since, isWritten: wasWritten || isWritten)
        }
        return onFailure
    }

    private mutating func written(_ sort: Sort, _ now: Instant) -> OnFailure {
        if let line = lines[sort], now.since(line.writtenAt) < Self.pause {
            lines[sort]?.unwritten += 1
            return .count
        }
        if lines[sort] == nil, lines.count >= Self.sortsMax {
            for (other, line) in lines where now.since(line.writtenAt) >= Self.pause {
                unwrittenOfOtherSorts += line.unwritten
                lines[other] = nil
            }
            guard lines.count < Self.sortsMax else {
                unwrittenOfOtherSorts += 1
                return .count
            }
        }
        let repeated = (lines[sort]?.unwritten ?? 0) + unwrittenOfOtherSorts
        unwrittenOfOtherSorts = 0
        lines[sort] = Line(writtenAt: now)
        return .write(repeated: repeated)
    }

    /// Ends the failures, because the work has succeeded.
    ///
    /// - Returns: what the log says about it; `nil` if it says nothing.
    package mutating func succeeded(now: @autoclosure () -> Instant) -> Recovery? {
        guard case .failing(let count, let since, let isWritten) = state else { return nil }
        state = .working
        return isWritten ? Recovery(failures: count, lasted: now().since(since)) : nil
    }
}

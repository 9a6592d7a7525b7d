package import TransferCommon

/// When a folder is scanned. A scan finds what notifications missed.
///
///     from       event                                                    to
///     waiting    its time has come, or a rescan is requested              scanning
///     scanning   the scan ends                                            waiting
///     scanning   a rescan is requested, or notifications were lost        overtaken
///     overtaken  the scan ends, and the next is due at once               waiting
///
/// The time between two scans is at least 200 times the duration of a scan, so that scanning takes at most half a
/// percent of the time of a disk.
package struct FolderScan: Hashable, Sendable {
    /// The states, as the table above lists them.
    package enum State: Hashable, Sendable {
        case waiting(until: Instant)
        case scanning(RequestID, since: Instant)
        case overtaken(RequestID, since: Instant)
    }

    /// How often a scan takes its own duration between two scans.
    package static let shareOfTime = 200

    package private(set) var state: State
    /// The number of the scan that runs or ran last, from 1; 0 before the first.
    package private(set) var generation: UInt32 = 0
    /// Why the last scan failed; `nil` if it was complete.
    package private(set) var failure: String?
    private var failures = 0

    /// - Parameter now: the first scan is due at once.
    package init(now: Instant) {
        self.state = .waiting(until: now)
    }

    /// When the next scan begins; `nil` while one runs.
    package var nextDeadline: Instant? {
        if case .waiting(let until) = state { until } else { nil }
    }

    /// Begins a scan if one is due; returns whether it does.
    package mutating func begin(_ request: RequestID, now: Instant) -> Bool {
        guard case .waiting(let until) = state, until <= now else { return false }
        generation &+= 1
        state = .scanning(request, since: now)
        return true
    }

    /// Requests a scan as soon as possible.
    package mutating func hurry(now: Instant) {
        switch state {
        case .waiting: state = .waiting(until: now)
        case .scanning(let request, let since): state = .overtaken(request, since: since)
        case .overtaken: break
        }
    }

    /// Whether entries of this request belong to the scan that runs.
    package func isRunning(_ request: RequestID) -> Bool {
        switch state {
        case .scanning(let running, _), .overtaken(let running, _): running == request
        case .waiting: false
        }
    }

    /// Takes the end of a scan.
    ///
    /// - Parameters:
    ///   - failure: why the scan is not complete; `nil` if it is.
    ///   - interval: the shortest time between two scans.
    /// - Returns: whether the scan was complete and saw all that happened before it began.
    package mutating func ended(_ request: RequestID, failure: String?, interval: Duration, now: Instant) -> Bool {
        guard isRunning(request) else { return false }
        let since: Instant
        let isOvertaken: Bool
        switch state {
        case .waiting: return false
        case .scanning(_, let start): (since, isOvertaken) = (start, false)
        case .overtaken(_, let start): (since, isOvertaken) = (start, true)
        }
        self.failure = failure
        failures = failure == nil ? 0 : min(failures + 1, 10)
        let share = now.since(since) * Self.shareOfTime
        let pause = failure == nil ? max(interval, share) : min(.seconds(1 << failures), max(interval, share))
        state = .waiting(until: isOvertaken ? now : now + pause)
        return failure == nil
    }
}

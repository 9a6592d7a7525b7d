/// Whether the file system of a folder is short of space.
///
///     from      event                                                       to
///     enough    the free space falls below the limit                        low
///     low       the free space is above the limit by a tenth of the limit   enough
///
/// The margin keeps the state from changing with every file.
package struct DiskSpace: Hashable, Sendable {
    /// The states, as the table above lists them.
    package enum State: Hashable, Sendable {
        case enough
        case low
    }

    package private(set) var state = State.enough
    /// The free space at the last report; `nil` before the first.
    package private(set) var freeBytes: UInt64?
    private let freeBytesMin: UInt64

    package init(freeBytesMin: UInt64) {
        self.freeBytesMin = freeBytesMin
    }

    /// Takes a report of the free space; returns whether the state changes.
    package mutating func reported(freeBytes: UInt64) -> Bool {
        self.freeBytes = freeBytes
        let (comfortable, overflow) = freeBytesMin.addingReportingOverflow(freeBytesMin / 10)
        let before = state
        if freeBytes < freeBytesMin {
            state = .low
        } else if overflow || freeBytes >= comfortable {
            state = .enough
        }
        return state != before
    }
}

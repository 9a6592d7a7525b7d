import FoundationEssentials
import Synchronization

/// An estimate of the store's time: the local clock plus an offset. The offset is 0 until the store refuses a request
/// because of its time; the answer then shows the store's time. All requests of a store share one clock, so a single
/// refusal corrects all of them.
final class S3Clock: Sendable {
    private let offset = Mutex<TimeInterval>(0)

    var now: Date { Date().addingTimeInterval(offset.withLock { $0 }) }

    /// Sets the offset from the store's time.
    ///
    /// - Returns: the new offset in seconds; `nil` if it differs so little from the old one that the duration of a
    ///   request explains the difference.
    func set(to date: Date) -> TimeInterval? {
        let new = date.timeIntervalSince(Date())
        return offset.withLock { offset in
            defer { offset = new }
            return abs(new - offset) > 5 ? new : nil
        }
    }
}

import FoundationEssentials
import Synchronization

/// The local clock plus the known offset to the store's clock; the offset is 0 until the store refuses a request for
/// its time. All requests of a store share one clock, so that one refusal corrects all.
final class S3Clock: Sendable {
    private let offset = Mutex<TimeInterval>(0)

    var now: Date { Date().addingTimeInterval(offset.withLock { $0 }) }

    /// Sets the offset from the store's time.
    ///
    /// - Returns: the new offset in seconds, if it differs from the old one by more than requests can take; otherwise
    ///   `nil`.
    func set(to date: Date) -> TimeInterval? {
        let new = date.timeIntervalSince(Date())
        return offset.withLock { offset in
            defer { offset = new }
            return abs(new - offset) > 5 ? new : nil
        }
    }
}

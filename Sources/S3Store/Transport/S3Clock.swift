import FoundationEssentials
import Synchronization

/// The store's clock as far as it is known: ours, until the store has refused a request for its time. One for all
/// requests of a store, so that one refusal corrects them all.
final class S3Clock: Sendable {
    private let offset = Mutex<TimeInterval>(0)

    var now: Date { Date().addingTimeInterval(offset.withLock { $0 }) }

    /// Takes the store's word for what time it is.
    ///
    /// - Returns: what is added to our clock from now on, in seconds, where that has changed by more than the seconds
    ///   that requests take; `nil` where it has not.
    func set(to date: Date) -> TimeInterval? {
        let new = date.timeIntervalSince(Date())
        return offset.withLock { offset in
            defer { offset = new }
            return abs(new - offset) > 5 ? new : nil
        }
    }
}

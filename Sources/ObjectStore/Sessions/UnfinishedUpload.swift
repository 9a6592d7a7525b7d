package import FoundationEssentials
package import TransferCommon
import WireProtocol

/// An unfinished session, from its record and the store.
package struct UnfinishedUpload: Hashable, Sendable {
    package var device: String
    package var key: String
    package var session: SessionID
    /// Size of the file in bytes; `nil` if it was unknown.
    package var size: UInt64?
    /// The ids of the session's uploads that the cleaner found. Empty if the upload is gone or was never created; very
    /// rarely more than one.
    package var uploads: [String]
    /// Number of stored parts in all of `uploads`.
    package var partCount: Int
    /// Sum of the stored parts' sizes in bytes.
    package var storedBytes: UInt64
    /// The time at which the newest part was stored or the record was written, whichever is later, by the store's
    /// clock; `nil` if the store does not report all of these times.
    package var lastActive: Date?
    /// Whether the key has uploads that may or may not belong to this session. The cleaner keeps them.
    package var isUndecided = false
}

/// One entry of a list of unfinished uploads.
package enum UnfinishedEntry: Sendable {
    /// An unfinished session. `age` is the time since its newest part was stored or its record was written, by the
    /// store's clock; `nil` if the store does not report it.
    case upload(UnfinishedUpload, age: Duration?)
    /// The record of this name cannot be read.
    ///
    /// - error: the store's error; `nil` if the store returned the record's bytes, but they are damaged or of a later
    ///   version of Sluice.
    case unreadable(name: String, StoreError?)
    /// The store failed to answer about this session's upload.
    case failed(SessionRecord, StoreError)
}

/// One session that `UploadCleaner.clean` removed, failed to remove or could not read. Sessions that it keeps cause no
/// event.
package enum CleaningEvent: Sendable {
    /// The session was removed: its record, and every upload of it that the cleaner found.
    case removed(UnfinishedUpload)
    /// The session could not be removed. The next cleaning tries again.
    case failed(SessionRecord, StoreError)
    /// The record of this name cannot be read. The cleaner keeps it, because a later version of Sluice may have written
    /// it.
    ///
    /// - error: the store's error; `nil` if the store returned the record's bytes.
    case unreadable(name: String, StoreError?)
    /// What interrupted start-up tests of the store have left behind could not be removed.
    case probesFailed(StoreError)
}

/// The sums of one `UploadCleaner.clean`. The report does not list the sessions, because there may be very many.
package struct CleaningReport: Hashable, Sendable {
    /// Number of removed sessions.
    package var removedCount = 0
    /// Sum of the removed parts' sizes in bytes.
    package var removedBytes: UInt64 = 0
    /// The longest time for which one of the removed sessions had been inactive; `nil` if no session was removed.
    package var oldestAge: Duration?
    /// Number of removed uploads and objects of store probes.
    package var probeCount = 0
    /// Number of sessions that stay, because they are too young, or their age is unknown, or `isUndecided` is set.
    package var keptCount = 0
    /// Number of sessions that could not be removed.
    package var failedCount = 0
    /// Number of records that cannot be read.
    package var unreadableCount = 0
}

extension CleaningReport {
    /// Adds one event to the sums.
    ///
    /// - Parameter now: the store's time when the cleaning began.
    mutating func count(_ event: CleaningEvent, now: Date) {
        switch event {
        case .removed(let upload):
            removedCount += 1
            removedBytes = removedBytes.addingReportingOverflow(upload.storedBytes).partialValue
            if let age = upload.age(at: now) { oldestAge = max(oldestAge ?? .zero, age) }
        case .failed: failedCount += 1
        case .unreadable: unreadableCount += 1
        case .probesFailed: break
        }
    }
}

extension UnfinishedUpload {
    /// The time for which the session has been inactive. A clock may run backwards or be far wrong, so the age is
    /// between 0 and 10¹² seconds.
    ///
    /// - Parameter now: the store's time; `nil` if it is unknown.
    func age(at now: Date?) -> Duration? {
        guard let now, let lastActive else { return nil }
        return .seconds(min(max(0, now.timeIntervalSince(lastActive)), 1e12))
    }
}

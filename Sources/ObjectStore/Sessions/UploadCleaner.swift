import FoundationEssentials
package import Logging
package import TransferCommon
import WireProtocol

/// Lists and removes abandoned multipart uploads.
///
/// The cleaner starts from session records and store probes, so that it does not touch uploads of other programs. It
/// keeps active sessions. The age of an upload is the age of its newest part, and the age of a record is the time since
/// its last write. Both ages are by the store's clock. If the store does not report one of these times, the age of the
/// session is unknown, and the cleaner keeps the session. Several cleaners may run at once: for each of them it is no
/// error if another one has removed an upload first.
///
/// What a crash leaves behind, and when a cleaner removes it:
///
/// | crash after                 | left                         | removed                                   |
/// |-----------------------------|------------------------------|-------------------------------------------|
/// | record written              | record without upload        | when old                                  |
/// | upload created              | the same, and an upload      | when old: see below                       |
/// | upload id added to record   | record and upload            | when old                                  |
/// | upload completed or aborted | record without upload        | when old: a gateway may still be deciding |
/// | store being probed          | the probe's upload or object | when old                                  |
///
/// After a crash it is possible that no record contains the id of an upload. If the store's listing contains the
/// session of each upload, the cleaner finds the upload by its session. S3's listing does not. There an upload counts
/// as Sluice's only if all of the following hold:
/// - It is for exactly the key of a record without an upload id.
/// - It was begun after this record was written, and within the longest time that a gateway waits for the store's
///   answer. Both times are by the store's clock. If the store does not report one of them, the upload is undecided.
/// - It has no part. A gateway accepts parts only after it has added the upload id to the record.
/// - No record contains its id.
/// - The key has no more such uploads than records without an upload id. If it has more, some of them belong to another
///   program.
/// - It is old, like everything that the cleaner removes.
///
/// If there are more such uploads than records without an upload id, all of them are undecided. The cleaner keeps
/// undecided uploads with their records, and lists them. By these rules an upload of another program is removed only if
/// it is for the same key, was begun in the same minutes and never received a byte.
package struct UploadCleaner: Sendable {
    let store: any ObjectStore
    let records: SessionRecords
    private let pauseBetweenAborts: Duration
    private let logger: Logger

    /// Maximum number of aborts of one upload. Several may be needed, because parts that are being sent can arrive
    /// after an abort. If this number does not suffice, the store is faulty.
    private static let abortsMax = 10

    /// - Parameter pauseBetweenAborts: the pause before the cleaner aborts an upload again. In this pause, parts that
    ///   are being sent can arrive.
    package init(store: any ObjectStore, pauseBetweenAborts: Duration = .seconds(1), logger: Logger) {
        self.store = store
        self.records = SessionRecords(store: store)
        self.pauseBetweenAborts = pauseBetweenAborts
        self.logger = logger
    }

    /// The unfinished uploads, in no particular order. Each is looked up in the store during iteration.
    package func unfinished() -> UnfinishedUploads {
        UnfinishedUploads(cleaner: self)
    }

    /// Removes the sessions that have been inactive for at least `age`. If a session cannot be removed, continues with
    /// the others and reports the error in the result. A session whose age is unknown stays.
    ///
    /// The listing of records has the time of each record, so the cleaner asks the store only about old ones.
    /// - Parameter observe: called for each session that is removed or cannot be cleaned, and for other failures.
    /// - Throws: an error only if the records cannot be read at all, or if the store does not report the time.
    package func clean(
        olderThan age: Duration, observe: (CleaningEvent) -> Void = { _ in }
    ) async throws(StoreError) -> CleaningReport {
        var report = CleaningReport()
        // Read the store's time once, at the start: everything that is written later is then too young and stays.
        guard let now = try await store.currentTime() else {
            throw StoreError(.unsupported, "The store does not report the time, so no upload's age is known.")
        }
        let limit = now.addingTimeInterval(-(age / .seconds(1)))
        do {
            report.probeCount = try await store.removeProbes(before: limit)
        } catch {
            // Continue: the gateway may lack the rights for the probes' folder and still be allowed to clean uploads.
            logger.info(
                "Could not remove leftovers of interrupted start-up tests",
                metadata: ["store.error": "\(error.shortDescription)", "store.reason": "\(error.sentence)"])
            observe(.probesFailed(error))
        }
        var mayDelete = true
        var listed = records.listed.makeAsyncIterator()
        while let record = try await listed.next(isolation: #isolation) {
            if Task.isCancelled { throw StoreError(.cancelled) }
            if record.isEmptied {
                if mayDelete { mayDelete = await removeEmptied(record, before: limit) }
            } else if let event = try await clean(record, before: limit) {
                report.count(event, now: now)
                observe(event)
            } else {
                report.keptCount += 1
            }
        }
        return report
    }

    /// Tries to delete a record that the gateway has overwritten with an empty one, because it lacked the permission to
    /// delete it. The gateway may have that permission by now.
    ///
    /// - Returns: whether it is useful to try to delete the next empty record.
    private func removeEmptied(_ record: ListedRecord, before limit: Date) async -> Bool {
        guard let modified = record.modified, modified <= limit else { return true }
        do {
            try await store.deleteRecord(name: record.name)
            return true
        } catch {
            return false
        }
    }

    /// - Returns: what happened; `nil` if the session stays because it is too young or undecided.
    private func clean(_ listed: ListedRecord, before limit: Date) async throws(StoreError) -> CleaningEvent? {
        if let modified = listed.modified, modified.isAfter(limit) { return nil }
        let read: SessionRecordEntry?
        do {
            read = try await records.entry(name: listed.name)
        } catch {
            // A record that cannot be read must not stop the cleaner, which continues with the other records.
            guard error.reason != .cancelled else { throw error }
            logger.debug("Could not read a record", metadata: ["store.error": "\(error.shortDescription)"])
            return .unreadable(name: listed.name, error)
        }
        guard let entry = read else { return nil }
        guard let record = entry.record else { return .unreadable(name: entry.name, nil) }
        if let modified = entry.modified, modified.isAfter(limit) { return nil }
        do {
            let key = try ObjectKey(record.key)
            let found = try await look(at: record, under: key, of: entry)
            guard let lastActive = found.lastActive, !lastActive.isAfter(limit), !found.isUndecided else { return nil }
            for upload in found.uploads {
                try await abort(key: key, upload: upload)
            }
            // Remove the record last: after a crash in between, it still leads a cleaner to the upload.
            try await records.remove(name: entry.name)
            return .removed(found)
        } catch {
            logger.debug("Could not clean an upload", metadata: ["store.error": "\(error.shortDescription)"])
            return .failed(record, error)
        }
    }

    private func abort(key: ObjectKey, upload: String) async throws(StoreError) {
        for attempt in 1...Self.abortsMax {
            do {
                try await store.abortUpload(key: key, upload: upload)
                guard try await store.listParts(key: key, upload: upload, after: nil).parts.isEmpty else {
                    if attempt < Self.abortsMax { try await pause() }
                    continue
                }
                return
            } catch {
                // The upload no longer exists: this cleaner or another one has removed it.
                guard error.reason == .uploadUnknown else { throw error }
                return
            }
        }
        throw StoreError(.unavailable, "The upload still has parts after it was aborted several times.")
    }

    private func pause() async throws(StoreError) {
        do {
            try await Task.sleep(for: pauseBetweenAborts)
        } catch {
            throw StoreError(.cancelled, cause: error)
        }
    }
}

extension Date {
    /// Whether a time of the store is after a limit. The store's clock counts whole seconds, but the dates in its lists
    /// may have fractions. So fractions are ignored; otherwise a record that has just been written would seem to be
    /// later than the store's present time.
    fileprivate func isAfter(_ limit: Date) -> Bool {
        timeIntervalSince1970.rounded(.down) > limit.timeIntervalSince1970
    }
}

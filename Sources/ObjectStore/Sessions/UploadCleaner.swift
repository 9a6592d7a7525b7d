package import FoundationEssentials
package import Logging
package import TransferCommon
import WireProtocol

/// Lists and removes abandoned multipart uploads.
///
/// The cleaner starts from session records and store probes, so that it does not touch uploads of other programs. It
/// keeps active sessions: the age of an upload is the age of its newest part, and the age of a record is the time since
/// its last write, both by the store's clock. Several cleaners may run at once: for each of them it is no error if
/// another one has removed an upload first.
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
///   answer. Both times are by the store's clock.
/// - It has no part. A gateway accepts parts only after it has added the upload id to the record.
/// - No record contains its id.
/// - The key has no more such uploads than records without an upload id. If it has more, some of them belong to another
///   program.
/// - It is old, like everything that the cleaner removes.
///
/// If there are more such uploads than records without an upload id, the cleaner keeps the uploads and the records, and
/// lists them as undecided. By these rules an upload of another program is removed only if it is for the same key, was
/// begun in the same minutes and never received a byte.
package struct UploadCleaner: Sendable {
    private let store: any ObjectStore
    private let records: SessionRecords
    private let pauseBetweenAborts: Duration
    private let logger: Logger

    /// Longest time in seconds between the writing of a record and the beginning of its upload: the longest time that a
    /// gateway waits for the store's answer.
    private static let creationTimeMax: TimeInterval = 600
    /// Tolerance in seconds when a record's time is compared with an upload's. The times may come from two servers of
    /// the store, and those of records are in whole seconds.
    private static let clockTolerance: TimeInterval = 2

    /// Maximum number of aborts of one upload. Several may be needed, because parts that are being sent can arrive
    /// after an abort. If this number does not suffice, the store is faulty.
    private static let abortsMax = 10

    /// - Parameter pauseBetweenAborts: time before the upload is aborted again, in which parts that are being sent can
    ///   arrive.
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
    /// the others and reports the error in the result.
    ///
    /// - Throws: an error only if the records cannot be read at all.
    package func clean(olderThan age: Duration) async throws(StoreError) -> CleaningReport {
        var report = CleaningReport()
        // Read the store's time once, at the start: everything that is written later is then too young and stays.
        let now = try await store.currentTime()
        let limit = now.addingTimeInterval(-(age / .seconds(1)))
        do {
            report.probeCount = try await store.removeProbes(before: limit)
        } catch {
            // Continue: the gateway may lack the rights for the probes' folder and still be allowed to clean uploads.
            logger.info(
                "Could not remove leftovers of interrupted start-up tests",
                metadata: ["store.error": "\(error.shortDescription)", "store.reason": "\(error.sentence)"])
        }
        var entries = records.all.makeAsyncIterator()
        while let entry = try await entries.next(isolation: #isolation) {
            if Task.isCancelled { throw StoreError(.cancelled) }
            guard let record = entry.record else {
                report.unreadable.append(entry.name)
                continue
            }
            do {
                switch try await clean(record, of: entry, before: limit) {
                case .kept: report.keptCount += 1
                case .removed(let upload): report.removed.append(upload)
                }
            } catch {
                logger.debug("Could not clean an upload", metadata: ["store.error": "\(error.shortDescription)"])
                report.failed.append(CleaningReport.Failure(record: record, error: error))
            }
        }
        report.oldestAge = report.removed.map(\.lastActive).min().map { .seconds(max(0, now.timeIntervalSince($0))) }
        return report
    }

    private enum Outcome {
        case kept
        case removed(UnfinishedUpload)
    }

    private func clean(
        _ record: SessionRecord, of entry: SessionRecordEntry, before limit: Date
    ) async throws(StoreError) -> Outcome {
        let key = try ObjectKey(record.key)
        let found = try await look(at: record, under: key, of: entry)
        guard found.lastActive <= limit, !found.isUndecided else { return .kept }
        for upload in found.uploads {
            try await abort(key: key, upload: upload)
        }
        // Remove the record last: after a crash in between, it still leads a cleaner to the upload.
        try await store.deleteRecord(name: entry.name)
        return .removed(found)
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

    /// Finds a record's upload by its id. If a crash prevented the gateway from adding the id to the record, finds it
    /// by its session.
    ///
    /// - Parameters:
    ///   - key: the key in the record.
    ///   - entry: the entry of the record, which has the time of its last write.
    fileprivate func look(
        at record: SessionRecord, under key: ObjectKey, of entry: SessionRecordEntry
    ) async throws(StoreError) -> UnfinishedUpload {
        var found = UnfinishedUpload(
            device: record.device, key: record.key, session: record.session, size: record.terms.size, uploads: [],
            partCount: 0, storedBytes: 0, lastActive: entry.modified)
        let candidates: [String]
        if let upload = record.upload {
            candidates = [upload]
        } else {
            let uploads = try await store.uploads(key: key)
            if uploads.allSatisfy({ $0.session != nil }) {
                candidates = uploads.filter { $0.session == record.session }.map(\.upload)
            } else {
                let orphans = try await orphans(among: uploads, under: key, writtenAt: entry.modified)
                found.uploads = orphans.uploads.map(\.upload)
                found.lastActive = orphans.uploads.map(\.created).reduce(found.lastActive, max)
                found.isUndecided = orphans.isUndecided
                return found
            }
        }
        for upload in candidates {
            do {
                for part in try await store.allParts(key: key, upload: upload) {
                    found.partCount += 1
                    found.storedBytes = found.storedBytes.addingReportingOverflow(part.size).partialValue
                    found.lastActive = max(found.lastActive, part.modified)
                }
                found.uploads.append(upload)
            } catch {
                guard error.reason == .uploadUnknown else { throw error }
            }
        }
        return found
    }

    /// Finds the uploads of a key that count as Sluice's although no record contains their ids. Used for a store whose
    /// listing does not contain the sessions of uploads.
    ///
    /// - Parameters:
    ///   - uploads: the key's uploads, listed before this method reads the records. An upload whose id a record
    ///     contains by that time is excluded.
    ///   - written: time of the last write of the record whose upload is wanted.
    /// - Returns: the uploads that may belong to that record, and whether it is unknown which uploads belong to Sluice.
    private func orphans(
        among uploads: [UploadSummary], under key: ObjectKey, writtenAt written: Date
    ) async throws(StoreError) -> (uploads: [UploadSummary], isUndecided: Bool) {
        let entries = try await records.sessions(key: key.text)
        let named = Set(entries.compactMap { $0.record?.upload })
        let incomplete = entries.filter { $0.record.map { $0.upload == nil } ?? false }
        let nameless = uploads.filter { upload in
            !named.contains(upload.upload) && incomplete.contains { Self.canHaveBegun(upload, after: $0.modified) }
        }
        var empty: [UploadSummary] = []
        for upload in nameless {
            do {
                let page = try await store.listParts(key: key, upload: upload.upload, after: nil)
                if page.parts.isEmpty { empty.append(upload) }
            } catch {
                guard error.reason == .uploadUnknown else { throw error }
            }
        }
        // If a record cannot be read, it may name any of these uploads, so all of them stay.
        let isReadable = entries.allSatisfy { $0.record != nil }
        guard empty.count <= incomplete.count, isReadable else { return ([], !empty.isEmpty) }
        return (empty.filter { Self.canHaveBegun($0, after: written) }, false)
    }

    private static func canHaveBegun(_ upload: UploadSummary, after written: Date) -> Bool {
        let later = upload.created.timeIntervalSince(written)
        return later >= -clockTolerance && later <= creationTimeMax
    }

    fileprivate var entries: SessionRecordSequence { records.all }

    fileprivate func currentTime() async throws(StoreError) -> Date {
        try await store.currentTime()
    }
}

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
    /// clock.
    package var lastActive: Date
    /// Whether the key has uploads that may or may not belong to this session. The cleaner keeps them.
    package var isUndecided = false
}

/// One entry of a list of unfinished uploads.
package enum UnfinishedEntry: Sendable {
    /// An unfinished session, with the time since its newest part was stored or its record was written, by the store's
    /// clock.
    case upload(UnfinishedUpload, age: Duration)
    /// The record of this name cannot be read.
    case unreadable(name: String)
    /// The store failed to answer about this session's upload.
    case failed(SessionRecord, StoreError)
}

/// The result of `UploadCleaner.clean`.
package struct CleaningReport: Sendable {
    /// A session that could not be removed, and the error. The next cleaning tries again.
    package struct Failure: Sendable {
        package var record: SessionRecord
        package var error: StoreError
    }

    /// Sessions that were removed: their records, and every upload of these sessions that the cleaner found.
    package var removed: [UnfinishedUpload] = []
    /// The longest time for which one of the removed sessions had been inactive; `nil` if no session was removed.
    package var oldestAge: Duration?
    /// Number of removed uploads and objects of store probes.
    package var probeCount = 0
    /// Number of sessions that stay because they are too young or undecided.
    package var keptCount = 0
    package var failed: [Failure] = []
    /// Sum of the removed parts' sizes in bytes.
    package var removedBytes: UInt64 { removed.reduce(0) { $0.addingReportingOverflow($1.storedBytes).partialValue } }
    /// The names of records that cannot be read. The cleaner keeps these records, because a later version of Sluice may
    /// have written them.
    package var unreadable: [String] = []
}

/// The unfinished uploads, found during iteration. The store's clock is read once, at the start.
package struct UnfinishedUploads: AsyncSequence, Sendable {
    package typealias Element = UnfinishedEntry
    package typealias Failure = StoreError

    fileprivate let cleaner: UploadCleaner

    package struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let cleaner: UploadCleaner
        fileprivate var entries: SessionRecordSequence.AsyncIterator
        fileprivate var now: Date?

        package mutating func next() async throws(StoreError) -> UnfinishedEntry? {
            try await next(isolation: nil)
        }

        package mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(StoreError) -> UnfinishedEntry? {
            let now: Date
            if let known = self.now {
                now = known
            } else {
                now = try await cleaner.currentTime()
                self.now = now
            }
            guard let entry = try await entries.next(isolation: actor) else { return nil }
            guard let record = entry.record else { return .unreadable(name: entry.name) }
            do {
                let found = try await cleaner.look(at: record, under: ObjectKey(record.key), of: entry)
                // A clock may run backwards or be far wrong: clamp ages to between 0 and 10¹² seconds.
                let age = Swift.min(Swift.max(0, now.timeIntervalSince(found.lastActive)), 1e12)
                return .upload(found, age: .seconds(age))
            } catch {
                return .failed(record, error)
            }
        }
    }

    package func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(cleaner: self.cleaner, entries: cleaner.entries.makeAsyncIterator())
    }
}

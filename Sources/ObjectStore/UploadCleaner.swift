package import FoundationEssentials
package import Logging
package import WireProtocol

/// Lists and removes multipart uploads that nobody goes on with.
///
/// It walks the session records and nothing else, so an upload that is not Sluice's is never touched. What is alive is
/// left alone: an upload is as old as its newest part, and its record as old as when it was last written, both by the
/// store's own clock. Several cleaners may run at once; what one has removed the other finds gone.
///
/// What a crash leaves, and who removes it:
///
/// | crash after                 | left                        | removed                                              |
/// |-----------------------------|-----------------------------|------------------------------------------------------|
/// | record written              | record without upload       | when old                                             |
/// | upload created              | the same, and an upload     | when old, where the store names an upload's session;
/// elsewhere the record only, and the upload by the store's own rule |
/// | record completed, any part  | record and upload           | when old                                             |
/// | upload completed or aborted | record with a vanished upload | when old: a gateway may still be deciding          |
package struct UploadCleaner: Sendable {
    private let store: any ObjectStore
    private let records: SessionRecords
    private let pauseBetweenAborts: Duration
    private let logger: Logger

    /// Aborting is repeated while parts in flight still land. A store that is not done after so many is broken.
    private static let abortsMax = 10

    /// - Parameter pauseBetweenAborts: how long parts in flight are given to land before the upload is aborted again.
    package init(store: any ObjectStore, pauseBetweenAborts: Duration = .seconds(1), logger: Logger) {
        self.store = store
        self.records = SessionRecords(store: store)
        self.pauseBetweenAborts = pauseBetweenAborts
        self.logger = logger
    }

    /// What is unfinished, in no useful order, each looked up when it is asked for.
    package func unfinished() -> UnfinishedUploads {
        UnfinishedUploads(cleaner: self)
    }

    /// Removes what has been left alone for at least `age`. Goes on after a failure and reports it.
    ///
    /// - Throws: only what keeps it from walking the records at all.
    package func clean(olderThan age: Duration) async throws(StoreError) -> CleaningReport {
        var report = CleaningReport()
        // Taken once, at the start: what is written meanwhile is then younger than nothing, and stays.
        let now = try await store.currentTime()
        var entries = records.all.makeAsyncIterator()
        while let entry = try await entries.next(isolation: #isolation) {
            if Task.isCancelled { throw StoreError(.cancelled) }
            guard let record = entry.record else {
                report.unreadable.append(entry.name)
                continue
            }
            do {
                switch try await clean(record, of: entry, before: now.addingTimeInterval(-(age / .seconds(1)))) {
                case .kept: report.keptCount += 1
                case .removed(let upload): report.removed.append(upload)
                }
            } catch {
                logger.debug("Could not clean an upload", metadata: ["store.error": "\(error.shortDescription)"])
                report.failed.append(CleaningReport.Failure(record: record, error: error))
            }
        }
        return report
    }

    private enum Outcome {
        case kept
        case removed(UnfinishedUpload)
    }

    private func clean(
        _ record: SessionRecord, of entry: SessionRecordEntry, before limit: Date
    ) async throws(StoreError) -> Outcome {
        let found = try await look(at: record, of: entry)
        guard found.lastActive <= limit else { return .kept }
        for upload in found.uploads {
            try await abort(key: record.key, upload: upload)
        }
        // Last, so that a crash before it leaves something by which the rest is found again.
        try await store.deleteRecord(name: entry.name)
        return .removed(found)
    }

    private func abort(key: String, upload: String) async throws(StoreError) {
        for attempt in 1...Self.abortsMax {
            do {
                try await store.abortUpload(key: key, upload: upload)
                guard try await store.listParts(key: key, upload: upload, after: nil).parts.isEmpty else {
                    if attempt < Self.abortsMax { try await pause() }
                    continue
                }
                return
            } catch {
                // Gone is what was wanted, whoever did it.
                guard error.reason == .noSuchUpload else { throw error }
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

    /// Looks a record's upload up: by its id, or by the session it names where a crash kept the id from the record.
    fileprivate func look(
        at record: SessionRecord, of entry: SessionRecordEntry
    ) async throws(StoreError) -> UnfinishedUpload {
        var found = UnfinishedUpload(
            device: record.device, key: record.key, sessionID: record.sessionID, size: record.size, uploads: [],
            partCount: 0, storedBytes: 0, lastActive: entry.modified)
        let candidates: [String]
        if let upload = record.upload {
            candidates = [upload]
        } else {
            let ours = try await store.uploads(key: record.key).filter { $0.sessionID == record.sessionID }
            candidates = ours.map(\.upload)
        }
        for upload in candidates {
            do {
                for part in try await store.allParts(key: record.key, upload: upload) {
                    found.partCount += 1
                    found.storedBytes = found.storedBytes.addingReportingOverflow(part.size).partialValue
                    found.lastActive = max(found.lastActive, part.modified)
                }
                found.uploads.append(upload)
            } catch {
                guard error.reason == .noSuchUpload else { throw error }
            }
        }
        return found
    }

    fileprivate var entries: SessionRecordSequence { records.all }

    fileprivate func currentTime() async throws(StoreError) -> Date {
        try await store.currentTime()
    }
}

/// An unfinished session as its record and the store tell it.
package struct UnfinishedUpload: Hashable, Sendable {
    package var device: String
    package var key: String
    package var sessionID: SessionID
    /// Of the whole file, where it was known.
    package var size: UInt64?
    /// The upload ids found: none where the upload is gone or was never made, and hardly ever more than one.
    package var uploads: [String]
    /// Stored parts of all of `uploads`.
    package var partCount: Int
    /// The sizes of the stored parts, added up.
    package var storedBytes: UInt64
    /// When the newest part was stored or the record written, by the store's clock.
    package var lastActive: Date
}

/// One line of what is unfinished.
package enum UnfinishedEntry: Sendable {
    /// With the time since its newest part or its record was written, by the store's clock.
    case upload(UnfinishedUpload, age: Duration)
    /// The record of this name cannot be read.
    case unreadable(name: String)
    /// The store would not tell about this one's upload.
    case failed(SessionRecord, StoreError)
}

/// What `UploadCleaner.clean` did.
package struct CleaningReport: Sendable {
    /// What could not be removed and why. It is tried again by the next cleaning.
    package struct Failure: Sendable {
        package var record: SessionRecord
        package var error: StoreError
    }

    /// Sessions whose record is gone now, and with it every upload of theirs that could be found.
    package var removed: [UnfinishedUpload] = []
    /// How many were too young.
    package var keptCount = 0
    package var failed: [Failure] = []
    /// The names of records that cannot be read. They are never removed: a later version may have written them.
    package var unreadable: [String] = []
}

/// What is unfinished, found while it is iterated. The store's clock is read once, at the start.
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
                let found = try await cleaner.look(at: record, of: entry)
                // A clock may run backwards a little or be far out: nothing is younger than new or older than an aeon.
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

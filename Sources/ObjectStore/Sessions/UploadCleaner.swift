package import FoundationEssentials
package import Logging
package import TransferCommon
import WireProtocol

/// Lists and removes multipart uploads that nobody goes on with.
///
/// It walks the session records, and looks where stores are tried out, and nowhere else, so an upload that is not
/// Sluice's is never touched. What is alive is left alone: an upload is as old as its newest part, and its record as
/// old as when it was last written, both by the store's own clock. Several cleaners may run at once; what one has
/// removed the other finds gone.
///
/// What a crash leaves, and who removes it:
///
/// | crash after                 | left                        | removed                                              |
/// |-----------------------------|-----------------------------|------------------------------------------------------|
/// | record written              | record without upload       | when old                                             |
/// | upload created              | the same, and an upload     | when old: see below                                  |
/// | record completed, any part  | record and upload           | when old                                             |
/// | upload completed or aborted | record with a vanished upload | when old: a gateway may still be deciding          |
/// | store being tried out       | an upload or object of ours | when old                                             |
///
/// An upload whose id no record has is Sluice's where the store names its session. S3 does not. There it is one that
/// - is for exactly the key of a record without an upload id,
/// - was begun after that record was written and within the time that a gateway waits for the answer, by the store's
///   clock,
/// - has never had a part: a gateway takes none before the record is complete,
/// - is named by no record,
/// - is not one of more such uploads than there are such records, since then some must be somebody else's,
/// - and is old, as everything that is removed.
///
/// What fits but for the last but one is left alone, and its record with it, so that it stays visible. What somebody
/// else could lose by this rule is an upload of the same key, begun in the same minutes, that never got a byte.
package struct UploadCleaner: Sendable {
    private let store: any ObjectStore
    private let records: SessionRecords
    private let pauseBetweenAborts: Duration
    private let logger: Logger

    /// How long after its record an upload may have been begun: a gateway waits for the answer for so long at the most.
    private static let creationTimeMax: TimeInterval = 600
    /// By so much may dates differ that two parts of one store give; record dates are in whole seconds.
    private static let clockTolerance: TimeInterval = 2

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
        let limit = now.addingTimeInterval(-(age / .seconds(1)))
        do {
            report.probeCount = try await store.removeProbes(before: limit)
        } catch {
            // Rights for them may be missing where those for uploads are not.
            logger.info(
                "Could not remove what trying the store out has left",
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
        // Last, so that a crash before it leaves something by which the rest is found again.
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
    ///
    /// - Parameter key: the record's.
    fileprivate func look(
        at record: SessionRecord, under key: ObjectKey, of entry: SessionRecordEntry
    ) async throws(StoreError) -> UnfinishedUpload {
        var found = UnfinishedUpload(
            device: record.device, key: record.key, sessionID: record.sessionID, size: record.size, uploads: [],
            partCount: 0, storedBytes: 0, lastActive: entry.modified)
        let candidates: [String]
        if let upload = record.upload {
            candidates = [upload]
        } else {
            let uploads = try await store.uploads(key: key)
            if uploads.allSatisfy({ $0.sessionID != nil }) {
                candidates = uploads.filter { $0.sessionID == record.sessionID }.map(\.upload)
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
                guard error.reason == .noSuchUpload else { throw error }
            }
        }
        return found
    }

    /// The uploads that a crash kept out of the key's records, where the store does not name sessions.
    ///
    /// - Parameter uploads: listed before the records are read: what a record names by then is not among them.
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
                guard error.reason == .noSuchUpload else { throw error }
            }
        }
        // A record that cannot be read may name any of them.
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
    /// There are uploads of the key of which it cannot be told whether one is this session's. They are left alone.
    package var isUndecided = false
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
    /// How long the oldest of them had been left alone.
    package var oldestAge: Duration?
    /// How many remains of trying the store out were removed.
    package var probeCount = 0
    /// How many were too young, or undecided.
    package var keptCount = 0
    package var failed: [Failure] = []
    /// The bytes that went with what was removed.
    package var removedBytes: UInt64 { removed.reduce(0) { $0.addingReportingOverflow($1.storedBytes).partialValue } }
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
                let found = try await cleaner.look(at: record, under: ObjectKey(record.key), of: entry)
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

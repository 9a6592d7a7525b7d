import FoundationEssentials
import TransferCommon

// Finds the uploads of a session record, and the time of the session's last activity.

extension UploadCleaner {
    /// Longest time in seconds between the writing of a record and the beginning of its upload: the longest time that a
    /// gateway waits for the store's answer.
    private static let creationTimeMax: TimeInterval = 600
    /// Tolerance in seconds when a record's time is compared with an upload's. The times may come from two servers of
    /// the store, and those of records are in whole seconds.
    private static let clockTolerance: TimeInterval = 2

    /// Finds a record's upload by its id. If a crash prevented the gateway from adding the id to the record, finds it
    /// by its session.
    ///
    /// - Parameters:
    ///   - key: the key in the record.
    ///   - entry: the entry of the record, which has the time of its last write.
    func look(
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
                found.lastActive = orphans.uploads.map(\.created).reduce(found.lastActive, Self.latest)
                found.isUndecided = orphans.isUndecided
                return found
            }
        }
        for upload in candidates {
            do {
                for part in try await store.allParts(key: key, upload: upload) {
                    found.partCount += 1
                    found.storedBytes = found.storedBytes.addingReportingOverflow(part.size).partialValue
                    found.lastActive = Self.latest(found.lastActive, part.modified)
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
        among uploads: [UploadSummary], under key: ObjectKey, writtenAt written: Date?
    ) async throws(StoreError) -> (uploads: [UploadSummary], isUndecided: Bool) {
        let entries = try await records.sessions(key: key.text)
        let named = Set(entries.compactMap { $0.record?.upload })
        let incomplete = entries.filter { $0.record.map { $0.upload == nil } ?? false }
        let nameless = uploads.filter { upload in
            !named.contains(upload.upload)
                && incomplete.contains { Self.canHaveBegun(upload, after: $0.modified) != false }
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
        let answers = empty.map { Self.canHaveBegun($0, after: written) }
        guard !answers.contains(nil) else { return ([], true) }
        return (zip(empty, answers).filter { $0.1 == true }.map(\.0), false)
    }

    /// - Returns: `nil` if the store does not report both times.
    private static func canHaveBegun(_ upload: UploadSummary, after written: Date?) -> Bool? {
        guard let created = upload.created, let written else { return nil }
        let later = created.timeIntervalSince(written)
        return later >= -clockTolerance && later <= creationTimeMax
    }

    /// The later of two times; `nil` if one of them is unknown, because it may be the later one.
    private static func latest(_ left: Date?, _ right: Date?) -> Date? {
        guard let left, let right else { return nil }
        return max(left, right)
    }
}

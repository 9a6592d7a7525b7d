package import FoundationEssentials
package import TransferCommon
import WireProtocol

/// The session records of a store.
package struct SessionRecords: Sendable {
    private let store: any ObjectStore

    package init(store: any ObjectStore) {
        self.store = store
    }

    /// Writes a record. Replaces an earlier record of the same session.
    package func write(_ record: SessionRecord) async throws(StoreError) {
        let name = try SessionRecord.name(key: record.key, session: record.session)
        try await store.writeRecord(name: name, bytes: try record.encoded())
    }

    /// Reads the record of a session whose key is known; returns `nil` if there is none.
    ///
    /// - Throws: `.damaged` if the record cannot be read.
    package func read(key: String, session: SessionID) async throws(StoreError) -> SessionRecord? {
        let name = try SessionRecord.name(key: key, session: session)
        guard let entry = try await entry(name: name) else { return nil }
        guard let record = entry.record, record.session == session, record.key.hasSameBytes(as: key) else {
            throw StoreError(.damaged, "The session's record cannot be read.")
        }
        return record
    }

    /// Writes a session's record again if it is older than `age`, so that the cleaner treats the session as active.
    /// Does nothing if the record is missing or cannot be read.
    package func renew(key: String, session: SessionID, olderThan age: Duration) async throws(StoreError) {
        let name = try SessionRecord.name(key: key, session: session)
        guard let entry = try await entry(name: name), let record = entry.record, record.session == session,
            record.key.hasSameBytes(as: key),
            entry.modified < (try await store.currentTime()) - age / .seconds(1)
        else { return }
        try await write(record)
    }

    /// Removes a session's record. A missing record is no error.
    package func remove(key: String, session: SessionID) async throws(StoreError) {
        try await store.deleteRecord(name: try SessionRecord.name(key: key, session: session))
    }

    /// The records of all sessions of a key. A gateway looks in them for a session that it can adopt. The entry of a
    /// damaged record has no `record`.
    package func sessions(key: String) async throws(StoreError) -> [SessionRecordEntry] {
        let entries = SessionRecordSequence(records: self, prefix: try SessionRecord.namePrefix(key: key))
        var found: [SessionRecordEntry] = []
        var iterator = entries.makeAsyncIterator()
        while let entry = try await iterator.next(isolation: #isolation) {
            if let record = entry.record, !record.key.hasSameBytes(as: key) { continue }
            found.append(entry)
        }
        return found
    }

    /// All records, read page by page during iteration. A record that is removed meanwhile is skipped.
    package var all: SessionRecordSequence {
        SessionRecordSequence(records: self, prefix: "")
    }

    fileprivate func entry(name: String) async throws(StoreError) -> SessionRecordEntry? {
        guard let stored = try await store.readRecord(name: name) else { return nil }
        return SessionRecordEntry(
            name: name, modified: stored.modified, record: SessionRecord(decoding: stored.bytes))
    }

    fileprivate func names(prefix: String, after: String?) async throws(StoreError) -> RecordNamePage {
        try await store.recordNames(prefix: prefix, after: after)
    }
}

/// A record as the store returned it.
package struct SessionRecordEntry: Hashable, Sendable {
    package var name: String
    /// Time of the last write, by the store's clock.
    package var modified: Date
    /// The decoded record; `nil` if it cannot be read, because it is damaged or a later version of Sluice wrote it.
    package var record: SessionRecord?

    package init(name: String, modified: Date, record: SessionRecord?) {
        self.name = name
        self.modified = modified
        self.record = record
    }
}

/// Records in the order of their names. The iterator holds one page of names at a time.
package struct SessionRecordSequence: AsyncSequence, Sendable {
    package typealias Element = SessionRecordEntry
    package typealias Failure = StoreError

    fileprivate let records: SessionRecords
    fileprivate let prefix: String

    package struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let records: SessionRecords
        fileprivate let prefix: String
        fileprivate var names: ArraySlice<String> = []
        fileprivate var after: String?
        fileprivate var isLastPage = false

        package mutating func next() async throws(StoreError) -> SessionRecordEntry? {
            try await next(isolation: nil)
        }

        package mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(StoreError) -> SessionRecordEntry? {
            while true {
                while let name = names.popFirst() {
                    if let entry = try await records.entry(name: name) { return entry }
                }
                if isLastPage { return nil }
                let page = try await records.names(prefix: prefix, after: after)
                if let next = page.next, let previous = after,
                    !previous.utf8.lexicographicallyPrecedes(next.utf8)
                {
                    throw StoreError(.damaged, "The store's list of records does not advance.")
                }
                names = page.names[...]
                after = page.next
                isLastPage = page.next == nil
            }
        }
    }

    package func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(records: records, prefix: prefix)
    }
}

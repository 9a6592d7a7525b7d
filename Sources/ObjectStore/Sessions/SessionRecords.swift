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

    /// Writes a session's record again if it is older than `age` or its age is unknown, so that the cleaner treats the
    /// session as active. Does nothing if the record is missing or cannot be read.
    package func renew(key: String, session: SessionID, olderThan age: Duration) async throws(StoreError) {
        let name = try SessionRecord.name(key: key, session: session)
        guard let entry = try await entry(name: name), let record = entry.record, record.session == session,
            record.key.hasSameBytes(as: key)
        else { return }
        // A record without an age is written in any case: it may be old.
        if let modified = entry.modified, let now = try await store.currentTime(),
            modified >= now - age / .seconds(1)
        {
            return
        }
        try await write(record)
    }

    /// Removes a session's record. A missing record is no error.
    package func remove(key: String, session: SessionID) async throws(StoreError) {
        try await remove(name: try SessionRecord.name(key: key, session: session))
    }

    /// Removes a record. If the gateway has no right to delete the record, overwrites it with an empty record. A
    /// listing shows that a record is empty, so no gateway reads an empty record. A record that kept its content would
    /// be read for each new session of the key.
    func remove(name: String) async throws(StoreError) {
        do {
            try await store.deleteRecord(name: name)
        } catch {
            guard error.reason == .denied else { throw error }
            try await store.writeRecord(name: name, bytes: [])
        }
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

    /// All records as the store lists them, including the empty ones that `remove` leaves.
    var listed: ListedRecordSequence {
        ListedRecordSequence(store: store, prefix: "")
    }

    /// Reads a record. `nil` if there is none, or only the empty one that `remove` leaves.
    func entry(name: String) async throws(StoreError) -> SessionRecordEntry? {
        guard let stored = try await store.readRecord(name: name), !stored.bytes.isEmpty else { return nil }
        return SessionRecordEntry(
            name: name, modified: stored.modified, record: SessionRecord(decoding: stored.bytes))
    }

    fileprivate func listed(prefix: String) -> ListedRecordSequence {
        ListedRecordSequence(store: store, prefix: prefix)
    }
}

/// A record as the store returned it.
package struct SessionRecordEntry: Hashable, Sendable {
    package var name: String
    /// Time of the last write, by the store's clock; `nil` if the store does not report it.
    package var modified: Date?
    /// The decoded record; `nil` if it cannot be read, because it is damaged or a later version of Sluice wrote it.
    package var record: SessionRecord?

    package init(name: String, modified: Date?, record: SessionRecord?) {
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
        fileprivate var listed: ListedRecordSequence.AsyncIterator

        package mutating func next() async throws(StoreError) -> SessionRecordEntry? {
            try await next(isolation: nil)
        }

        package mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(StoreError) -> SessionRecordEntry? {
            while let record = try await listed.next(isolation: actor) {
                if record.isEmptied { continue }
                if let entry = try await records.entry(name: record.name) { return entry }
            }
            return nil
        }
    }

    package func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(records: records, listed: records.listed(prefix: prefix).makeAsyncIterator())
    }
}

extension ListedRecord {
    /// Whether the record is one that could not be deleted and was overwritten instead.
    var isEmptied: Bool { size == 0 }
}

/// Records as the store lists them, in the order of their names. The iterator holds one page at a time.
struct ListedRecordSequence: AsyncSequence, Sendable {
    typealias Element = ListedRecord
    typealias Failure = StoreError

    fileprivate let store: any ObjectStore
    fileprivate let prefix: String

    struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let store: any ObjectStore
        fileprivate let prefix: String
        fileprivate var page: ArraySlice<ListedRecord> = []
        fileprivate var after: String?
        fileprivate var isLastPage = false

        mutating func next() async throws(StoreError) -> ListedRecord? {
            try await next(isolation: nil)
        }

        mutating func next(isolation actor: isolated (any Actor)?) async throws(StoreError) -> ListedRecord? {
            while true {
                if let record = page.popFirst() { return record }
                if isLastPage { return nil }
                let next = try await store.recordNames(prefix: prefix, after: after)
                if let name = next.next, let previous = after,
                    !previous.utf8.lexicographicallyPrecedes(name.utf8)
                {
                    throw StoreError(.damaged, "The store's list of records does not advance.")
                }
                page = next.records[...]
                after = next.next
                isLastPage = next.next == nil
            }
        }
    }

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(store: store, prefix: prefix)
    }
}

package import FoundationEssentials
package import TransferCommon
import WireProtocol

/// The session records of a store.
package struct SessionRecords: Sendable {
    private let store: any ObjectStore

    package init(store: any ObjectStore) {
        self.store = store
    }

    /// Writes a record, replacing the same session's earlier one.
    package func write(_ record: SessionRecord) async throws(StoreError) {
        let name = try SessionRecord.name(key: record.key, session: record.sessionID)
        try await store.writeRecord(name: name, bytes: try record.encoded())
    }

    /// The record of a session whose key is known.
    ///
    /// - Throws: `.damaged` where there is one that cannot be read.
    package func read(key: String, session: SessionID) async throws(StoreError) -> SessionRecord? {
        let name = try SessionRecord.name(key: key, session: session)
        guard let entry = try await entry(name: name) else { return nil }
        guard let record = entry.record, record.sessionID == session, record.key.hasSameBytes(as: key) else {
            throw StoreError(.damaged, "The session's record cannot be read.")
        }
        return record
    }

    /// Writes a session's record again where it is older than `age`, so that cleaning takes the session for what it is:
    /// gone on with. One that is not there, or cannot be read, is left so.
    package func renew(key: String, session: SessionID, olderThan age: Duration) async throws(StoreError) {
        let name = try SessionRecord.name(key: key, session: session)
        guard let entry = try await entry(name: name), let record = entry.record, record.sessionID == session,
            record.key.hasSameBytes(as: key),
            entry.modified < (try await store.currentTime()) - age / .seconds(1)
        else { return }
        try await write(record)
    }

    /// Removes a session's record. One that is not there is no error.
    package func remove(key: String, session: SessionID) async throws(StoreError) {
        try await store.deleteRecord(name: try SessionRecord.name(key: key, session: session))
    }

    /// The records of all sessions of a key, for adoption. Unreadable ones are among them, without a `record`.
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

    /// All records, page by page, each read when it is asked for. One that vanishes meanwhile is passed over.
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

/// A record as it was found.
package struct SessionRecordEntry: Hashable, Sendable {
    package var name: String
    /// When it was last written, by the store's clock.
    package var modified: Date
    /// `nil` where it cannot be read: damaged, or written by a later version of this program.
    package var record: SessionRecord?

    package init(name: String, modified: Date, record: SessionRecord?) {
        self.name = name
        self.modified = modified
        self.record = record
    }
}

/// Records in the order of their names. Holds one page of names at a time.
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

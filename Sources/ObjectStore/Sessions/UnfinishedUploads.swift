import FoundationEssentials
package import TransferCommon
import WireProtocol

/// The unfinished uploads, found during iteration. The store's clock is read once, at the start.
package struct UnfinishedUploads: AsyncSequence, Sendable {
    package typealias Element = UnfinishedEntry
    package typealias Failure = StoreError

    let cleaner: UploadCleaner

    package struct AsyncIterator: AsyncIteratorProtocol {
        private enum Clock {
            case notAsked
            case told(Date?)
        }

        fileprivate let cleaner: UploadCleaner
        fileprivate var listed: ListedRecordSequence.AsyncIterator
        private var clock = Clock.notAsked

        fileprivate init(cleaner: UploadCleaner) {
            self.cleaner = cleaner
            self.listed = cleaner.records.listed.makeAsyncIterator()
        }

        package mutating func next() async throws(StoreError) -> UnfinishedEntry? {
            try await next(isolation: nil)
        }

        package mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(StoreError) -> UnfinishedEntry? {
            let now: Date?
            switch clock {
            case .told(let known): now = known
            case .notAsked:
                now = try await cleaner.store.currentTime()
                clock = .told(now)
            }
            while let record = try await listed.next(isolation: actor) {
                if !record.isEmptied, let entry = try await entry(record.name, now: now) { return entry }
            }
            return nil
        }

        /// - Returns: `nil` if the record has been removed meanwhile. A record that cannot be read does not end the
        ///   iteration.
        private func entry(_ name: String, now: Date?) async throws(StoreError) -> UnfinishedEntry? {
            let read: SessionRecordEntry?
            do {
                read = try await cleaner.records.entry(name: name)
            } catch {
                guard error.reason != .cancelled else { throw error }
                return .unreadable(name: name, error)
            }
            guard let entry = read else { return nil }
            guard let record = entry.record else { return .unreadable(name: name, nil) }
            do {
                let found = try await cleaner.look(at: record, under: ObjectKey(record.key), of: entry)
                return .upload(found, age: found.age(at: now))
            } catch {
                guard error.reason != .cancelled else { throw error }
                return .failed(record, error)
            }
        }
    }

    package func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(cleaner: self.cleaner)
    }
}

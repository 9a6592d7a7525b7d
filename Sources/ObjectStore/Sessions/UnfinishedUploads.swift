import FoundationEssentials
package import TransferCommon
import WireProtocol

/// The unfinished uploads, found during iteration. The store's clock is read once, at the start.
package struct UnfinishedUploads: AsyncSequence, Sendable {
    package typealias Element = UnfinishedEntry
    package typealias Failure = StoreError

    let cleaner: UploadCleaner

    package struct AsyncIterator: AsyncIteratorProtocol {
        /// The store's time, asked for once.
        private enum Clock {
            case notAsked
            case told(Date?)
        }

        fileprivate let cleaner: UploadCleaner
        fileprivate var entries: SessionRecordSequence.AsyncIterator
        private var clock = Clock.notAsked

        fileprivate init(cleaner: UploadCleaner) {
            self.cleaner = cleaner
            self.entries = cleaner.records.all.makeAsyncIterator()
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
            guard let entry = try await entries.next(isolation: actor) else { return nil }
            guard let record = entry.record else { return .unreadable(name: entry.name) }
            do {
                let found = try await cleaner.look(at: record, under: ObjectKey(record.key), of: entry)
                return .upload(found, age: found.age(at: now))
            } catch {
                return .failed(record, error)
            }
        }
    }

    package func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(cleaner: self.cleaner)
    }
}

import Foundation
import GRDB
import Logging
import Synchronization
package import TransferCore

/// Commits journal writes in the order in which they were queued. All writes that are queued when a commit begins share
/// one transaction.
///
/// A small file needs two or three writes. Because they share transactions, a thousand files cost a few disk syncs
/// instead of thousands.
package final class JournalWriter: Sendable {
    private struct State {
        var queued: [(sequence: JournalSequence, write: JournalWrite)] = []
        /// Subjects of the queued writes only: copying all subjects for each batch would be slow.
        var queuedSubjects: [UploadID: Journal.Subject] = [:]
        var subjects: [UploadID: Journal.Subject] = [:]
    }

    private let journal: Journal
    private let state = Mutex(State())
    private let wakes: AsyncStream<Void>
    private let waker: AsyncStream<Void>.Continuation

    init(journal: Journal) {
        self.journal = journal
        (wakes, waker) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Registers what the machine does not know of an upload, such as its path and key. Call before the upload's first
    /// write.
    func register(_ id: UploadID, _ subject: Journal.Subject) {
        state.withLock { $0.subjects[id] = subject }
    }

    func forget(_ id: UploadID) {
        state.withLock { $0.subjects[id] = nil }
    }

    /// Queues a write. Call `wake` after the last write of a group.
    func enqueue(_ sequence: JournalSequence, _ write: JournalWrite) {
        state.withLock { state in
            state.queued.append((sequence, write))
            switch write {
            case .began(let id, _), .finished(let id, _): state.queuedSubjects[id] = state.subjects[id]
            case .token, .stored, .unstored, .restamped, .lost, .fruitless, .dropping, .mayStillAppear, .site,
                .proved, .doubted, .receipt:
                break
            }
        }
    }

    /// Starts committing the queued writes.
    func wake() {
        waker.yield()
    }

    /// Announces that no more writes follow. `run` returns when all queued writes are committed.
    func finish() {
        wake()
        waker.finish()
    }

    /// Commits queued writes until `finish` or a failure.
    ///
    /// - Parameters:
    ///   - committed: called with the number of the last durable write.
    ///   - failed: called with the reason if the journal cannot be written. The journal then has the content of the
    ///     last successful commit.
    func run(
        committed: @Sendable (JournalSequence) async -> Void, failed: @Sendable (UploadFailure) async -> Void
    ) async {
        for await _ in wakes {
            while true {
                let (batch, subjects) = state.withLock { state in
                    defer { (state.queued, state.queuedSubjects) = ([], [:]) }
                    return (state.queued, state.queuedSubjects)
                }
                guard let last = batch.last else { break }
                do {
                    let now = Int64(Date().timeIntervalSince1970 * 1_000)
                    try await Self.blocking { [journal] in
                        try journal.apply(batch.map(\.write), nowMilliseconds: now) { subjects[$0] }
                    }
                    await committed(last.sequence)
                } catch {
                    await failed(Self.failure(error))
                    return
                }
            }
        }
    }

    private static func blocking(_ body: @escaping @Sendable () throws -> Void) async throws {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(with: Result { try body() }) }
        }
    }

    /// The failure with which a run ends because of an error of the journal.
    package static func failure(_ error: any Error) -> UploadFailure {
        if let failure = error as? UploadFailure { return failure }
        guard let error = error as? DatabaseError else {
            return UploadFailure(.journalFull, "the journal cannot be used")
        }
        if error.resultCode == .SQLITE_FULL {
            return UploadFailure(.journalFull, "this machine's disk is full: the journal cannot be written")
        }
        // SQLite's own text, such as "disk I/O error", without the statement and its arguments.
        return UploadFailure(
            .journalFull, "the journal cannot be used (\(error.message ?? "SQLite gives no reason"))")
    }
}

import Foundation
import GRDB
import Logging
import Synchronization
import TransferCore

/// Commits journal writes in the order they were asked for, many in one transaction where many wait.
///
/// A small file's life is two or three writes; joined, a thousand files cost a few syncs of the disk, not thousands.
final class JournalWriter: Sendable {
    private struct State {
        var queued: [(sequence: JournalSequence, write: JournalWrite)] = []
        /// Of the uploads that are queued: all of them would be copied for each batch.
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

    /// Names what an upload's row is about, before anything is written of it.
    func register(_ id: UploadID, _ subject: Journal.Subject) {
        state.withLock { $0.subjects[id] = subject }
    }

    func forget(_ id: UploadID) {
        state.withLock { $0.subjects[id] = nil }
    }

    /// Takes a write in. `wake` follows, after this or after more of them.
    func enqueue(_ sequence: JournalSequence, _ write: JournalWrite) {
        state.withLock { state in
            state.queued.append((sequence, write))
            switch write {
            case .began(let id, _), .finished(let id, _): state.queuedSubjects[id] = state.subjects[id]
            case .token, .stored, .unstored, .restamped, .lost, .dropping, .mayStillAppear, .site, .receipt: break
            }
        }
    }

    /// Has what is enqueued committed.
    func wake() {
        waker.yield()
    }

    /// No more writes will come; `run` ends when all are committed.
    func finish() {
        wake()
        waker.finish()
    }

    /// Commits until `finish` or a failure.
    ///
    /// - Parameters:
    ///   - committed: told the last write that is durable.
    ///   - failed: told why nothing more can be written; the journal is as it was at the last commit.
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

    static func failure(_ error: any Error) -> UploadFailure {
        let isFull = (error as? DatabaseError)?.resultCode == .SQLITE_FULL
        return UploadFailure(
            .journalFull,
            isFull
                ? "this machine's disk is full: the journal cannot be written"
                : "the journal cannot be written: \(error)")
    }
}

import NIOPosix
import SecureChannel
import Synchronization
import TransferCommon
package import TransferCore

// Pushes files. Finds files, examines each until no process is writing it (`FileSettling`), and submits them as the
// core has capacity.

extension UploadFeeder {
    /// Note to the user when a walk meets the agent's own home.
    package static let homeNote = "left out: the agent's home"

    /// Maximum number of files examined and submitted together.
    static let batchMax = 64

    /// How often a waiting feeder checks whether the run was stopped.
    private static let stopInterval = Duration.milliseconds(100)

    /// Maximum number of files waiting for their second look. These files are not open while they wait.
    private static let waitingMax = 8_192

    /// State of one push of files.
    private struct FilePush {
        var settling: FileSettling
        let clock: FileClock
        let startedAt = ContinuousClock.now
        /// The highest upload number used so far.
        var last: UploadID
        /// Number of files submitted.
        var count = 0
        /// Files that wait for their next look.
        var waiting: [FileSettling.FileID: FileBatches.Candidate] = [:]
        var lastFile: FileSettling.FileID = 0

        var now: Instant { Instant(nanoseconds: 0) + (ContinuousClock.now - startedAt) }

        /// Files whose waiting time has passed.
        mutating func due(atMost count: Int) -> [Subject] {
            var due: [Subject] = []
            while due.count < count, let file = settling.takeDue(now: now) {
                if let candidate = waiting.removeValue(forKey: file) {
                    due.append(Subject(file: file, candidate: candidate))
                }
            }
            return due
        }

        /// Assigns file numbers to files that are examined for the first time.
        mutating func subjects(of candidates: [FileBatches.Candidate]) -> [Subject] {
            candidates.map { candidate in
                lastFile += 1
                return Subject(file: lastFile, candidate: candidate)
            }
        }
    }

    /// A file to be examined.
    private struct Subject: Sendable {
        var file: FileSettling.FileID
        var candidate: FileBatches.Candidate
    }

    /// An examined file with its journal record.
    private struct Look: Sendable {
        var subject: Subject
        var record: Journal.KeyRecord
        var file: Result<(source: SourceFile, seen: FileSettling.Look), UploadFailure>

        var candidate: FileBatches.Candidate { subject.candidate }
    }

    /// - Returns: the number of submitted files. Other files were reported as failed or are counted in `notBegun`.
    func push(_ batches: FileBatches, notBegun: inout NotBegun, _ events: Events) async throws -> Int {
        let walk = SharedWalk(batches, control: control)
        var push = FilePush(
            settling: FileSettling(distance: configuration.settle, waitingMax: Self.waitingMax),
            clock: FileClock(path: home.clockPath), last: UploadID(try journal.lastUpload()))
        while true {
            let room = await shell.waitForRoom()
            guard !isStopped else { break }
            let count = min(room, Self.batchMax)
            var batch = push.due(atMost: count)[...]
            if batch.isEmpty, !push.settling.isFull {
                batch = push.subjects(of: try await threads.runIfActive { walk.next(atMost: count) })[...]
            }
            guard !batch.isEmpty else {
                guard let deadline = push.settling.nextDeadline else { break }
                await sleep(for: deadline.since(push.now))
                continue
            }
            while !batch.isEmpty, !isStopped {
                // Wait until the first key is free of other uploads. Files whose key is still busy, or appears twice,
                // follow in a later round.
                let free = batch.prefix(await shell.waitForFree(batch.map(\.candidate.key)))
                guard !isStopped else { break }
                var keys = KeySet()
                let ready = free.prefix { keys.insert($0.candidate) }
                batch = batch.dropFirst(ready.count)
                await self.push(ready, &push, events)
            }
            notBegun.count += batch.count
        }
        notBegun.count += push.waiting.count
        if isStopped { notBegun = notBegun + (try await threads.runIfActive { walk.countRest() }) }
        return push.count
    }

    /// Sleeps, but returns early if the run is stopped.
    private func sleep(for duration: Duration) async {
        let end = ContinuousClock.now + duration
        while !isStopped, ContinuousClock.now < end {
            // Cancellation ends the sleep early; the caller checks for a stop.
            try? await Task.sleep(until: min(end, ContinuousClock.now + Self.stopInterval), clock: .continuous)
        }
    }

    private func push(_ batch: ArraySlice<Subject>, _ push: inout FilePush, _ events: Events) async {
        var ready: [Look] = []
        var unread: [Look] = []
        do {
            for look in try await look(at: batch, push.clock, events) {
                switch judge(look, &push, events) {
                case .ready?: ready.append(look)
                case .hash?: unread.append(look)
                default: break
                }
            }
        } catch {
            let failure = JournalWriter.failure(error)
            for subject in batch { push.settling.forget(subject.file) }
            events.yield(batch.map { .refused(path: $0.candidate.path, key: $0.candidate.key, failure) })
        }
        await handIn(ready, &push, events)
        // Submit the files that need no hashing first, so that they do not wait.
        for look in unread {
            let read = await hash(look, push.clock)
            if case .ready? = judge(read, &push, events) { await handIn([read], &push, events) }
        }
    }

    /// - Returns: `nil` if the file failed. The failure was reported.
    private func judge(_ look: Look, _ push: inout FilePush, _ events: Events) -> FileSettling.Verdict? {
        let (path, key) = (look.candidate.path, look.candidate.key)
        let isResumable = look.record.unfinished != nil
        switch look.file {
        case .failure(let failure):
            push.settling.forget(look.subject.file)
            events.yield([.refused(path: path, key: key, failure, isResumable: isResumable)])
            return nil
        case .success(let file):
            let verdict = push.settling.looked(look.subject.file, file.seen, now: push.now)
            switch verdict {
            case .ready, .hash: break
            case .lookAgain: push.waiting[look.subject.file] = look.candidate
            case .stillWritten:
                let failure = UploadFailure(.stillWritten)
                events.yield([.refused(path: path, key: key, failure, isResumable: isResumable)])
            }
            return verdict
        }
    }

    private func look(
        at batch: ArraySlice<Subject>, _ clock: FileClock, _ events: Events
    ) async throws -> [Look] {
        let homes = batch.filter { $0.candidate.finding == .home }
        if !homes.isEmpty { events.yield(homes.map { .note(key: $0.candidate.path, Self.homeNote) }) }
        let files = batch.filter { $0.candidate.finding != .home }
        return try await threads.runIfActive { [journal] in
            zip(files, try journal.records(ofKeys: files.map(\.candidate.key))).map { subject, record in
                let file = Result { () throws(UploadFailure) in
                    let source = try Self.open(subject.candidate.finding)
                    return (source: source, seen: try source.look(clock: clock))
                }
                return Look(subject: subject, record: record, file: file)
            }
        }
    }

    static func open(_ finding: FileWalk.Finding) throws(UploadFailure) -> SourceFile {
        switch finding {
        case .file(let location): try SourceFile.open(location)
        case .refused(let failure): throw failure
        case .home: throw .noRegularFile
        }
    }

    /// Examines the file again, now with the digest of its content.
    private func hash(_ look: Look, _ clock: FileClock) async -> Look {
        guard case .success(let file) = look.file else { return look }
        var look = look
        do {
            let hash = try ContentHash(of: file.source)
            var digest: SHA256Digest?
            while digest == nil {
                guard !isStopped else { throw UploadFailure(.stopped, "interrupted") }
                digest = try await threads.runIfActive { try hash.step() }
            }
            var seen = try await threads.runIfActive { try file.source.look(clock: clock) }
            if seen.stamp.size == file.seen.stamp.size, seen.stamp.modification == file.seen.stamp.modification {
                seen.digest = digest
            } else {
                // The file changed during hashing, so the digest belongs to no single version.
                seen.lease = .refused
            }
            look.file = .success((file.source, seen))
        } catch let failure as UploadFailure {
            look.file = .failure(failure)
        } catch {
            look.file = .failure(UploadFailure(.unreadable, "it cannot be hashed: \(error)"))
        }
        return look
    }

    /// Submits files that no process is writing.
    private func handIn(_ ready: [Look], _ push: inout FilePush, _ events: Events) async {
        var requests: [Request] = []
        var rest = ready[...]
        do {
            for var look in ready {
                let key = look.candidate.key
                if let marked = look.record.unfinished, marked.isDropping {
                    // Submit the earlier files now, so that they do not wait until this upload is dropped.
                    push.count += await submit(requests, events)
                    requests = []
                    push.count += await takeUp(marked.id, at: nil, abort: true, events)
                    _ = await shell.waitForFree([key])
                    look.record = try journal.record(ofKey: key)
                }
                do throws(UploadFailure) {
                    requests.append(try request(for: look, last: &push.last))
                } catch {
                    let isResumable = look.record.unfinished != nil
                    events.yield([.refused(path: look.candidate.path, key: key, error, isResumable: isResumable)])
                }
                rest = rest.dropFirst()
            }
        } catch {
            let failure = JournalWriter.failure(error)
            events.yield(rest.map { .refused(path: $0.candidate.path, key: $0.candidate.key, failure) })
        }
        push.count += await submit(requests, events)
    }

    private func request(for look: Look, last: inout UploadID) throws(UploadFailure) -> Request {
        let file = try look.file.get()
        try Self.check(size: file.seen.stamp.size, expected: configuration.expectedBytes)
        let known = look.record.unfinished
        if known == nil { last = UploadID(last.value + 1) }
        var request = UploadRequest(
            id: known?.id ?? last, purpose: .push, key: look.candidate.key, stamp: file.seen.stamp,
            policy: configuration.policy, partBytesWish: configuration.partBytesWish, saved: known?.saved,
            wasStoredBefore: look.record.hasReceipt)
        request.metadata = configuration.metadata
        request.proof = look.record.proof
        request.withdrawn = look.record.withdrawn
        request.wantsReceipt = configuration.wantsReceipts || known?.wantsReceipt == true
        request.stampCounts = file.seen.stampCounts
        return (request, look.candidate.path, .file(file.source))
    }

    /// Throws if the file does not have the size that the user expects.
    package static func check(size: UInt64, expected: UInt64?) throws(UploadFailure) {
        guard let expected, size != expected else { return }
        throw .incomplete("it has \(size) bytes, and \(expected) are expected")
    }
}

/// The keys of files that are examined together. Keys are compared as bytes, because `String` treats different
/// encodings of a character as equal.
private struct KeySet {
    private var keys: Set<[UInt8]> = []

    /// - Returns: whether no other file in the set has the same key. A file that is not sent has no key and never
    ///   conflicts.
    mutating func insert(_ candidate: FileBatches.Candidate) -> Bool {
        guard case .file = candidate.finding else { return true }
        return keys.insert(Array(candidate.key.utf8)).inserted
    }
}

/// The walk of a push, used by one pool thread at a time because disk access blocks.
final class SharedWalk: Sendable {
    /// Maximum time for counting the remaining files after a stop.
    private static let countingTime = Duration.milliseconds(500)

    private let batches: Mutex<FileBatches>
    private let control: UploadControl

    init(_ batches: FileBatches, control: UploadControl) {
        self.batches = Mutex(batches)
        self.control = control
    }

    func next(atMost count: Int) -> [FileBatches.Candidate] {
        batches.withLock { $0.next(atMost: count) }
    }

    /// Counts the files that the walk has not reached.
    ///
    /// The time limit starts here and not at the stop, because a feeder that notices the stop late would otherwise
    /// count nothing.
    func countRest() -> NotBegun {
        batches.withLock { batches in
            let end = ContinuousClock.now + Self.countingTime
            return batches.countRest { [control] in control.isStoppedAtOnce || ContinuousClock.now >= end }
        }
    }
}

import NIOPosix
import Synchronization
import SystemSupport
import TransferCommon
import TransferCore

/// One push of files. Finds files and examines each of them until no process is writing it (`FileSettling`). Then
/// submits the file as soon as the shell has room for another upload.
struct FilePush {
    /// While the push sleeps, it checks at this interval whether the run was stopped.
    private static let stopInterval = Duration.milliseconds(100)

    /// Maximum number of files that wait to be examined again. A waiting file is not open.
    private static let waitingMax = 8_192

    private struct Subject: Sendable {
        var file: FileSettling.FileID
        var candidate: FileBatches.Candidate
    }

    private struct Look: Sendable {
        var subject: Subject
        var record: Journal.KeyRecord
        var file: Result<(source: SourceFile, seen: FileSettling.Look), UploadFailure>

        var candidate: FileBatches.Candidate { subject.candidate }
    }

    private let submission: UploadSubmission
    private let walk: SharedWalk
    private let control: UploadControl
    private var settling: FileSettling
    private let clock: FileClock
    private let time = MonotonicClock()
    private var last: UploadID
    private var count = 0
    /// Files that the push has found and will not submit, because the run has ended.
    private var leftCount = 0
    private var waiting: [FileSettling.FileID: FileBatches.Candidate] = [:]
    /// Files that could not be opened for want of a descriptor. They are opened again after a pause.
    private var unopened: [Subject] = []
    private var descriptorWait: DescriptorWait
    private var lastFile: FileSettling.FileID = 0
    /// What is put before every key; `nil` once the user knows what that does to the keys.
    private var unexplainedPrefix: String?

    /// Makes a push after reading the clock and the journal's last upload number.
    ///
    /// - Parameter clockPath: path of the file that keeps the clock's first reading.
    static func begin(
        _ batches: FileBatches, _ submission: UploadSubmission, clockPath: String, _ control: UploadControl
    ) async throws -> FilePush {
        let (clock, last) = try await submission.read { (FileClock(path: clockPath), try $0.lastUpload()) }
        return FilePush(batches, submission, clock: clock, last: UploadID(last), control)
    }

    private init(
        _ batches: FileBatches, _ submission: UploadSubmission, clock: FileClock, last: UploadID,
        _ control: UploadControl
    ) {
        self.submission = submission
        self.control = control
        self.clock = clock
        self.walk = SharedWalk(batches, control: control)
        self.descriptorWait = DescriptorWait(patience: submission.configuration.limits.retryFor)
        self.settling = FileSettling(distance: submission.configuration.settle, waitingMax: Self.waitingMax)
        self.last = last
        self.unexplainedPrefix = batches.prefixOfKeys
    }

    private var isStopped: Bool { control.isStopped }
    private var now: Instant { time.now }

    /// Submits the files that the walk finds.
    ///
    /// - Returns: the number of submitted files. Every other file was reported as failed or is counted in `notBegun`.
    mutating func run(notBegun: inout NotBegun) async throws -> Int {
        while true {
            await submission.events.waitUntilRead()
            let room = await submission.shell.waitForRoom()
            if descriptorWait.isWaiting { await sleep(for: DescriptorWait.pause) }
            guard !isStopped else { break }
            let fileCount = min(room, UploadFeeder.batchMax)
            var batch = due(atMost: fileCount)[...]
            if batch.isEmpty { batch = takeUnopened(atMost: fileCount)[...] }
            if batch.isEmpty, !settling.isFull {
                let found = try await found(atMost: fileCount)
                explainPrefix(found.candidates)
                batch = subjects(of: found.candidates)[...]
                if batch.isEmpty, found.lacksDescriptor { continue }
            }
            guard !batch.isEmpty else {
                guard let deadline = settling.nextDeadline else { break }
                await sleep(for: deadline.since(now))
                continue
            }
            while !batch.isEmpty, !isStopped {
                // Wait until no upload to the first key is active. A file whose key still has an active upload, or
                // appears twice in the batch, follows in a later round of this loop.
                let free = batch.prefix(await submission.shell.waitForFree(batch.map(\.candidate.key)))
                guard !isStopped else { break }
                var keys = KeySet()
                let ready = free.prefix { keys.insert($0.candidate) }
                batch = batch.dropFirst(ready.count)
                await push(ready)
            }
            notBegun.count += batch.count
        }
        notBegun.count += waiting.count + unopened.count + leftCount
        if isStopped { notBegun = notBegun + (try await submission.threads.runIfActive { [walk] in walk.countRest() }) }
        submission.events.add([.leftOut(walk.specialFiles)])
        return count
    }

    private mutating func explainPrefix(_ candidates: [FileBatches.Candidate]) {
        guard let prefix = unexplainedPrefix, let first = candidates.first(where: { $0.failure == nil }) else { return }
        unexplainedPrefix = nil
        guard let sentence = KeyAdvice.sentence(prefix: prefix, firstKey: first.key) else { return }
        submission.events.add([.note(key: first.key, sentence)])
    }

    private func sleep(for duration: Duration) async {
        let end = ContinuousClock.now + duration
        while !isStopped, ContinuousClock.now < end {
            // try?: cancellation ends the sleep early, and the caller checks whether the run was stopped.
            try? await Task.sleep(until: min(end, ContinuousClock.now + Self.stopInterval), clock: .continuous)
        }
    }

    private mutating func due(atMost count: Int) -> [Subject] {
        var due: [Subject] = []
        while due.count < count, let file = settling.takeDue(now: now) {
            if let candidate = waiting.removeValue(forKey: file) {
                due.append(Subject(file: file, candidate: candidate))
            }
        }
        return due
    }

    private mutating func takeUnopened(atMost count: Int) -> [Subject] {
        defer { unopened.removeFirst(min(count, unopened.count)) }
        return Array(unopened.prefix(count))
    }

    /// The next files of the walk. If there is no descriptor for a directory, the walk refuses the directory only after
    /// the run has waited as long as `DescriptorWait` allows.
    private mutating func found(atMost count: Int) async throws -> FileBatches.Batch {
        func next(waits: Bool) async throws -> FileBatches.Batch {
            try await submission.threads.runIfActive { [walk] in walk.next(atMost: count, waitsForDescriptor: waits) }
        }
        let batch = try await next(waits: true)
        guard batch.lacksDescriptor, batch.candidates.isEmpty else { return batch }
        return descriptorWait.wasRefused(now: now) ? batch : try await next(waits: false)
    }

    private mutating func subjects(of candidates: [FileBatches.Candidate]) -> [Subject] {
        candidates.map { candidate in
            lastFile += 1
            return Subject(file: lastFile, candidate: candidate)
        }
    }

    private mutating func push(_ batch: ArraySlice<Subject>) async {
        var ready: [Look] = []
        var unread: [Look] = []
        do {
            for look in try await look(at: batch) {
                switch judge(look) {
                case .ready?: ready.append(look)
                case .hash?: unread.append(look)
                default: break
                }
            }
        } catch {
            for subject in batch { settling.forget(subject.file) }
            journalFailed(error, leaving: batch.count)
        }
        await handIn(ready)
        // The files that need no hashing were submitted first, so that they do not wait for the others to be hashed.
        for look in unread {
            let read = await hash(look)
            if case .ready? = judge(read) { await handIn([read]) }
        }
    }

    /// Ends the run, because each further file would fail for the same reason.
    private mutating func journalFailed(_ error: any Error, leaving count: Int) {
        let failure = JournalWriter.failure(error)
        control.end(failure)
        submission.events.add([.ended(failure)])
        leftCount += count
    }

    /// - Returns: `nil` if the file failed. The failure was reported.
    private mutating func judge(_ look: Look) -> FileSettling.Verdict? {
        let (path, key) = (look.candidate.path, look.candidate.key)
        let isResumable = look.record.unfinished != nil
        switch look.file {
        case .failure(let failure) where failure.kind == .tooManyOpenFiles && descriptorWait.wasRefused(now: now):
            unopened.append(look.subject)
            return nil
        case .failure(let failure):
            settling.forget(look.subject.file)
            submission.events.add([.refused(path: path, key: key, failure, isResumable: isResumable)])
            return nil
        case .success(let file):
            descriptorWait.wasOpened()
            let verdict = settling.looked(look.subject.file, file.seen, now: now)
            switch verdict {
            case .ready, .hash: break
            case .lookAgain: waiting[look.subject.file] = look.candidate
            case .stillWritten:
                let failure = UploadFailure(.stillWritten)
                submission.events.add([.refused(path: path, key: key, failure, isResumable: isResumable)])
            }
            return verdict
        }
    }

    private func look(at batch: ArraySlice<Subject>) async throws -> [Look] {
        let homes = batch.filter { $0.candidate.finding == .home }
        if !homes.isEmpty {
            submission.events.add(homes.map { .note(key: $0.candidate.path, UploadFeeder.homeNote) })
        }
        let files = batch.filter { $0.candidate.finding != .home }
        let withReceipts = submission.configuration.wantsReceipts
        return try await submission.threads.runIfActive { [journal = submission.journal, clock] in
            let records = try journal.records(ofKeys: files.map(\.candidate.key), withReceipts: withReceipts)
            return zip(files, records).map { subject, record in
                let file = Result { () throws(UploadFailure) in
                    let source = try subject.candidate.finding.open()
                    return (source: source, seen: try source.look(clock: clock))
                }
                return Look(subject: subject, record: record, file: file)
            }
        }
    }

    private func hash(_ look: Look) async -> Look {
        guard case .success(let file) = look.file else { return look }
        var look = look
        do {
            let hash = try ContentHash(of: file.source)
            var digest: SHA256Digest?
            while digest == nil {
                guard !isStopped else { throw control.ending ?? UploadFailure.interrupted }
                digest = try await submission.threads.runIfActive { try hash.step() }
            }
            var seen = try await submission.threads.runIfActive { try file.source.look(clock: clock) }
            if seen.stamp.size == file.seen.stamp.size, seen.stamp.modification == file.seen.stamp.modification {
                seen.digest = digest
            } else {
                // The file changed while it was hashed, so the digest belongs to no version of the file. Treat the file
                // as one that a process is writing.
                seen.lease = .refused
            }
            look.file = .success((file.source, seen))
        } catch let failure as UploadFailure {
            look.file = .failure(failure)
        } catch {
            look.file = .failure(.cannotProcess(error))
        }
        return look
    }

    private mutating func handIn(_ ready: [Look]) async {
        var requests: [UploadSubmission.Request] = []
        var rest = ready[...]
        do {
            for var look in ready {
                let key = look.candidate.key
                if let marked = look.record.unfinished, marked.isDropping {
                    // The key of this file has an unfinished upload that is marked to be dropped. Submit the files
                    // before this file now, so that they do not wait for the drop.
                    count += await submission.submit(requests)
                    requests = []
                    count += await submission.takeUp(marked.id, at: nil, abort: true)
                    _ = await submission.shell.waitForFree([key])
                    look.record = try await submission.read { try $0.record(ofKey: key) }
                }
                do throws(UploadFailure) {
                    requests.append(try request(for: look))
                } catch {
                    let isResumable = look.record.unfinished != nil
                    let path = look.candidate.path
                    submission.events.add([.refused(path: path, key: key, error, isResumable: isResumable)])
                }
                rest = rest.dropFirst()
            }
        } catch {
            journalFailed(error, leaving: rest.count)
        }
        count += await submission.submit(requests)
    }

    private mutating func request(for look: Look) throws(UploadFailure) -> UploadSubmission.Request {
        let file = try look.file.get()
        try UploadFeeder.check(size: file.seen.stamp.size, expected: submission.configuration.expectedBytes)
        if look.record.unfinished == nil { last = UploadID(last.value + 1) }
        let configuration = submission.configuration
        var request = UploadRequest(
            pushing: look.candidate.key, file.seen.stamp, after: look.record, newID: last,
            policy: configuration.policy, partBytesWish: configuration.partBytesWish,
            metadata: configuration.metadata, wantsReceipt: configuration.wantsReceipts)
        request.proof = look.record.proof
        request.signedReceipt = look.record.signedReceipt
        if let proof = look.record.proof, !configuration.readsUnchanged {
            request.isUnchanged = FileCheck.isStampOf(proof, file.seen)
        }
        request.stampCounts = file.seen.stampCounts
        return (request, look.candidate.location, .file(file.source))
    }
}

extension FileWalk.Finding {
    func open() throws(UploadFailure) -> SourceFile {
        switch self {
        case .file(let location): try SourceFile.open(location)
        case .refused(let failure): throw failure
        case .home: throw .noRegularFile
        }
    }
}

/// The keys of files that are examined together. Keys are compared as bytes: two keys with different encodings of a
/// character are different keys, but equal as `String`.
private struct KeySet {
    private var keys: Set<[UInt8]> = []

    /// Adds the key of a candidate that is a file.
    ///
    /// - Returns: whether no other file in the set has the same key; `true` also for a candidate that is not a file,
    ///   because the push sends nothing under its key.
    mutating func insert(_ candidate: FileBatches.Candidate) -> Bool {
        guard case .file = candidate.finding else { return true }
        return keys.insert(Array(candidate.key.utf8)).inserted
    }
}

/// Lets one pool thread at a time use the walk of a push. The event loop must not use the walk, because disk access
/// blocks.
final class SharedWalk: Sendable {
    private static let countingTime = Duration.milliseconds(500)

    private let batches: Mutex<FileBatches>
    private let control: UploadControl

    init(_ batches: FileBatches, control: UploadControl) {
        self.batches = Mutex(batches)
        self.control = control
    }

    func next(atMost count: Int, waitsForDescriptor waits: Bool) -> FileBatches.Batch {
        batches.withLock { $0.next(atMost: count, waitsForDescriptor: waits) }
    }

    var specialFiles: SpecialFiles { batches.withLock { $0.specialFiles } }

    /// Counts the files that the walk has not reached.
    ///
    /// The time limit starts with this call and not when the user stops the run. Otherwise a push that notices the stop
    /// late would have no time left to count.
    func countRest() -> NotBegun {
        batches.withLock { batches in
            let end = ContinuousClock.now + Self.countingTime
            return batches.countRest { [control] in control.isStoppedAtOnce || ContinuousClock.now >= end }
        }
    }
}

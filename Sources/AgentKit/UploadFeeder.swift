import FoundationEssentials
import NIOPosix
import Synchronization
import TransferCore
import WireProtocol

/// Hands files to the core as it has room for them, so that a million files wait on the disk and not in memory.
struct UploadFeeder {
    let core: AgentCore
    let journal: Journal
    let writer: JournalWriter
    let configuration: Uploader.Configuration
    let threads: NIOThreadPool
    let control: UploadControl

    private typealias Events = AsyncStream<[CoreEvent]>.Continuation

    /// Returns when everything has been handed in, or soon after a stop.
    func feed(_ work: Uploader.Work, events: AsyncStream<[CoreEvent]>.Continuation) async {
        var count = 0
        var notBegun = NotBegun()
        do {
            switch work {
            case .push(let paths, let key, let prefix, let filter):
                count = await drop(try journal.dropping(), events)
                if paths == [SourceStream.path], let key {
                    if control.isStopped { notBegun.count = 1 } else { count += try await pushStream(key: key, events) }
                } else {
                    var files = FileWalk(paths: paths, filter: filter)
                    files.isInterrupted = { [control] in control.isStopped }
                    let batches = FileBatches(files: files, key: key, prefix: prefix)
                    count += try await push(batches, notBegun: &notBegun, events)
                }
            case .unfinished(let ids, let path, let dropped):
                // What was to be dropped before is not forgotten.
                let marked = try journal.dropping().filter { !dropped.contains($0) }
                count = await drop(dropped + marked, events)
                let resumable = try journal.unfinished().map(\.row).filter { !$0.isDropping }.map(\.id)
                var seen = Set(dropped + marked)
                for id in ids ?? resumable where seen.insert(id).inserted {
                    guard !control.isStopped else {
                        notBegun.count += 1
                        continue
                    }
                    count += await takeUp(id, at: path, abort: false, events)
                }
            }
        } catch {
            events.yield([.refused(path: "", key: "", JournalWriter.failure(error))])
        }
        events.yield([.allSubmitted(count: count, notBegun: notBegun)])
    }

    private func drop(_ ids: [UploadID], _ events: Events) async -> Int {
        var count = 0
        for id in ids { count += await takeUp(id, at: nil, abort: true, events) }
        return count
    }

    /// Files that are looked at and handed in together, at most.
    private static let batchMax = 64

    private func push(_ batches: FileBatches, notBegun: inout NotBegun, _ events: Events) async throws -> Int {
        var count = 0
        var last = UploadID(try journal.lastUpload())
        let walk = SharedWalk(batches, control: control)
        while true {
            let room = await core.waitForRoom()
            guard !control.isStopped else { break }
            var batch = try await threads.runIfActive { walk.next(atMost: min(room, Self.batchMax)) }[...]
            guard !batch.isEmpty else { break }
            while !batch.isEmpty, !control.isStopped {
                // The first waits until nothing else goes to its key; whoever has to wait behind it comes later.
                let ready = batch.prefix(await core.waitForFree(batch.map(\.key)))
                guard !control.isStopped else { break }
                batch = batch.dropFirst(ready.count)
                count += await push(ready, last: &last, events)
            }
            notBegun.count += batch.count
        }
        if control.isStopped { notBegun = notBegun + (try await threads.runIfActive { walk.countRest() }) }
        return count
    }

    /// - Returns: how many were handed in; the others have been told of.
    private func push(_ batch: ArraySlice<FileBatches.Candidate>, last: inout UploadID, _ events: Events) async -> Int {
        var count = 0
        var requests: [Request] = []
        var rest = batch
        do {
            for var look in try await look(at: Array(batch)) {
                let key = look.candidate.key
                if let marked = look.record.unfinished, marked.isDropping {
                    // Those before it do not wait for its end.
                    count += await submit(requests, events)
                    requests = []
                    count += await takeUp(marked.id, at: nil, abort: true, events)
                    _ = await core.waitForFree([key])
                    look.record = try journal.record(ofKey: key)
                }
                do throws(UploadFailure) {
                    requests.append(try request(for: look, last: &last))
                } catch {
                    let isResumable = look.record.unfinished != nil
                    events.yield([.refused(path: look.candidate.path, key: key, error, isResumable: isResumable)])
                }
                rest = rest.dropFirst()
            }
        } catch {
            let failure = JournalWriter.failure(error)
            events.yield(rest.map { .refused(path: $0.path, key: $0.key, failure) })
        }
        return count + (await submit(requests, events))
    }

    private func request(for look: Look, last: inout UploadID) throws(UploadFailure) -> Request {
        let file = try look.file.get()
        let known = look.record.unfinished
        if known == nil { last = UploadID(last.value + 1) }
        var request = UploadRequest(
            id: known?.id ?? last, purpose: .push, key: look.candidate.key, stamp: file.stamp,
            policy: configuration.policy, partBytesWish: configuration.partBytesWish, saved: known?.saved,
            wasStoredBefore: look.record.hasReceipt)
        request.proof = look.record.proof
        request.withdrawn = look.record.withdrawn
        return (request, look.candidate.path, .file(file.source))
    }

    private typealias OpenFile = (source: SourceFile, stamp: FileStamp)

    /// A file that was found, and what is known of it.
    private struct Look: Sendable {
        var candidate: FileBatches.Candidate
        var record: Journal.KeyRecord
        var file: Result<OpenFile, UploadFailure>
    }

    private func look(at batch: [FileBatches.Candidate]) async throws -> [Look] {
        try await threads.runIfActive { [journal] in
            zip(batch, try journal.records(ofKeys: batch.map(\.key))).map { candidate, record in
                let file = Result { () throws(UploadFailure) in
                    if let failure = candidate.failure { throw failure }
                    return try Self.open(candidate.path)
                }
                return Look(candidate: candidate, record: record, file: file)
            }
        }
    }

    /// Standard input, as one object.
    private func pushStream(key: String, _ events: Events) async throws -> Int {
        let record = try journal.record(ofKey: key)
        let known = record.unfinished
        let next = UploadID(try journal.lastUpload() + 1)
        let now = ModificationTime(seconds: Int64(Date().timeIntervalSince1970), nanoseconds: 0)
        let stamp = FileStamp(device: 0, inode: 0, size: 0, modification: now, change: now)
        var request = UploadRequest(
            id: known?.id ?? next, purpose: .push, key: key, stamp: stamp,
            policy: configuration.policy, partBytesWish: configuration.partBytesWish, saved: known?.saved,
            wasStoredBefore: false)
        request.isStream = true
        request.withdrawn = record.withdrawn
        return await submit([(request, SourceStream.path, .stream(SourceStream(descriptor: 0)))], events)
    }

    /// - Returns: how many uploads were handed in, 1 or 0.
    private func takeUp(_ id: UploadID, at path: String?, abort: Bool, _ events: Events) async -> Int {
        do {
            guard let row = try journal.upload(id) else {
                let failure = UploadFailure(
                    .missing, "there is no unfinished upload \(id.value); sluice-agent status lists them")
                events.yield([.refused(path: path ?? "", key: "\(id.value)", failure)])
                return 0
            }
            let path = path ?? row.path
            let abort = abort || row.isDropping
            _ = await core.waitForRoom()
            do throws(UploadFailure) {
                let file = abort ? nil : try await reopen(path)
                let request = UploadRequest(
                    id: id, purpose: abort ? .abort : .resume, key: row.key, stamp: file?.stamp, policy: row.policy,
                    partBytesWish: nil, saved: row.saved, wasStoredBefore: false)
                return await submit([(request, path, (file?.source).map(UploadSource.file))], events)
            } catch {
                events.yield([.refused(path: path, key: row.key, error, isResumable: true)])
            }
        } catch {
            events.yield([.refused(path: path ?? "", key: "\(id.value)", JournalWriter.failure(error))])
        }
        return 0
    }

    private func reopen(_ path: String) async throws(UploadFailure) -> OpenFile {
        guard path != SourceStream.path else {
            let message = "what was read of a stream is gone with its run: drop it, and push the stream again"
            throw UploadFailure(.unreadable, message)
        }
        do {
            return try await threads.runIfActive { try Self.open(path) }
        } catch {
            throw error as? UploadFailure ?? UploadFailure(.stopped, "stopped")
        }
    }

    private typealias Request = (request: UploadRequest, path: String, source: UploadSource?)

    /// - Returns: how many they are.
    private func submit(_ requests: [Request], _ events: Events) async -> Int {
        guard !requests.isEmpty else { return 0 }
        for (request, path, _) in requests {
            writer.register(
                request.id, Journal.Subject(path: Self.absolute(path), key: request.key, policy: request.policy))
        }
        events.yield(requests.map { .submitted($0.request.id, path: $0.path, key: $0.request.key, $0.request.purpose) })
        await core.submit(requests.map { ($0.request, $0.source) })
        return requests.count
    }

    private static func open(_ path: String) throws(UploadFailure) -> OpenFile {
        let file = try SourceFile.open(path)
        return (file, try file.stamp())
    }

    /// What no gateway takes is told before anything is sent. Which keys are its own is the gateway's to say.
    static func check(_ key: String) throws(UploadFailure) {
        do {
            _ = try KeyRule.wholeKey(prefix: "", key: key)
        } catch  where error != .reserved {
            throw UploadFailure(.keyInvalid, error.message)
        } catch {
            // With the device's prefix in front it may be any key.
        }
    }

    /// A path that means the same wherever a later run is started.
    private static func absolute(_ path: String) -> String {
        path.hasPrefix("/") || path == SourceStream.path ? path : FileManager.default.currentDirectoryPath + "/" + path
    }
}

/// The files of a push, looked at by one thread after the other: a disk may take its time.
private final class SharedWalk: Sendable {
    /// How long after a stop the files that are left are counted.
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

    func countRest() -> NotBegun {
        batches.withLock { batches in
            batches.countRest { [control] in control.hasBeenStopped(for: Self.countingTime) }
        }
    }
}

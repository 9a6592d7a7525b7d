import FoundationEssentials
import NIOPosix
import Synchronization
import SystemSupport
import TransferCommon
package import TransferCore
import WireProtocol

/// Submits files to the core as it has capacity, so that a million files wait on disk instead of in memory.
package struct UploadFeeder {
    let home: AgentHome
    let shell: AgentShell
    let journal: Journal
    let writer: JournalWriter
    let configuration: Uploader.Configuration
    let threads: NIOThreadPool
    let control: UploadControl

    /// Whether no more files may be submitted.
    var isStopped: Bool { control.isStopped }

    typealias Events = AsyncStream<[ShellEvent]>.Continuation

    /// Submits all work. Returns when all is submitted, or soon after a stop.
    func feed(_ work: Uploader.Work, events: AsyncStream<[ShellEvent]>.Continuation) async {
        var count = 0
        var notBegun = NotBegun()
        do {
            switch work {
            case .push(let paths, let key, let prefix, let filter):
                count = await drop(try journal.dropping(), events)
                if paths == [SourceStream.path], let key {
                    let stream = SourceStream(descriptor: 0, expectedBytes: configuration.expectedBytes)
                    if isStopped { notBegun.count = 1 } else { count += try await push(stream, key: key, events) }
                } else {
                    var files = FileWalk(paths: paths, filter: filter, home: FileIdentity(of: home.path))
                    files.isInterrupted = { [control] in control.isStopped }
                    let batches = FileBatches(files: files, key: key, prefix: prefix)
                    count += try await push(batches, notBegun: &notBegun, events)
                }
            case .pushOutput(let command, let key):
                count = await drop(try journal.dropping(), events)
                if isStopped {
                    notBegun.count = 1
                } else {
                    count += try await push(outputOf: command, key: key, events)
                }
            case .unfinished(let ids, let path, let dropped):
                // Also drop uploads that an earlier command has marked.
                let marked = try journal.dropping().filter { !dropped.contains($0) }
                count = await drop(dropped + marked, events)
                let resumable = try journal.unfinished().map(\.row).filter { !$0.isDropping }.map(\.id)
                var seen = Set(dropped + marked)
                for id in ids ?? resumable where seen.insert(id).inserted {
                    guard !isStopped else {
                        notBegun.count += 1
                        continue
                    }
                    count += await takeUp(id, at: path, abort: false, events)
                }
            case .check(let choice, let options):
                count = try await check(choice, options, notBegun: &notBegun, events)
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

    /// Pushes a stream as one object.
    private func push(_ stream: SourceStream, key: String, _ events: Events) async throws -> Int {
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
        request.metadata = configuration.metadata
        request.withdrawn = record.withdrawn
        request.wantsReceipt = configuration.wantsReceipts || known?.wantsReceipt == true
        return await submit([(request, SourceStream.path, .stream(stream))], events)
    }

    /// Pushes the output of a program. Starts the program last, after all checks.
    private func push(outputOf command: [String], key: String, _ events: Events) async throws -> Int {
        do throws(UploadFailure) {
            try Self.check(key)
            let output = try CommandOutput.start(command)
            let stream = SourceStream(output, expectedBytes: configuration.expectedBytes)
            do {
                return try await push(stream, key: key, events)
            } catch {
                stream.stop()
                throw JournalWriter.failure(error)
            }
        } catch {
            events.yield([.refused(path: command.joined(separator: " "), key: key, error)])
            return 0
        }
    }

    /// Submits an unfinished upload to be resumed or aborted.
    ///
    /// - Returns: the number of submitted uploads, 1 or 0.
    func takeUp(_ id: UploadID, at path: String?, abort: Bool, _ events: Events) async -> Int {
        do {
            guard let row = try journal.upload(id) else {
                let failure = UploadFailure(
                    .missing, "there is no unfinished upload \(id.value); sluice-agent status lists them")
                events.yield([.refused(path: path ?? "", key: "\(id.value)", failure)])
                return 0
            }
            let record = try journal.record(ofKey: row.key)
            let path = path ?? row.path
            let abort = abort || row.isDropping
            _ = await shell.waitForRoom()
            do throws(UploadFailure) {
                let file = abort ? nil : try await reopen(path)
                var request = UploadRequest(
                    id: id, purpose: abort ? .abort : .resume, key: row.key, stamp: file?.stamp, policy: row.policy,
                    partBytesWish: nil, saved: row.saved, wasStoredBefore: false)
                request.proof = record.proof
                request.withdrawn = record.withdrawn
                request.wantsReceipt = configuration.wantsReceipts || row.wantsReceipt
                return await submit([(request, path, (file?.source).map(UploadSource.file))], events)
            } catch {
                events.yield([.refused(path: path, key: row.key, error, isResumable: true)])
            }
        } catch {
            events.yield([.refused(path: path ?? "", key: "\(id.value)", JournalWriter.failure(error))])
        }
        return 0
    }

    private typealias OpenFile = (source: SourceFile, stamp: FileStamp)

    private func reopen(_ path: String) async throws(UploadFailure) -> OpenFile {
        guard path != SourceStream.path else {
            let message = "a stream cannot be read again after its run has ended: drop it, and push the stream again"
            throw UploadFailure(.unreadable, message)
        }
        do {
            return try await threads.runIfActive { try Self.open(path) }
        } catch {
            throw error as? UploadFailure ?? UploadFailure(.stopped, "stopped")
        }
    }

    typealias Request = (request: UploadRequest, path: String, source: UploadSource?)

    /// - Returns: the number of submitted requests.
    func submit(_ requests: [Request], _ events: Events) async -> Int {
        guard !requests.isEmpty else { return 0 }
        for (request, path, _) in requests {
            writer.register(
                request.id,
                Journal.Subject(
                    path: Self.absolute(path), key: request.key, policy: request.policy,
                    wantsReceipt: request.wantsReceipt))
        }
        events.yield(requests.map { .submitted($0.request.id, path: $0.path, key: $0.request.key, $0.request.purpose) })
        await shell.submit(requests.map { ($0.request, $0.source) })
        return requests.count
    }

    private static func open(_ path: String) throws(UploadFailure) -> OpenFile {
        let file = try SourceFile.open(path)
        return (file, try file.stamp())
    }

    /// Refuses keys that no gateway accepts before sending anything. Only the gateway can judge reserved keys.
    package static func check(_ key: String) throws(UploadFailure) {
        do {
            _ = try KeyRule.wholeKey(prefix: "", key: key)
        } catch  where error != .reserved {
            throw UploadFailure(.keyInvalid, error.message)
        } catch {
            // A reserved key may become valid with the device's prefix.
        }
    }

    /// An absolute path, which stays valid if a later run has another working directory.
    private static func absolute(_ path: String) -> String {
        path.isAbsolutePath || path == SourceStream.path ? path : FileManager.default.currentDirectoryPath + "/" + path
    }
}

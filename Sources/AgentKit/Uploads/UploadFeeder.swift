import FoundationEssentials
import NIOPosix
import TransferCommon
package import TransferCore

/// Submits files to the shell only as fast as the shell has room for them. Of a million files, most then wait on disk
/// and need no memory.
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

    /// The note that users see when a walk finds the agent's own home and does not send it.
    package static let homeNote = "left out: the agent's home"

    /// Maximum number of files examined and submitted together.
    static let batchMax = 64

    /// Submits all work of a run. Returns when everything is submitted, or soon after the run was stopped.
    func feed(_ work: Uploader.Work, events: EventBuffer) async {
        let submission = UploadSubmission(
            shell: shell, journal: journal, writer: writer, configuration: configuration, threads: threads,
            control: control, events: events)
        var count = 0
        var notBegun = NotBegun()
        do {
            switch work {
            case .push(let paths, let key, let prefix, let filter):
                count = await drop(try await submission.read { try $0.dropping() }, submission)
                if paths == [SourceStream.path], let key {
                    let stream = SourceStream(descriptor: 0, expectedBytes: configuration.expectedBytes)
                    if isStopped { notBegun.count = 1 } else { count += try await push(stream, key: key, submission) }
                } else {
                    var files = FileWalk(paths: paths, filter: filter, home: FileIdentity(of: home.path))
                    files.isInterrupted = { [control] in control.isStopped }
                    let batches = FileBatches(files: files, key: key, prefix: prefix)
                    var push = try await FilePush.begin(batches, submission, clockPath: home.clockPath, control)
                    count += try await push.run(notBegun: &notBegun)
                }
            case .pushOutput(let command, let key):
                count = await drop(try await submission.read { try $0.dropping() }, submission)
                if isStopped {
                    notBegun.count = 1
                } else {
                    count += try await push(outputOf: command, key: key, submission)
                }
            case .unfinished(let ids, let path, let dropped):
                let (dropping, rows) = try await submission.read { (try $0.dropping(), try $0.unfinished().map(\.row)) }
                let named = dropped + (ids ?? [])
                let isMistaken = !named.isEmpty && !rows.contains { named.contains($0.id) }
                // Also drop uploads that an earlier command has marked. But a command that names no upload of the
                // journal ends at once, and does not wait for a gateway.
                let marked = isMistaken ? [] : dropping.filter { !dropped.contains($0) }
                count = await drop(dropped + marked, submission)
                let resumable = rows.filter { !$0.isDropping }.map(\.id)
                var seen = Set(dropped + marked)
                for id in ids ?? resumable where seen.insert(id).inserted {
                    guard !isStopped else {
                        notBegun.count += 1
                        continue
                    }
                    count += await submission.takeUp(id, at: path, abort: false)
                }
            case .check(let choice, let options):
                try await check(choice, options, count: &count, notBegun: &notBegun, events)
            case .orders(let orders):
                count = try await perform(orders, submission)
            }
        } catch {
            events.add([.refused(path: "", key: "", JournalWriter.failure(error))])
        }
        events.add([.allSubmitted(count: count, notBegun: notBegun)])
    }

    func drop(_ ids: [UploadID], _ submission: UploadSubmission) async -> Int {
        var count = 0
        for id in ids { count += await submission.takeUp(id, at: nil, abort: true) }
        return count
    }

    private func push(_ stream: SourceStream, key: String, _ submission: UploadSubmission) async throws -> Int {
        let (record, last) = try await submission.read { (try $0.record(ofKey: key), try $0.lastUpload()) }
        let now = ModificationTime(seconds: Int64(Date().timeIntervalSince1970), nanoseconds: 0)
        let stamp = FileStamp(device: 0, inode: 0, size: 0, modification: now, change: now)
        var request = UploadRequest(
            pushing: key, stamp, after: record, newID: UploadID(last + 1), policy: configuration.policy,
            partBytesWish: configuration.partBytesWish, metadata: configuration.metadata,
            wantsReceipt: configuration.wantsReceipts)
        request.isStream = true
        request.wasStoredBefore = false
        return await submission.submit([(request, FileLocation(root: SourceStream.path), .stream(stream))])
    }

    /// Starts the program only after all checks, so that a push that is refused does not run it.
    private func push(outputOf command: [String], key: String, _ submission: UploadSubmission) async throws -> Int {
        do throws(UploadFailure) {
            try Self.check(key)
            let output = try CommandOutput.start(command)
            let stream = SourceStream(output, expectedBytes: configuration.expectedBytes)
            do {
                return try await push(stream, key: key, submission)
            } catch {
                stream.stop()
                throw JournalWriter.failure(error)
            }
        } catch {
            submission.events.add([.refused(path: command.joined(separator: " "), key: key, error)])
            return 0
        }
    }

    /// Throws if the file does not have the size that the user expects.
    package static func check(size: UInt64, expected: UInt64?) throws(UploadFailure) {
        guard let expected, size != expected else { return }
        throw .incomplete("it has \(counted(Int(clamping: size), "byte")), and \(expected) are expected")
    }

    /// Throws if no gateway would accept the key, so that nothing is sent for it. Does not refuse reserved keys,
    /// because only the gateway can judge them.
    package static func check(_ key: String) throws(UploadFailure) {
        do {
            _ = try KeyRule.wholeKey(prefix: "", key: key)
        } catch  where error != .reserved {
            throw UploadFailure(.keyInvalid, error.message)
        } catch {
            // Only the gateway knows the device's prefix, and with the prefix a reserved key may become valid.
        }
    }
}

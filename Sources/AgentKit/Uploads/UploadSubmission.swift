import FoundationEssentials
import NIOPosix
import SystemSupport
import TransferCommon
import TransferCore

/// Submits uploads to the shell. Before that, registers each upload with the journal's writer and reports it to the
/// user.
struct UploadSubmission {
    typealias Request = (request: UploadRequest, file: FileLocation, source: UploadSource?)

    let shell: AgentShell
    let journal: Journal
    let writer: JournalWriter
    let configuration: Uploader.Configuration
    let threads: NIOThreadPool
    let control: UploadControl
    let events: EventBuffer

    /// Reads the journal on a pool thread, because the disk may block.
    func read<Result: Sendable>(_ body: @escaping @Sendable (Journal) throws -> Result) async throws -> Result {
        try await threads.runIfActive { [journal] in try body(journal) }
    }

    /// Registers uploads with the journal's writer and submits them.
    ///
    /// - Returns: the number of submitted uploads.
    func submit(_ requests: [Request]) async -> Int {
        guard !requests.isEmpty else { return 0 }
        for (request, file, _) in requests {
            writer.register(
                request.id,
                Journal.Subject(
                    path: Self.absolute(file.path), root: Self.absolute(file.root), key: request.key,
                    policy: request.policy, wantsReceipt: request.wantsReceipt,
                    partBytesWish: request.partBytesWish))
        }
        events.add(
            requests.map { .submitted($0.request.id, path: $0.file.path, key: $0.request.key, $0.request.purpose) })
        await shell.submit(requests.map { ($0.request, $0.source) })
        return requests.count
    }

    /// Submits an unfinished upload to be resumed or aborted.
    ///
    /// - Parameters:
    ///   - path: path of the file, as the user names it now; `nil` for the path in the journal.
    ///   - abort: whether to abort the upload. An upload that is marked to be dropped is aborted in any case.
    /// - Returns: the number of submitted uploads, 1 or 0.
    func takeUp(_ id: UploadID, at path: String?, abort: Bool) async -> Int {
        do {
            let found = try await read { journal in
                try journal.upload(id).map { (row: $0, record: try journal.record(ofKey: $0.key)) }
            }
            guard let (row, record) = found else {
                events.add([.refused(path: "", key: "", .noUpload(id))])
                return 0
            }
            let location = path.map { FileLocation(root: $0) } ?? FileLocation(path: row.path, namedAs: row.root)
            let abort = abort || row.isDropping
            await events.waitUntilRead()
            _ = await shell.waitForRoom()
            do throws(UploadFailure) {
                let file = abort ? nil : try await reopen(location, of: id)
                var request = UploadRequest(
                    id: id, purpose: abort ? .abort : .resume, key: row.key, stamp: file?.stamp, policy: row.policy,
                    partBytesWish: row.partBytesWish, saved: row.saved, wasStoredBefore: false)
                request.proof = record.proof
                request.withdrawn = record.withdrawn
                request.fruitlessAttempts = row.fruitlessAttempts
                request.wantsReceipt = configuration.wantsReceipts || row.wantsReceipt
                return await submit([(request, location, (file?.source).map(UploadSource.file))])
            } catch {
                events.add([.refused(path: location.path, key: row.key, error, isResumable: true)])
            }
        } catch {
            events.add([.refused(path: path ?? "", key: "", JournalWriter.failure(error))])
        }
        return 0
    }

    private typealias OpenFile = (source: SourceFile, stamp: FileStamp)

    private func reopen(_ location: FileLocation, of id: UploadID) async throws(UploadFailure) -> OpenFile {
        guard location.path != SourceStream.path else {
            let message =
                "a stream cannot be read again after its run has ended; drop it with sluice-agent abort \(id.value), "
                + "and push it again"
            throw UploadFailure(.unreadable, message)
        }
        let clock = MonotonicClock()
        var wait = DescriptorWait(patience: configuration.limits.retryFor)
        while true {
            do {
                return try await threads.runIfActive { try Self.open(location) }
            } catch {
                let failure = error as? UploadFailure ?? UploadFailure(.stopped, "stopped")
                guard failure.kind == .tooManyOpenFiles, !control.isStopped, wait.wasRefused(now: clock.now) else {
                    throw failure
                }
            }
            // try?: cancellation ends the sleep early, and the next attempt then comes sooner.
            try? await Task.sleep(for: DescriptorWait.pause)
        }
    }

    private static func open(_ location: FileLocation) throws(UploadFailure) -> OpenFile {
        let file = try SourceFile.open(location)
        return (file, try file.stamp())
    }

    /// Makes a path absolute, because a later run may have another working directory.
    private static func absolute(_ path: String) -> String {
        path.isAbsolutePath || path == SourceStream.path ? path : FileManager.default.currentDirectoryPath + "/" + path
    }
}

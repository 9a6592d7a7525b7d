import FoundationEssentials
import NIOPosix
import ServiceLifecycle
import TransferCore
import WireProtocol

/// Hands files to the core as it has room for them, so that a million files wait on the disk and not in memory.
struct UploadFeeder {
    let core: AgentCore
    let journal: Journal
    let writer: JournalWriter
    let configuration: Uploader.Configuration
    let threads: NIOThreadPool

    private typealias Events = AsyncStream<CoreEvent>.Continuation

    /// Returns when everything has been handed in.
    func feed(_ work: Uploader.Work, events: AsyncStream<CoreEvent>.Continuation) async {
        var count = 0
        do {
            switch work {
            case .push(let paths, let key, let prefix):
                count = try await push(paths, key: key, prefix: prefix, events)
            case .resume(let ids, let path):
                for row in try journal.unfinished().map(\.row) where ids?.contains(row.id) ?? true {
                    guard !Task.isShuttingDownGracefully else { break }
                    count += await takeUp(row.id, at: path ?? row.path, abort: row.isDropping, events)
                }
            case .abort(let id):
                count = await takeUp(id, at: "", abort: true, events)
            }
        } catch {
            events.yield(.refused(path: "", key: "", JournalWriter.failure(error)))
        }
        events.yield(.allSubmitted(count: count))
    }

    private func push(_ paths: [String], key: String?, prefix: String, _ events: Events) async throws -> Int {
        var count = 0
        var next = UploadID(try journal.lastUpload())
        for found in FileWalk(paths: paths) {
            guard !Task.isShuttingDownGracefully else { break }
            let key = key ?? prefix + found.key
            if let failure = found.failure {
                events.yield(.refused(path: found.path, key: key, failure))
                continue
            }
            await core.waitForRoom()
            do {
                let known = try journal.upload(key: key)
                if known == nil { next = UploadID(next.value + 1) }
                let file = try await open(found.path)
                let request = UploadRequest(
                    id: known?.id ?? next, purpose: .push, key: key, stamp: file.stamp, policy: configuration.policy,
                    partBytesWish: configuration.partBytesWish, saved: known?.saved,
                    wasStoredBefore: try journal.hasReceipt(key: key))
                await submit(request, path: found.path, file.source, events)
                count += 1
            } catch let failure as UploadFailure {
                events.yield(.refused(path: found.path, key: key, failure))
            }
        }
        return count
    }

    /// - Returns: how many uploads were handed in, 1 or 0.
    private func takeUp(_ id: UploadID, at path: String, abort: Bool, _ events: Events) async -> Int {
        do {
            guard let row = try journal.upload(id) else {
                let failure = UploadFailure(.missing, "there is no unfinished upload \(id.value)")
                events.yield(.refused(path: path, key: "", failure))
                return 0
            }
            await core.waitForRoom()
            let file = abort ? nil : try await open(path)
            let request = UploadRequest(
                id: id, purpose: abort ? .abort : .resume, key: row.key, stamp: file?.stamp, policy: row.policy,
                partBytesWish: nil, saved: row.saved, wasStoredBefore: false)
            await submit(request, path: path.isEmpty ? row.path : path, file?.source, events)
            return 1
        } catch let failure as UploadFailure {
            events.yield(.refused(path: path, key: "", failure))
        } catch {
            events.yield(.refused(path: path, key: "", JournalWriter.failure(error)))
        }
        return 0
    }

    private func submit(_ request: UploadRequest, path: String, _ file: SourceFile?, _ events: Events) async {
        writer.register(
            request.id, Journal.Subject(path: Self.absolute(path), key: request.key, policy: request.policy))
        events.yield(.submitted(request.id, path: path, key: request.key))
        await core.submit(request, file: file)
    }

    private func open(_ path: String) async throws -> (source: SourceFile, stamp: FileStamp) {
        try await threads.runIfActive {
            let file = try SourceFile.open(path)
            return (file, try file.stamp())
        }
    }

    /// A path that means the same wherever a later run is started.
    private static func absolute(_ path: String) -> String {
        path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
    }
}

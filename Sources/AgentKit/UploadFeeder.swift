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
            case .push(let paths, let key, let prefix, let filter):
                count = await drop(try journal.dropping(), events)
                if paths == [SourceStream.path], let key {
                    count += try await pushStream(key: key, events)
                } else {
                    count += try await push(FileWalk(paths: paths, filter: filter), key: key, prefix: prefix, events)
                }
            case .unfinished(let ids, let path, let dropped):
                // What was to be dropped before is not forgotten.
                let marked = try journal.dropping().filter { !dropped.contains($0) }
                count = await drop(dropped + marked, events)
                let resumable = try journal.unfinished().map(\.row).filter { !$0.isDropping }.map(\.id)
                var seen = Set(dropped + marked)
                for id in ids ?? resumable where seen.insert(id).inserted {
                    guard !Task.isShuttingDownGracefully else { break }
                    count += await takeUp(id, at: path, abort: false, events)
                }
            }
        } catch {
            events.yield(.refused(path: "", key: "", JournalWriter.failure(error)))
        }
        events.yield(.allSubmitted(count: count))
    }

    private func drop(_ ids: [UploadID], _ events: Events) async -> Int {
        var count = 0
        for id in ids { count += await takeUp(id, at: nil, abort: true, events) }
        return count
    }

    private func push(_ files: FileWalk, key: String?, prefix: String, _ events: Events) async throws -> Int {
        var count = 0
        var next = UploadID(try journal.lastUpload())
        for found in files {
            guard !Task.isShuttingDownGracefully else { break }
            let key = key ?? prefix + found.key
            if let failure = found.failure {
                events.yield(.refused(path: found.path, key: key, failure))
                continue
            }
            await core.waitForRoom()
            do {
                try Self.check(key)
                await core.waitForEnd(ofKey: key)
                var record = try journal.record(ofKey: key)
                if let marked = record.unfinished, marked.isDropping {
                    count += await takeUp(marked.id, at: nil, abort: true, events)
                    await core.waitForEnd(ofKey: key)
                    record = try journal.record(ofKey: key)
                }
                let known = record.unfinished
                if known == nil { next = UploadID(next.value + 1) }
                let file = try await open(found.path)
                let request = UploadRequest(
                    id: known?.id ?? next, purpose: .push, key: key, stamp: file.stamp, policy: configuration.policy,
                    partBytesWish: configuration.partBytesWish, saved: known?.saved,
                    wasStoredBefore: record.hasReceipt)
                await submit(request, path: found.path, .file(file.source), events)
                count += 1
            } catch let failure as UploadFailure {
                events.yield(.refused(path: found.path, key: key, failure))
            }
        }
        return count
    }

    /// Standard input, as one object.
    private func pushStream(key: String, _ events: Events) async throws -> Int {
        let known = try journal.record(ofKey: key).unfinished
        let next = UploadID(try journal.lastUpload() + 1)
        let now = ModificationTime(seconds: Int64(Date().timeIntervalSince1970), nanoseconds: 0)
        let stamp = FileStamp(device: 0, inode: 0, size: 0, modification: now, change: now)
        var request = UploadRequest(
            id: known?.id ?? next, purpose: .push, key: key, stamp: stamp,
            policy: configuration.policy, partBytesWish: configuration.partBytesWish, saved: known?.saved,
            wasStoredBefore: false)
        request.isStream = true
        await submit(request, path: SourceStream.path, .stream(SourceStream(descriptor: 0)), events)
        return 1
    }

    /// - Returns: how many uploads were handed in, 1 or 0.
    private func takeUp(_ id: UploadID, at path: String?, abort: Bool, _ events: Events) async -> Int {
        do {
            guard let row = try journal.upload(id) else {
                let failure = UploadFailure(
                    .missing, "there is no unfinished upload \(id.value); sluice-agent status lists them")
                events.yield(.refused(path: path ?? "", key: "\(id.value)", failure))
                return 0
            }
            let path = path ?? row.path
            let abort = abort || row.isDropping
            await core.waitForRoom()
            do throws(UploadFailure) {
                let file = abort ? nil : try await reopen(path)
                let request = UploadRequest(
                    id: id, purpose: abort ? .abort : .resume, key: row.key, stamp: file?.stamp, policy: row.policy,
                    partBytesWish: nil, saved: row.saved, wasStoredBefore: false)
                await submit(request, path: path, (file?.source).map(UploadSource.file), events)
                return 1
            } catch {
                events.yield(.refused(path: path, key: row.key, error))
            }
        } catch {
            events.yield(.refused(path: path ?? "", key: "\(id.value)", JournalWriter.failure(error)))
        }
        return 0
    }

    private func reopen(_ path: String) async throws(UploadFailure) -> (source: SourceFile, stamp: FileStamp) {
        guard path != SourceStream.path else {
            let message = "what was read of a stream is gone with its run: drop it, and push the stream again"
            throw UploadFailure(.unreadable, message)
        }
        do {
            return try await open(path)
        } catch {
            throw error as? UploadFailure ?? UploadFailure(.stopped, "stopped")
        }
    }

    private func submit(_ request: UploadRequest, path: String, _ source: UploadSource?, _ events: Events) async {
        writer.register(
            request.id, Journal.Subject(path: Self.absolute(path), key: request.key, policy: request.policy))
        events.yield(.submitted(request.id, path: path, key: request.key, request.purpose))
        await core.submit(request, from: source)
    }

    private func open(_ path: String) async throws -> (source: SourceFile, stamp: FileStamp) {
        try await threads.runIfActive {
            let file = try SourceFile.open(path)
            return (file, try file.stamp())
        }
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

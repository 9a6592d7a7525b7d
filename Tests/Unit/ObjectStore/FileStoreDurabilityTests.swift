import Cryptography
import Foundation
import ObjectStore
import ObjectStoreConformance
import SystemSupport
import Testing
import TransferCommon
import WireProtocol

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The order in which data becomes durable, and what a crash at each step leaves behind. The tables in the comment on
/// `FileStore` describe both.
@Suite struct FileStoreDurabilityTests {
    /// No file gets its name before its bytes are synced, and no call returns before that name is synced.
    @Test(arguments: StoreOperation.all)
    func syncsBeforeAndAfterEachRename(_ operation: StoreOperation) async throws {
        let faults = FileFaults()
        try await withTestStore(faults) { store, directory in
            let context = try await operation.prepare(store)
            faults.clear()
            try await operation.perform(store, context)
            try checkOrder(of: faults.calls, in: directory)
            #expect(faults.calls.contains { [.rename, .renameIfAbsent, .link].contains($0.operation) })
        }
    }

    @Test func syncsRecordsBeforeAndAfterRenaming() async throws {
        let faults = FileFaults()
        try await withTestStore(faults) { store, directory in
            faults.clear()
            try await store.writeRecord(name: "a-record", bytes: [1, 2, 3])
            try checkOrder(of: faults.calls, in: directory)
            faults.clear()
            try await store.deleteRecord(name: "a-record")
            let removed = try #require(faults.calls.firstIndex { $0.operation == .removeFile })
            #expect(faults.calls[removed...].contains { $0.operation == .syncFolder })
        }
    }

    @Test(arguments: StoreOperation.publishing)
    func syncsDescriptionBeforeTheObjectAppears(_ operation: StoreOperation) async throws {
        let faults = FileFaults()
        try await withTestStore(faults) { store, directory in
            let context = try await operation.prepare(store)
            faults.clear()
            try await operation.perform(store, context)
            let calls = faults.calls
            let appears = try #require(calls.firstIndex { $0.target == directory.path(operation.key) })
            let before = calls[..<appears]
            let metadata = directory.path(".sluice/metadata/")
            let described = try #require(before.lastIndex { $0.operation == .write && $0.path.hasPrefix(metadata) })
            let synced = try #require(
                before[described...].firstIndex { $0.operation == .syncFile && $0.path == calls[described].path })
            #expect(before[synced...].contains { $0.operation == .syncFolder && $0.path.hasPrefix(metadata) })
            if operation.before == nil {
                // Every folder of the key is new. The name of a folder is an entry of the folder above it, so that
                // folder must be synced too.
                var made = parentPath(of: directory.path(operation.key))
                #expect(made != directory.path)
                while made != directory.path {
                    let parent = parentPath(of: made)
                    made = parent
                    #expect(before.contains { $0.operation == .syncFolder && $0.path == parent })
                }
            }
        }
    }

    /// The objects and parts that a gateway reports may come from another gateway that has not synced them yet. So the
    /// reporting gateway syncs their folders first.
    @Test func syncsFoldersBeforeReportingObjects() async throws {
        try await withTestStore { writer, directory in
            let (upload, _) = try await writer.begin([Sample(10, seed: 1)], key: "a/b")
            try await writer.put(Sample(10, seed: 2), key: "a/b")
            let faults = FileFaults()
            let reader = try await directory.open(faults)
            for (folder, call) in [
                ("a", { _ = try await reader.object(key: "a/b") }),
                (
                    ".sluice/uploads/\(upload)",
                    { _ = try await reader.listParts(key: "a/b", upload: upload, after: nil) }
                ),
            ] as [(String, () async throws -> Void)] {
                faults.clear()
                try await call()
                #expect(faults.calls.contains { $0.operation == .syncFolder && $0.path == directory.path(folder) })
                faults.fail(.syncFolder, with: EIO)
                await expectError(.unavailable, from: call)
            }
        }
    }

    /// Ends the process before its n-th change of the disk, for every n. Unsynced data may then be lost or torn. A new
    /// process opens the store. It finds the state before the operation or after it, and repeating the operation leads
    /// to the state after it.
    @Test(.timeLimit(.minutes(5)), arguments: StoreOperation.all, PowerCut.allCases)
    func survivesACrashAtEveryCall(_ operation: StoreOperation, _ cut: PowerCut) async throws {
        var crashes = 0
        var isFinished = false
        while !isFinished {
            try await withTestDirectory { directory in
                let context = try await prepareAndCrash(operation, in: directory, atCall: crashes, cut) {
                    isFinished = true
                }
                try await directory.waitForLocksOfTheDead()
                let store = try await directory.open()
                #expect(try directory.files(below: ".sluice/staging").isEmpty, "call \(crashes)")
                try await checkState(of: store, after: operation, context, crash: crashes)
                if isFinished { try await checkIsDone(store, operation, context, cut) }
                try await checkCanGoOn(store, operation, context, crash: crashes)
                #expect(try directory.files(below: ".sluice/staging").isEmpty, "call \(crashes)")
            }
            crashes += 1
        }
        #expect(crashes > 2)
    }

    /// Each single change fails in turn. The operation either reports the failure and leaves nothing behind, or has
    /// succeeded.
    @Test(.timeLimit(.minutes(5)), arguments: StoreOperation.all)
    func cleansUpAfterAFailureOfAnyCall(_ operation: StoreOperation) async throws {
        var failing = 0
        var isFinished = false
        while !isFinished {
            let faults = FileFaults()
            try await withTestStore(faults) { store, directory in
                let context = try await operation.prepare(store)
                let call = failing
                let code = call.isMultiple(of: 2) ? ENOSPC : EIO
                faults.set { next, index in next.operation.isChange && index == call ? code : 0 }
                do {
                    try await operation.perform(store, context)
                    isFinished = faults.changeCount <= call
                } catch let error as StoreError {
                    #expect([.full, .unavailable, .outcomeUnknown].contains(error.reason), "call \(call): \(error)")
                }
                let changes = faults.calls.filter(\.operation.isChange)
                let failed = changes.indices.contains(call) ? changes[call] : nil
                faults.clear()
                // Only files that FileStore could not remove may remain. The next start removes them.
                if failed?.operation != .removeFile, failed?.operation != .removeFolder {
                    #expect(try directory.files(below: ".sluice/staging").isEmpty, "\(String(describing: failed))")
                }
                try await checkState(of: store, after: operation, context, crash: call)
                try await checkCanGoOn(store, operation, context, crash: call)
            }
            failing += 1
        }
    }

    @Test(arguments: StoreOperation.all)
    func distrustsBytesThatFailedToSync(_ operation: StoreOperation) async throws {
        let faults = FileFaults()
        try await withTestStore(faults) { store, _ in
            let context = try await operation.prepare(store)
            faults.fail(.syncFile, with: EIO)
            if operation.testDescription == "abort" { return try await operation.perform(store, context) }
            await expectError(.unavailable) { try await operation.perform(store, context) }
            #expect(
                !faults.calls.contains {
                    [.rename, .renameIfAbsent, .link].contains($0.operation)
                        && $0.target?.contains("staging") == false
                })
            faults.clear()
            #expect(try await store.contents(operation.key) == operation.before?.bytes)
        }
    }

    private func prepareAndCrash(
        _ operation: StoreOperation, in directory: TestDirectory, atCall crash: Int, _ cut: PowerCut,
        unlessReached: () -> Void
    ) async throws -> StoreOperation.Context {
        let faults = FileFaults()
        let store = try await directory.open(faults)
        let context = try await operation.prepare(store)
        let disk = try VolatileDisk(attic: directory.path + "-attic")
        faults.set { call, index in
            guard index < crash else { return EIO }
            do {
                try disk.willPerform(call)
            } catch {
                Issue.record(error)
            }
            return 0
        }
        do {
            try await operation.perform(store, context)
            if faults.changeCount <= crash { unlessReached() }
        } catch is StoreError {}
        try disk.cut(cut)
        try FileManager.default.removeItem(atPath: directory.path + "-attic")
        return context
    }

    private func checkState(
        of store: FileStore, after operation: StoreOperation, _ context: StoreOperation.Context, crash: Int
    ) async throws {
        let bytes = try await store.contents(operation.key)
        #expect(bytes == operation.before?.bytes || bytes == operation.after?.bytes, "call \(crash)")
        guard let summary = try await store.object(key: operation.key), let bytes else { return }
        switch summary.evidence {
        case .wholeDigest(let digest):
            #expect(try digest == SHA256Digest.of(bytes), "call \(crash)")
        case .root(let root):
            let digests = try StoreOperation.parts.map { try $0.digest }
            #expect(try root == RootDigest.of(digests) && bytes == StoreOperation.new.bytes, "call \(crash)")
        case .compositeMD5, .none:
            Issue.record("call \(crash): no evidence")
        }
        let session: UInt64 = bytes == StoreOperation.old.bytes ? 1 : 2
        #expect(summary.metadata?.session == SessionID(high: 0, low: session), "call \(crash)")
    }

    /// Checks that the effect of an operation that returned has survived the power cut.
    private func checkIsDone(
        _ store: FileStore, _ operation: StoreOperation, _ context: StoreOperation.Context, _ cut: PowerCut
    ) async throws {
        #expect(try await store.contents(operation.key) == operation.after?.bytes, "\(cut)")
        let uploads = try await store.uploads(key: operation.key)
        switch operation.testDescription {
        case "create upload":
            #expect(uploads.count == 1, "\(cut)")
        case "upload part", "upload part again":
            let parts = try await store.listParts(key: operation.key, upload: context.upload, after: nil).parts
            #expect(parts.map(\.size) == [UInt64(StoreOperation.parts[0].bytes.count)], "\(cut)")
        default:
            break
        }
    }

    /// Checks that repeating the operation succeeds, or fails with an error that shows that the operation is already
    /// done.
    private func checkCanGoOn(
        _ store: FileStore, _ operation: StoreOperation, _ context: StoreOperation.Context, crash: Int
    ) async throws {
        let isDone = try await store.contents(operation.key) == operation.after?.bytes
        do {
            try await operation.perform(store, context)
        } catch let error as StoreError {
            let isExpected = [.uploadUnknown, .keyTaken].contains(error.reason)
            #expect(isExpected && isDone, "call \(crash): \(String(reflecting: error))")
        }
        #expect(try await store.contents(operation.key) == operation.after?.bytes, "call \(crash)")
        if operation.after != nil, !context.upload.isEmpty {
            #expect(try await store.uploads(key: operation.key).isEmpty, "call \(crash)")
        }
    }

    /// Checks for every rename and link in a list of calls that the bytes were synced before.
    private func checkOrder(of calls: [FileCall], in directory: TestDirectory) throws {
        for (index, call) in calls.enumerated() where [.rename, .renameIfAbsent, .link].contains(call.operation) {
            let target = try #require(call.target)
            // Files that are renamed into staging will be removed, so they need no sync.
            if target.hasPrefix(directory.path(".sluice/staging")) { continue }
            let synced = calls[..<index].lastIndex {
                $0.path == call.path && ($0.operation == .syncFile || $0.operation == .syncFolder)
            }
            let written = calls[..<index].lastIndex { $0.path.hasPrefix(call.path) && $0.operation == .write }
            #expect(try #require(synced) > (written ?? -1), "\(call)")
            let parent = parentPath(of: target)
            #expect(calls[index...].contains { $0.operation == .syncFolder && $0.path == parent }, "\(call)")
        }
    }
}

import Foundation
import Glibc
import NIOCore
import ObjectStore
import ObjectStoreConformance
import SystemSupport
import Testing
import TransferCommon
import WireProtocol

/// FileStore refuses invalid keys, and calls that the state of the directory does not permit. The message gives the
/// reason without the path of the directory.
@Suite struct FileStoreRefusalTests {
    @Test(arguments: [
        "", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "./a", "a/.", "a\0b", ".sluice", ".sluice/sessions/x",
        ".SLUICE/x", String(repeating: "n", count: 256), String(repeating: "n", count: 255) + "é",
        String(repeating: "é", count: 128) + "/x", Array(repeating: "folder", count: 600).joined(separator: "/"),
    ])
    func refusesAKeyThatCannotBeAPath(_ key: String) async throws {
        try await withTestStore { store, directory in
            let sample = Sample(10, seed: 1)
            await expectError(.keyUnsupported) { try await store.put(sample, key: key) }
            await expectError(.keyUnsupported) { try await store.createUpload(key: key, metadata: metadata()) }
            await expectError(.keyUnsupported) { try await store.object(key: key) }
            await expectError(.keyUnsupported) { try await store.readObject(key: key) }
            await expectError(.keyUnsupported) { try await store.uploads(key: key) }
            let files = try directory.files(below: "")
            #expect(!files.isEmpty && files.allSatisfy { $0.hasPrefix(".sluice/") }, "only the store's own files")
        }
    }

    @Test func takesTheLongestKeyThatFits() async throws {
        try await withTestStore { store, _ in
            let name = String(repeating: "n", count: 255)
            try await store.put(Sample(10, seed: 1), key: name)
            #expect(try await store.contents(name) == Sample(10, seed: 1).bytes)
            var key = Array(repeating: "folder", count: 1000).joined(separator: "/").prefix(store.limits.keyBytesMax)
            if key.hasSuffix("/") { key = key.dropLast() + "x" }
            try await store.put(Sample(10, seed: 2), key: String(key))
            #expect(try await store.contents(String(key)) == Sample(10, seed: 2).bytes)
        }
    }

    /// Empty folders that a crash left do not block a key.
    @Test(arguments: [PutCondition.none, .ifAbsent])
    func objectReplacesEmptyFolders(_ condition: PutCondition) async throws {
        try await withTestStore { store, directory in
            try FileManager.default.createDirectory(
                atPath: directory.path("a/b/c"), withIntermediateDirectories: true)
            #expect(try await store.object(key: "a") == nil)
            try await store.put(Sample(10, seed: 1), key: "a", condition: condition)
            #expect(try await store.contents("a") == Sample(10, seed: 1).bytes)
        }
    }

    @Test func deepEmptyFoldersNeedFewDescriptors() async {
        await #expect(processExitsWith: .success) {
            try await withTestStore { store, directory in
                let depth = 300
                let path = "a" + String(repeating: "/a", count: depth)
                try FileManager.default.createDirectory(
                    atPath: directory.path(path), withIntermediateDirectories: true)
                var limit = rlimit(rlim_cur: 128, rlim_max: 128)
                try #require(setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
                try await store.put(Sample(10, seed: 1), key: "a")
                try #require(try await store.contents("a") == Sample(10, seed: 1).bytes)
            }
        }
    }

    @Test func refusesSpecialFiles() async throws {
        try await withTestStore { store, directory in
            let outside = directory.path("outside")
            try FileManager.default.createDirectory(atPath: outside, withIntermediateDirectories: true)
            try FileManager.default.createSymbolicLink(
                atPath: directory.path("link"), withDestinationPath: directory.path(".sluice"))
            for key in ["link", "link/sessions/x"] {
                await expectError(.keyUnsupported) { try await store.put(Sample(1, seed: 1), key: key) }
                await expectError(.keyUnsupported) { try await store.object(key: key) }
            }
        }
    }

    @Test func opensOnlyADirectoryThatExists() async throws {
        try await withTestDirectory { directory in
            try directory.write([1], to: "file")
            for path in [directory.path("missing"), directory.path("file"), "relative", ""] {
                await expectError(path == directory.path("file") ? .unsupported : .bucketMissing) {
                    try await FileStore.open(path: path, threads: directory.threads, logger: directory.logger)
                }
            }
            let store = try await FileStore.open(
                path: directory.path + "///", threads: directory.threads, logger: directory.logger)
            try await store.put(Sample(1, seed: 1), key: "a")
            #expect(try directory.read("a") == Sample(1, seed: 1).bytes)
        }
    }

    /// If the disk is not mounted, the directory is missing. FileStore must not conclude that its sessions and objects
    /// are gone.
    @Test func missingDirectoryIsNotMissingObjects() async throws {
        try await withTestDirectory { outer in
            try FileManager.default.createDirectory(atPath: outer.path("store"), withIntermediateDirectories: true)
            let store = try await FileStore.open(
                path: outer.path("store"), threads: outer.threads, logger: outer.logger)
            let (upload, parts) = try await store.begin([Sample(10, seed: 1)], key: "a")
            try await store.put(Sample(10, seed: 1), key: "b/c")
            try FileManager.default.moveItem(atPath: outer.path("store"), toPath: outer.path("unmounted"))
            for isEmptyFolderThere in [false, true] {
                if isEmptyFolderThere {
                    try FileManager.default.createDirectory(
                        atPath: outer.path("store"), withIntermediateDirectories: true)
                }
                await expectError(.bucketMissing) { try await store.object(key: "b/c") }
                await expectError(.bucketMissing) { try await store.readObject(key: "a") }
                await expectError(.bucketMissing) { try await store.put(Sample(1, seed: 1), key: "d") }
                await expectError(.bucketMissing) { try await store.createUpload(key: "a", metadata: metadata()) }
                await expectError(.bucketMissing) {
                    try await store.upload(Sample(1, seed: 1), number: 1, key: "a", upload: upload)
                }
                await expectError(.bucketMissing) { try await store.listParts(key: "a", upload: upload, after: nil) }
                await expectError(.bucketMissing) { try await store.complete(upload, parts, key: "a") }
                await expectError(.bucketMissing) { try await store.abortUpload(key: "a", upload: upload) }
                await expectError(.bucketMissing) { try await store.uploads(key: "a") }
                await expectError(.bucketMissing) { try await store.readRecord(name: "x") }
                await expectError(.bucketMissing) { try await store.writeRecord(name: "x", bytes: []) }
                await expectError(.bucketMissing) { try await store.deleteRecord(name: "x") }
                await expectError(.bucketMissing) { try await store.recordNames(prefix: "", after: nil) }
            }
            try FileManager.default.removeItem(atPath: outer.path("store"))
            try FileManager.default.moveItem(atPath: outer.path("unmounted"), toPath: outer.path("store"))
            try await store.complete(upload, parts, key: "a")
        }
    }

    @Test(arguments: [
        (FileCall.Operation.write, ENOSPC, StoreError.Reason.full), (.write, EDQUOT, .full),
        (.write, EIO, .unavailable),
        (.write, EFBIG, .tooLarge), (.syncFile, ENOSPC, .full), (.syncFile, EIO, .unavailable),
        (.createFile, EACCES, .denied), (.createFile, EROFS, .denied), (.createFile, ENOSPC, .full),
        (.createFile, EMFILE, .unavailable), (.rename, EXDEV, .keyUnsupported), (.rename, EDQUOT, .full),
        (.rename, EINVAL, .keyUnsupported), (.makeFolder, ENAMETOOLONG, .keyUnsupported), (.makeFolder, ENOSPC, .full),
        (.makeFolder, EPERM, .denied),
    ])
    func mapsFailedCallsToReasons(
        _ operation: FileCall.Operation, _ code: CInt, _ reason: StoreError.Reason
    ) async throws {
        let faults = FileFaults()
        try await withTestStore(faults) { store, directory in
            try await store.put(Sample(10, seed: 1), key: "secret/there")
            faults.fail(operation, with: code)
            let error = await expectError(reason) { try await store.put(Sample(10, seed: 2), key: "secret/new/object") }
            let description = error?.description ?? ""
            #expect(description.hasSuffix(".") && !description.contains("secret") && !description.contains("/"))
            #expect(String(reflecting: try #require(error)).contains(directory.path))
            faults.clear()
            #expect(try await store.object(key: "secret/new/object") == nil)
            #expect(try directory.files(below: ".sluice/staging").isEmpty)
            #expect(try directory.files(below: ".sluice/metadata").count == 1)
        }
    }

    /// If the process has no free descriptor, it cannot open a file that exists. The gateway must not conclude that the
    /// file is missing.
    @Test(arguments: [EMFILE, ENFILE])
    func missingDescriptorIsNotMissingFile(_ code: CInt) async throws {
        let faults = FileFaults()
        try await withTestStore(faults) { store, _ in
            let (upload, parts) = try await store.begin([Sample(10, seed: 1)], key: "a")
            try await store.put(Sample(10, seed: 1), key: "b/c")
            try await store.writeRecord(name: "record", bytes: [1])
            faults.set { call, _ in
                switch call.operation {
                case .openFile, .openFolder, .openBeneath, .createFile, .list: code
                default: 0
                }
            }
            await expectError(.unavailable) { try await store.object(key: "b/c") }
            await expectError(.unavailable) { try await store.readObject(key: "b/c") }
            await expectError(.unavailable) { try await store.put(Sample(1, seed: 1), key: "d") }
            await expectError(.unavailable) { try await store.createUpload(key: "a", metadata: metadata()) }
            await expectError(.unavailable) {
                try await store.upload(Sample(1, seed: 1), number: 1, key: "a", upload: upload)
            }
            await expectError(.unavailable) { try await store.listParts(key: "a", upload: upload, after: nil) }
            await expectError(.unavailable) { try await store.complete(upload, parts, key: "a") }
            await expectError(.unavailable) { try await store.uploads(key: "a") }
            await expectError(.unavailable) { try await store.readRecord(name: "record") }
            await expectError(.unavailable) { try await store.recordNames(prefix: "", after: nil) }
            faults.clear()
            try await store.complete(upload, parts, key: "a")
            #expect(try await store.contents("b/c") == Sample(10, seed: 1).bytes)
        }
    }

    @Test func reportsMissingHardLinks() async throws {
        let faults = FileFaults()
        try await withTestStore(faults) { store, _ in
            faults.set { call, _ in
                switch call.operation {
                case .renameIfAbsent: EINVAL
                case .link: EPERM
                default: 0
                }
            }
            await expectError(.unsupported) { try await store.put(Sample(10, seed: 1), key: "a", condition: .ifAbsent) }
            try await store.put(Sample(10, seed: 1), key: "a")
        }
    }

    /// Some file systems report a failure although the rename has succeeded. FileStore looks at the directory to find
    /// out.
    @Test(arguments: [FileCall.Operation.rename, .renameIfAbsent, .link])
    func trustsTheDirectoryOverTheError(_ operation: FileCall.Operation) async throws {
        let faults = FileFaults()
        try await withTestStore(faults) { store, directory in
            let target = directory.path("a")
            faults.set { call, _ in
                if operation == .link, call.operation == .renameIfAbsent { return EINVAL }
                guard call.operation == operation, call.target == target else { return 0 }
                let done = operation == .link ? link(call.path, target) : rename(call.path, target)
                return done == 0 ? EEXIST : EIO
            }
            try await store.put(Sample(10, seed: 1), key: "a", condition: operation == .rename ? .none : .ifAbsent)
            #expect(try await store.object(key: "a")?.metadata?.session == metadata().session)
            #expect(try directory.files(below: ".sluice/staging").isEmpty)
        }
    }

    @Test func refusesWhatExceedsItsLimits() async throws {
        try await withTestDirectory { directory in
            let store = try await FileStore.open(
                path: directory.path, threads: directory.threads, logger: directory.logger, partsMax: 3)
            let upload = try await store.createUpload(key: "a", metadata: metadata())
            let fourth = try #require(PartNumber(4))
            await expectError(.partsInvalid([fourth])) {
                try await store.upload(Sample(1, seed: 1), number: 4, key: "a", upload: upload)
            }
            let last = try await store.upload(Sample(1, seed: 1), number: 3, key: "a", upload: upload)
            await expectError(.tooLarge) {
                try await store.complete(upload, [last, last, last, last], key: "a")
            }
        }
    }
}

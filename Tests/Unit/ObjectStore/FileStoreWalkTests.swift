import Foundation
import ObjectStore
import ObjectStoreConformance
import Synchronization
import SystemSupport
import Testing
import TransferCommon
import WireProtocol

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// FileStore goes from its directory to the folder of a key. It splits the key as bytes, and never leaves the
/// directory.
@Suite struct FileStoreWalkTests {
    /// Characters that Swift joins with a slash before them into one `Character`.
    static let signs = ["\u{301}", "\u{FE0F}", "\u{200D}"]
    /// What the call `openat2` returns: success, the error of a kernel without the call, and errors of a sandbox that
    /// refuses it.
    static let answersToOpenat2: [CInt] = [0, ENOSYS, EPERM, EINVAL]

    /// FileStore makes every folder of a key, and syncs the folders' names before the object gets its name.
    @Test(arguments: signs)
    func handlesSlashWithCombiningMark(_ sign: String) async throws {
        let faults = FileFaults()
        try await withTestStore(faults) { store, directory in
            let key = "cam/\(sign)day/\(sign)file"
            #expect(try await store.object(key: key) == nil)
            faults.clear()
            try await store.put(Sample(10, seed: 1), key: key)
            let synced = faults.calls.filter { $0.operation == .syncFolder }.map { Array($0.path.utf8) }
            for folder in ["", "/cam", "/cam/\(sign)day"] {
                #expect(synced.contains(Array((directory.path + folder).utf8)), "\(folder.unicodeScalars)")
            }
            #expect(try await store.contents(key) == Sample(10, seed: 1).bytes)
            let (upload, parts) = try await store.begin([Sample(1000, seed: 2)], key: key)
            try await store.complete(upload, parts, key: key)
            #expect(try await store.contents(key) == Sample(1000, seed: 2).bytes)
        }
    }

    @Test(arguments: signs, answersToOpenat2)
    func followsNoSymbolicLink(_ sign: String, _ answer: CInt) async throws {
        try await withStoreAndOutside(answer) { store, directory, outside in
            try FileManager.default.createDirectory(
                atPath: "\(outside)/\(sign)day", withIntermediateDirectories: true)
            try Data([7]).write(to: URL(filePath: "\(outside)/\(sign)day/secret"))
            try FileManager.default.createSymbolicLink(
                atPath: directory.path("cam"), withDestinationPath: outside)
            for key in ["cam/\(sign)day/file", "cam/file", "cam/\(sign)day/secret", "cam"] {
                await expectError(.keyUnsupported) { try await store.put(Sample(1, seed: 1), key: key) }
                await expectError(.keyUnsupported) { try await store.object(key: key) }
                await expectError(.keyUnsupported) { try await store.readObject(key: key) }
                await expectError(.keyUnsupported) { try await store.createUpload(key: key, metadata: metadata()) }
            }
            #expect(try FileManager.default.subpathsOfDirectory(atPath: outside).count == 2, "nothing was added")
            #expect(try Data(contentsOf: URL(filePath: "\(outside)/\(sign)day/secret")) == Data([7]))
        }
    }

    /// Between the walk to a folder of the key and the rename, another program replaces the folder by a symbolic link
    /// that leads elsewhere.
    @Test(arguments: answersToOpenat2, [FileCall.Operation.rename, .renameIfAbsent])
    func folderReplacedByLinkIsNotWritten(
        _ answer: CInt, _ operation: FileCall.Operation
    ) async throws {
        let faults = FileFaults()
        try await withStoreAndOutside(answer, faults) { store, directory, outside in
            let swaps = Mutex(0)
            faults.set { call, _ in
                guard call.operation == operation, call.target == directory.path("cam/file") else { return 0 }
                swaps.withLock { $0 += 1 }
                return rename(directory.path("cam"), directory.path("moved")) == 0
                    && symlink(outside, directory.path("cam")) == 0 ? 0 : EIO
            }
            try await store.put(
                Sample(10, seed: 1), key: "cam/file", condition: operation == .renameIfAbsent ? .ifAbsent : .none)
            #expect(swaps.withLock { $0 } == 1)
            #expect(try FileManager.default.contentsOfDirectory(atPath: outside).isEmpty)
            #expect(try directory.read("moved/file") == Sample(10, seed: 1).bytes)
        }
    }

    @Test(arguments: answersToOpenat2)
    func objectReplacedByLinkIsNotRead(_ answer: CInt) async throws {
        let faults = FileFaults()
        try await withStoreAndOutside(answer, faults) { store, directory, outside in
            try Data([7]).write(to: URL(filePath: "\(outside)/secret"))
            try await store.put(Sample(10, seed: 1), key: "cam/file")
            faults.set { call, _ in
                guard call.operation == .openFile, call.path == directory.path("cam/file") else { return 0 }
                return unlink(call.path) == 0 && symlink("\(outside)/secret", call.path) == 0 ? 0 : EIO
            }
            await expectError(.keyUnsupported) { try await store.readObject(key: "cam/file") }
        }
    }

    @Test func measuresSegmentsByBytes() async throws {
        try await withTestStore { store, _ in
            let long = String(repeating: "n", count: 200)
            for sign in Self.signs {
                let fits = "\(long)/\(sign)\(long)/\(sign)\(long)"
                try await store.put(Sample(10, seed: 1), key: fits)
                #expect(try await store.contents(fits) == Sample(10, seed: 1).bytes)
                let tooLong = "a/\(sign)\(String(repeating: "n", count: 255))"
                await expectError(.keyUnsupported) { try await store.put(Sample(10, seed: 1), key: tooLong) }
            }
        }
    }

    /// A mount point below the store belongs to another file system. FileStore cannot rename a file into it, so it
    /// refuses the key.
    @Test(arguments: signs, answersToOpenat2)
    func refusesAnotherFileSystemBelowTheStore(_ sign: String, _ answer: CInt) async throws {
        try await withStoreAndOutside(answer) { store, directory, _ in
            let mounted = directory.path("cam/\(sign)day")
            try FileManager.default.createDirectory(atPath: mounted, withIntermediateDirectories: true)
            // Only root may mount.
            guard mount("tmpfs", mounted, "tmpfs", 0, "size=65536") == 0 else { return }
            defer { umount2(mounted, CInt(MNT_DETACH)) }
            for key in ["cam/\(sign)day/file", "cam/\(sign)day/deeper/file"] {
                await expectError(.keyUnsupported) { try await store.put(Sample(1, seed: 1), key: key) }
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: mounted).isEmpty)
        }
    }

    /// The store tests only once whether it can use `openat2`. If a later call is refused, this is an error: the store
    /// must not fall back to the weaker calls then.
    @Test(arguments: answersToOpenat2.dropFirst())
    func laterOpenat2RefusalIsAnError(_ code: CInt) async throws {
        let faults = FileFaults()
        try await withTestStore(faults) { store, directory in
            faults.fail(.openBeneath, with: code)
            await #expect(throws: StoreError.self) { try await store.put(Sample(1, seed: 1), key: "cam/file") }
            #expect(!directory.exists("cam/file"))
            faults.clear()
            try await store.put(Sample(1, seed: 1), key: "cam/file")
        }
    }

    /// Another program removes a folder and makes it again. The new folder may get the inode number of the old one, but
    /// its name is not durable, so FileStore must sync the name.
    @Test func syncsARecreatedFolder() async throws {
        let faults = FileFaults()
        try await withTestStore(faults) { store, directory in
            for round in 0..<10 {
                faults.clear()
                try await store.put(Sample(1, seed: 1), key: "cam/file")
                let isSynced = faults.calls.contains { $0.operation == .syncFolder && $0.path == directory.path }
                #expect(isSynced, "round \(round)")
                try FileManager.default.removeItem(atPath: directory.path("cam"))
                #expect(mkdir(directory.path("cam"), 0o777) == 0)
            }
        }
    }

    /// An empty folder whose name is not UTF-8 cannot come from FileStore. It belongs to another program and stays.
    @Test func skipsNonUTF8Folders() async throws {
        try await withTestStore { store, directory in
            #expect(mkdir(directory.path("cam"), 0o777) == 0)
            let name: [CChar] = (directory.path + "/cam/").utf8CString.dropLast() + [-1, -2, 0]
            #expect(mkdir(name, 0o777) == 0)
            await expectError(.keyUnsupported) { try await store.put(Sample(1, seed: 1), key: "cam") }
            #expect(rmdir(name) == 0)
            try await store.put(Sample(1, seed: 1), key: "cam")
        }
    }

    @Test func stopsAtTheFirstObjectBelowAKey() async throws {
        let faults = FileFaults()
        try await withTestStore(faults) { store, directory in
            for number in 0..<20 { try await store.put(Sample(1, seed: 1), key: "cam/\(number)") }
            faults.clear()
            await expectError(.keyUnsupported) { try await store.put(Sample(1, seed: 1), key: "cam") }
            let folder = directory.path("cam") + "/"
            #expect(faults.calls.count { $0.path.utf8.starts(with: folder.utf8) } == 1)
        }
    }

    /// Opens a store whose calls of `openat2` return `answer`, next to a folder that lies outside the store's
    /// directory.
    private func withStoreAndOutside(
        _ answer: CInt, _ faults: FileFaults = FileFaults(),
        _ body: (FileStore, TestDirectory, String) async throws -> Void
    ) async throws {
        faults.fail(.openBeneath, with: answer)
        try await withTestStore(faults) { store, directory in
            if answer != 0 { #expect(faults.calls.contains { $0.operation == .openBeneath }) }
            let outside = directory.path + "-outside"
            try FileManager.default.createDirectory(atPath: outside, withIntermediateDirectories: true)
            defer { rmdirTree(outside) }
            faults.clear()
            try await body(store, directory, outside)
        }
    }

    private func rmdirTree(_ path: String) {
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch {
            Issue.record(error)
        }
    }
}

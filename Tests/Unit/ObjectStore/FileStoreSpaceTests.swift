import Foundation
import ObjectStore
import ObjectStoreConformance
import SystemSupport
import Testing
import TransferCommon

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Tests with a full disk. They use a small file system if they may mount one, and injected errors otherwise.
@Suite(.serialized, .timeLimit(.minutes(5))) struct FileStoreSpaceTests {
    @Test func refusesWhatDoesNotFit() async throws {
        try await withFullDisk { store, directory, room in
            try await store.put(Sample(10, seed: 1), key: "small")
            let (upload, parts) = try await store.begin([Sample(1000, seed: 2)], key: "parts")
            let large = Sample(room + 1, seed: 3)
            await expectError(.full) { try await store.put(large, key: "large") }
            await expectError(.full) { try await store.upload(large, number: 1, key: "parts", upload: upload) }
            try await waitForRoom(room / 2, in: directory)
            #expect(try await store.object(key: "large") == nil)
            #expect(try directory.files(below: ".sluice/staging").isEmpty)
            #expect(try await store.contents("small") == Sample(10, seed: 1).bytes)
            #expect(try await store.allParts(key: "parts", upload: upload).map(\.etag) == parts.map(\.etag))
            try await store.complete(upload, parts, key: "parts")
            try await store.put(Sample(room / 4, seed: 4), key: "fits")
        }
    }

    /// Joining the parts needs as much space again as the object has bytes.
    @Test func keepsPartsIfTheObjectDoesNotFit() async throws {
        try await withFullDisk { store, directory, room in
            let part = Sample(room * 3 / 10, seed: 1)
            let id = try await store.createUpload(key: "a", metadata: metadata(partBytes: UInt64(part.bytes.count)))
            var parts = [try await store.upload(part, number: 1, key: "a", upload: id)]
            parts.append(try await store.upload(part, number: 2, key: "a", upload: id))
            await expectError(.full) { try await store.complete(id, parts, key: "a") }
            try await waitForRoom(room * 35 / 100, in: directory)
            #expect(try await store.object(key: "a") == nil)
            #expect(!directory.exists(".sluice/uploads/\(id)/joined"))
            #expect(try await store.allParts(key: "a", upload: id).map(\.etag) == parts.map(\.etag))
            try await store.complete(id, [parts[0]], key: "a")
            #expect(try await store.contents("a") == part.bytes)
        }
    }

    private static let roomBytes = 2 << 20

    /// Waits until space is free. A file that was refused and removed takes up space as long as the writing thread
    /// refers to it.
    private func waitForRoom(_ bytes: Int, in directory: TestDirectory) async throws {
        var status = statvfs()
        while true {
            try #require(statvfs(directory.path, &status) == 0)
            if Int(clamping: status.f_bavail) * Int(clamping: status.f_frsize) >= bytes { return }
            // No event reports the release of the space, so the loop polls; the test's own time limit ends it.
            try await Task.sleep(for: .milliseconds(1))
        }
    }

    /// - Parameter body: receives a store, its directory, and the approximate number of free bytes.
    private func withFullDisk(_ body: (FileStore, TestDirectory, Int) async throws -> Void) async throws {
        try await withTestDirectory { directory in
            let isMounted = mount("tmpfs", directory.path, "tmpfs", 0, "size=\(Self.roomBytes)") == 0
            defer {
                if isMounted { umount2(directory.path, CInt(MNT_DETACH)) }
            }
            if isMounted {
                return try await body(try await directory.open(), directory, Self.roomBytes)
            }
            // Only root may mount. For other users, writing fails with the error of a full disk after about as many
            // bytes as the small file system would hold.
            let faults = FileFaults()
            faults.set { call, _ in
                guard call.operation == .write else { return 0 }
                return usedBytes(below: directory.path) > Self.roomBytes - (1 << 18) ? ENOSPC : 0
            }
            try await body(try await directory.open(faults), directory, Self.roomBytes)
        }
    }
}

private func usedBytes(below path: String) -> Int {
    let names = FileManager.default.enumerator(atPath: path)?.allObjects as? [String] ?? []
    return names.reduce(0) { sum, name in
        let attributes = try? FileManager.default.attributesOfItem(atPath: "\(path)/\(name)")  // It may be gone.
        return sum + (attributes?[.size] as? Int ?? 0)
    }
}

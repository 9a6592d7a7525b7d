import Foundation
import RepositoryFiles
import TestSupport
import Testing
import TransferCommon

/// Tests of temporary directories, seeded files and file digests.
@Suite struct FileTests {
    @Test func removesTheDirectoryRecursively() async throws {
        let directory = try await withTemporaryDirectory { directory in
            let locked = directory.appending(path: "locked/deeper")
            try FileManager.default.createDirectory(at: locked, withIntermediateDirectories: true)
            try Data([1]).write(to: locked.appending(path: "file"))
            try FileManager.default.setAttributes([.posixPermissions: 0o500], ofItemAtPath: locked.path())
            return directory
        }
        #expect(!FileManager.default.fileExists(atPath: directory.path()))
    }

    @Test func removesTheDirectoryWhenTheBodyThrows() async throws {
        struct Thrown: Error { let directory: URL }
        let error = await #expect(throws: Thrown.self) {
            try await withTemporaryDirectory { throw Thrown(directory: $0) }
        }
        let path = try #require(error).directory.path()
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test func removesALinkAndNotWhatItPointsTo() async throws {
        try await withTemporaryDirectory { kept in
            try Data([1]).write(to: kept.appending(path: "file"))
            try FileManager.default.setAttributes([.posixPermissions: 0o500], ofItemAtPath: kept.path())
            try await withTemporaryDirectory { directory in
                try FileManager.default.createSymbolicLink(
                    at: directory.appending(path: "link"), withDestinationURL: kept)
            }
            let attributes = try FileManager.default.attributesOfItem(atPath: kept.path())
            #expect(attributes[.posixPermissions] as? Int == 0o500)
            #expect(FileManager.default.fileExists(atPath: kept.appending(path: "file").path()))
        }
    }

    @Test(arguments: [0, 1, 7, 8, 9, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3_000_001])
    func makesTheSameFileFromTheSameSeed(byteCount: Int) async throws {
        let file = SeededFile(seed: 11, byteCount: byteCount)
        try await withTemporaryDirectory { directory in
            let (first, second) = (directory.appending(path: "first"), directory.appending(path: "second"))
            try file.write(to: first)
            try file.write(to: second)
            #expect(try Data(contentsOf: first) == Data(file.bytes))
            #expect(file.bytes.count == byteCount)
            #expect(try fileDigest(first) == fileDigest(second))
            guard byteCount > 8 else { return }
            try SeededFile(seed: 12, byteCount: byteCount).write(to: second)
            #expect(try fileDigest(first) != fileDigest(second))
        }
    }

    @Test func makesFilesThatCompressInPart() {
        let bytes = SeededFile(seed: 1, byteCount: 2 << 20, zeroBytesPerMebibyte: 1 << 19).bytes
        #expect(bytes[(1 << 19)..<(1 << 20)].allSatisfy { $0 == 0 })
        #expect(Set(bytes[..<(1 << 19)]).count == 256)
        #expect(bytes[..<(1 << 19)] == SeededFile(seed: 1, byteCount: 1 << 19).bytes[...])
    }

    @Test func makesFilesWithHoles() async throws {
        try await withTemporaryDirectory { directory in
            let url = directory.appending(path: "sparse")
            try writeSparseFile(to: url, byteCount: 1 << 30, islands: [0: [1], 500_000_000: [2, 3]])
            let values = try url.resourceValues(forKeys: [.fileSizeKey, .totalFileAllocatedSizeKey])
            #expect(values.fileSize == 1 << 30)
            #expect(try #require(values.totalFileAllocatedSize) < 1 << 20)
            let file = try FileHandle(forReadingFrom: url)
            try file.seek(toOffset: 499_999_999)
            #expect(try file.read(upToCount: 4) == Data([0, 2, 3, 0]))
            try file.close()
        }
    }

    /// The SHA-256 examples of FIPS 180-2, and the empty message.
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            String(repeating: "a", count: 1_000_000),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        ),
    ])
    func digestsFilesAsThePublishedVectors(content: String, digest: String) async throws {
        try await withTemporaryDirectory { directory in
            let url = directory.appending(path: "file")
            try Data(content.utf8).write(to: url)
            #expect(try fileDigest(url) == SHA256Digest(digest))
        }
    }

    @Test func findsAPortThatCanBeUsed() throws {
        #expect((1024...65535).contains(try findFreePort()))
    }

    @Test func findsTheRepository() {
        let manifest = RepositoryFiles.root.appending(path: "Package.swift").path(percentEncoded: false)
        #expect(FileManager.default.fileExists(atPath: manifest))
    }
}

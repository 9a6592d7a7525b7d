import Foundation
import ObjectStore
import ObjectStoreConformance
import Testing
import TransferCommon
import WireProtocol

/// The evidence that FileStore reports for an object is always true; if FileStore is not certain, it reports none. This
/// holds even if other programs write to the directory.
@Suite struct FileStoreEvidenceTests {
    private let old = Sample(5000, seed: 1)
    private let new = Sample(5000, seed: 2)

    @Test func outlivesTheStoreThatWroteIt() async throws {
        try await withTestStore { store, directory in
            let stored = try await store.put(old, key: "a/b")
            try await store.close()
            let summary = try #require(try await directory.open().object(key: "a/b"))
            #expect(summary.evidence == .wholeDigest(try old.digest))
            #expect(summary.etag == stored.etag && !summary.etag.isEmpty)
            #expect(summary.metadata?.partDigest == (try old.digest))
        }
    }

    @Test func isVoidAfterOverwriting() async throws {
        try await withTestStore { store, directory in
            try await store.put(old, key: "a")
            let file = try FileHandle(forWritingTo: URL(fileURLWithPath: directory.path("a")))
            try file.write(contentsOf: new.bytes)
            try file.close()
            try await expectNothingKnown(of: "a", in: store, size: 5000)
        }
    }

    @Test(arguments: [false, true])
    func isVoidAfterReplacement(_ keepsTime: Bool) async throws {
        try await withTestStore { store, directory in
            try await store.put(old, key: "a")
            let date = try FileManager.default.attributesOfItem(atPath: directory.path("a"))[.modificationDate]
            try directory.write(new.bytes, to: "other")
            if keepsTime {
                try FileManager.default.setAttributes(
                    [.modificationDate: try #require(date)], ofItemAtPath: directory.path("other"))
            }
            #expect(rename(directory.path("other"), directory.path("a")) == 0)
            try await expectNothingKnown(of: "a", in: store, size: 5000)
        }
    }

    /// A crash may leave the description of an object that no longer exists. The description names the object's inode
    /// number, which a later file may get. FileStore must not use the description for that file.
    @Test func isNotTakenFromAReusedInode() async throws {
        try await withTestStore { store, directory in
            try await store.put(old, key: "a")
            let described = try #require(try directory.files(below: ".sluice/metadata").first)
            let description = try directory.read(".sluice/metadata/\(described)")
            try FileManager.default.removeItem(atPath: directory.path("a"))
            try directory.write(new.bytes, to: "a")
            let attributes = try FileManager.default.attributesOfItem(atPath: directory.path("a"))
            let inode = try #require(attributes[.systemFileNumber] as? UInt64)
            let prefix = try #require(described.split(separator: ".").first)
            // Change the inode number in the text of the description too. The generation and the time in the
            // description must still show that it belongs to another file.
            let text = String(decoding: description, as: UTF8.self)
                .replacing(/"inode":\d+/, with: "\"inode\":\(inode)")
            try directory.write(Array(text.utf8), to: ".sluice/metadata/\(prefix).\(inode)")
            try await expectNothingKnown(of: "a", in: store, size: 5000)
        }
    }

    @Test(arguments: ["", "{", "{}", "null", "\u{0}\u{0}"])
    func isNotReadFromADamagedDescription(_ text: String) async throws {
        try await withTestStore { store, directory in
            try await store.put(old, key: "a")
            let described = try #require(try directory.files(below: ".sluice/metadata").first)
            try directory.write(Array(text.utf8), to: ".sluice/metadata/\(described)")
            try await expectNothingKnown(of: "a", in: store, size: 5000)
        }
    }

    @Test func isAbsentForForeignFiles() async throws {
        try await withTestStore { store, directory in
            try directory.write(old.bytes, to: "foreign")
            try await expectNothingKnown(of: "foreign", in: store, size: 5000)
            await expectError(.keyTaken) { try await store.put(new, key: "foreign", condition: .ifAbsent) }
            #expect(try directory.read("foreign") == old.bytes)
        }
    }

    @Test func replacesTheDescriptionWithTheObject() async throws {
        try await withTestStore { store, directory in
            for seed in 0..<5 {
                try await store.put(Sample(10, seed: UInt8(seed)), key: "a", session: UInt64(seed))
                #expect(try directory.files(below: ".sluice/metadata").count == 1)
            }
        }
    }

    /// A part with a damaged file counts as missing, so that the agent sends it again.
    @Test(arguments: [0, 47, 48, 500, 1047])
    func skipsADamagedPart(_ byteCount: Int) async throws {
        try await withTestStore { store, directory in
            let (upload, parts) = try await store.begin([Sample(1000, seed: 1), Sample(10, seed: 2)], key: "a")
            let file = ".sluice/uploads/\(upload)/part-00001"
            try directory.write(Array(try directory.read(file).prefix(byteCount)), to: file)
            #expect(try await store.allParts(key: "a", upload: upload).map(\.number) == [parts[1].number])
            await expectError(.partsInvalid([parts[0].number])) { try await store.complete(upload, parts, key: "a") }
            let again = try await store.upload(Sample(1000, seed: 1), number: 1, key: "a", upload: upload)
            try await store.complete(upload, [again, parts[1]], key: "a")
        }
    }

    @Test func reportsADamagedUpload() async throws {
        try await withTestStore { store, directory in
            let (upload, _) = try await store.begin([Sample(10, seed: 1)], key: "a")
            let (sound, _) = try await store.begin([Sample(10, seed: 1)], key: "a")
            try directory.write([1, 2, 3], to: ".sluice/uploads/\(upload)/description")
            await expectError(.damaged) { try await store.listParts(key: "a", upload: upload, after: nil) }
            #expect(try await store.uploads(key: "a").map(\.upload) == [sound])
        }
    }

    private func expectNothingKnown(of key: String, in store: FileStore, size: UInt64) async throws {
        let summary = try #require(try await store.object(key: key))
        #expect(summary.size == size)
        #expect(summary.evidence == .none)
        #expect(!summary.isVerified)
        #expect(summary.metadata == nil)
        #expect(summary.etag.contains("file-"), "an ETag of the file, not of its content")
    }
}

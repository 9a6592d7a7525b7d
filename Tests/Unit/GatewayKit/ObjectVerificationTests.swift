import Cryptography
import Foundation
import GatewayKit
import Logging
import NIOCore
import NIOPosix
import ObjectStore
import ObjectStoreConformance
import TestSupport
import Testing
import TransferCommon

/// What `sluice-gateway verify` says of objects, and what it must not say.
@Suite struct ObjectVerificationTests {
    private static let bytes = (0..<5_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    private static let otherBytes = bytes.map { $0 ^ 1 }

    /// A store that keeps no metadata and no checksums, as some S3 stores; only the ETag may tell something.
    private struct BareStore: ForwardingStore {
        let base: FileStore
        var etag = ""

        func readObject(key: ObjectKey) async throws(StoreError) -> ObjectReader? {
            guard let object = try await base.readObject(key: key) else { return nil }
            let summary = ObjectSummary(
                size: object.summary.size, partBytes: 0, evidence: .none, etag: etag, version: "", metadata: nil,
                isVerified: false)
            return ObjectReader(summary: summary, bytes: object.bytes)
        }
    }

    private func withObject(_ body: (FileStore, URL) async throws -> Void) async throws {
        try await withTemporaryDirectory { directory in
            let store = try await FileStore.open(
                path: directory.path(percentEncoded: false), threads: .singleton, logger: Logger(label: "test"))
            let metadata = ObjectMetadata(
                session: SessionID(high: 0, low: 1), partBytes: 8_192,
                modification: ModificationTime(seconds: 0, nanoseconds: 0))
            let content = ObjectBody(
                buffers: [ByteBuffer(bytes: Self.bytes)], digest: try SHA256Digest.of(Self.bytes))
            _ = try await store.putObject(key: "a", body: content, metadata: metadata, condition: .none)
            try await body(store, directory.appending(path: "a"))
            try await store.close()
        }
    }

    private enum Kind { case missing, whole, damaged, unknown }

    private func expect(
        _ kind: Kind, of store: any ObjectStore, named digest: SHA256Digest? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let verdict = try await ObjectVerification(store: store).verify(key: "a", expected: digest).verdict
        let found: Kind =
            switch verdict {
            case .missing: .missing
            case .whole: .whole
            case .damaged: .damaged
            case .unknown: .unknown
            }
        #expect(found == kind, "\(verdict)", sourceLocation: sourceLocation)
    }

    @Test func unchangedObjectIsWhole() async throws {
        try await withObject { store, _ in try await expect(.whole, of: store) }
    }

    /// Another program has written into the file, so its description no longer counts as evidence for agents.
    @Test func objectThatWasOverwrittenInPlaceIsDamaged() async throws {
        try await withObject { store, file in
            let handle = try FileHandle(forWritingTo: file)
            try handle.write(contentsOf: Self.otherBytes)
            try handle.close()
            try await expect(.damaged, of: store)
        }
    }

    /// A copy from a backup has another inode.
    @Test(arguments: [true, false])
    func replacedObjectIsComparedWithWhatWasStored(isSame: Bool) async throws {
        try await withObject { store, file in
            try Data(isSame ? Self.bytes : Self.otherBytes).write(to: file, options: .atomic)
            try await expect(isSame ? .whole : .damaged, of: store)
        }
    }

    /// The operator knows better than the record what the object should hold.
    @Test func replacedObjectWithTheNamedDigestIsWhole() async throws {
        try await withObject { store, file in
            try Data(Self.otherBytes).write(to: file, options: .atomic)
            try await expect(.whole, of: store, named: try SHA256Digest.of(Self.otherBytes))
        }
    }

    @Test func touchedObjectIsWhole() async throws {
        try await withObject { store, file in
            try FileManager.default.setAttributes(
                [.modificationDate: Date(timeIntervalSince1970: 1)], ofItemAtPath: file.path(percentEncoded: false))
            try await expect(.whole, of: store)
        }
    }

    @Test func storeWithoutMetadataNeedsTheDigest() async throws {
        try await withObject { store, _ in
            let bare = BareStore(base: store)
            try await expect(.unknown, of: bare)
            try await expect(.whole, of: bare, named: try SHA256Digest.of(Self.bytes))
            try await expect(.damaged, of: bare, named: try SHA256Digest.of(Self.otherBytes))
        }
    }

    /// An ETag that is the MD5 shows that the bytes are right. Another ETag shows nothing.
    @Test func etagOfAStoreWithoutMetadataCanOnlyConfirm() async throws {
        try await withObject { store, _ in
            var hasher = try MD5Hasher()
            hasher.update(ByteBuffer(bytes: Self.bytes))
            let md5 = try hasher.finalize()
            var joined = try MD5Hasher()
            joined.update(ByteBuffer(bytes: md5.bytes))
            let composite = "\(try joined.finalize())-1"
            for etag in ["\"\(md5)\"", "\"\(composite)\""] {
                try await expect(.whole, of: BareStore(base: store, etag: etag))
            }
            let other = String(repeating: "0", count: 32)
            for etag in [other, "\(other)-1", "\(other)-7", "\(other)-0", "-", "", "\(other)-1-1"] {
                try await expect(.unknown, of: BareStore(base: store, etag: etag))
            }
        }
    }

    /// A store whose ETag counts as evidence. The part size is metadata of the object, which any program may write.
    private struct CompositeStore: ForwardingStore {
        let base: FileStore
        let etag: String
        let partBytes: UInt64

        func readObject(key: ObjectKey) async throws(StoreError) -> ObjectReader? {
            guard let object = try await base.readObject(key: key) else { return nil }
            let summary = ObjectSummary(
                size: object.summary.size, partBytes: partBytes, evidence: .compositeMD5(etag), etag: etag, version: "",
                metadata: nil, isVerified: false)
            return ObjectReader(summary: summary, bytes: object.bytes)
        }
    }

    private func compositeETag(partBytes: Int) throws -> String {
        var joined = try MD5Hasher()
        let starts = stride(from: 0, to: Self.bytes.count, by: partBytes)
        for start in starts {
            var part = try MD5Hasher()
            part.update(ByteBuffer(bytes: Self.bytes[start..<min(start + partBytes, Self.bytes.count)]))
            joined.update(ByteBuffer(bytes: try part.finalize().bytes))
        }
        return "\(try joined.finalize())-\(starts.underestimatedCount)"
    }

    @Test(arguments: [1, 1_000, 4_999, 5_000, 8_192])
    func etagOfPartsIsCompared(partBytes: Int) async throws {
        try await withObject { store, _ in
            let etag = try compositeETag(partBytes: partBytes)
            try await expect(.whole, of: CompositeStore(base: store, etag: etag, partBytes: UInt64(partBytes)))
            // With one part, its size makes no difference.
            guard partBytes < Self.bytes.count else { return }
            try await expect(.damaged, of: CompositeStore(base: store, etag: etag, partBytes: UInt64(partBytes) + 1))
        }
    }

    /// Parts of one byte would cost 16 bytes of memory for each byte of the object.
    @Test func morePartsThanTheETagSaysAreNotComputed() async throws {
        try await withObject { store, _ in
            let crowded = CompositeStore(base: store, etag: try compositeETag(partBytes: 1_000), partBytes: 1)
            let verdict = try await ObjectVerification(store: crowded).verify(key: "a").verdict
            #expect(verdict == .damaged(evidence: "ETag \(crowded.etag)", found: "none"))
        }
    }

    /// The store has no evidence against the bytes: only the digest that the operator has named differs.
    @Test func namedDigestIsNotCalledStored() async throws {
        try await withObject { store, _ in
            let found = try await ObjectVerification(store: store).verify(key: "a").digest
            let verdict = try await ObjectVerification(store: store).verify(key: "a", expected: .zero).verdict
            let whole = try #require(found)
            #expect(
                verdict
                    == .damaged(
                        evidence: "SHA-256 \(SHA256Digest.zero)", found: "SHA-256 \(whole)", isNamed: true))
        }
    }

    @Test func missingObjectIsMissing() async throws {
        try await withObject { store, file in
            try FileManager.default.removeItem(at: file)
            try await expect(.missing, of: store)
        }
    }
}

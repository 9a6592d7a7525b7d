import AgentKit
import Cryptography
import Foundation
import NIOCore
import SecureChannel
import TestSupport
import Testing
import TransferCommon
import TransferCore
import WireProtocol

/// Tests of reading and hashing files.
@Suite
struct PartReaderTests {
    private func withFile(_ bytes: Int, _ body: (PartReader, URL) throws -> Void) async throws {
        try await withTemporaryDirectory { directory in
            let url = directory.appending(path: "file")
            try SeededFile(seed: 3, byteCount: bytes).write(to: url)
            try body(PartReader(file: try SourceFile.open(url.path(percentEncoded: false))), url)
        }
    }

    @Test(arguments: [0, 1, SourceFile.pieceBytes - 1, SourceFile.pieceBytes, 3 * SourceFile.pieceBytes + 7])
    func hashesAWholePartAndKeepsItsBytes(bytes: Int) async throws {
        try await withFile(bytes) { reader, url throws in
            let (reading, kept) = reader.read(start: 0, bytes: UInt64(bytes), withMD5: true, keep: true)
            guard case .read(let digest, let md5, let stamp) = reading else {
                Issue.record("\(reading)")
                return
            }
            let expected = try fileDigest(url)
            let content = try Data(contentsOf: url)
            #expect(digest == expected)
            #expect(md5 != nil)
            #expect(stamp.size == UInt64(bytes))
            #expect(kept.map { Data($0.readableBytesView) } == content)
        }
    }

    @Test func shortFileIsReported() async throws {
        try await withFile(1_000) { reader, _ in
            let (reading, kept) = reader.read(start: 500, bytes: 501, withMD5: false, keep: true)
            #expect(reading == .truncated)
            #expect(kept == nil)
        }
    }

    @Test func evidenceMatchesTheStore() async throws {
        try await withFile(2_500) { reader, url in
            let bytes = [UInt8](try Data(contentsOf: url))
            let digests = try [bytes[..<1_000], bytes[1_000..<2_000], bytes[2_000...]].map { try SHA256Digest.of($0) }
            let root = try RootDigest.of(digests)
            let whole = try SHA256Digest.of(bytes)
            func evidence(_ partBytes: UInt64, _ kind: ContentEvidence) -> ContentEvidence? {
                guard
                    case .computed(let evidence, _) = reader.evidence(
                        fileBytes: 2_500, partBytes: partBytes, like: kind)
                else { return nil }
                return evidence
            }
            #expect(evidence(1_000, .root(whole)) == .root(root))
            #expect(evidence(2_500, .wholeDigest(root)) == .wholeDigest(whole))
            #expect(evidence(1_000, .wholeDigest(root)) == ContentEvidence.none)
            guard case .compositeMD5(let etag) = evidence(1_000, .compositeMD5("")) else {
                Issue.record("no MD5")
                return
            }
            #expect(etag.count == 34 && etag.hasSuffix("-3"))
        }
    }

    @Test func opensOnlyRegularFiles() {
        let missing = UploadFailure(.missing, "there is no such file; check its path")
        let special = UploadFailure(.unreadable, "it is not a regular file; only regular files can be sent")
        #expect(throws: missing) { try SourceFile.open("/no/such/file") }
        #expect(throws: special) { try SourceFile.open("/dev/null") }
        #expect(throws: special) { try SourceFile.open("/") }
    }
}

import Cryptography
import NIOCore
package import TransferCommon
import TransferCore
import WireProtocol

/// The digests of a file that the command `sluice-agent digest` prints. Users compare them with a receipt or with an
/// object in the store.
package struct FileDigests: Equatable, Sendable {
    package var bytes: UInt64
    /// SHA-256 of the whole file, as `sha256sum` computes it.
    package var whole: SHA256Digest
    /// The root digest: SHA-256 over the digests of the parts. Root digest and part size together identify the content.
    package var root: SHA256Digest
    package var partBytes: UInt64

    /// Reads a file once, up to its end and not up to the size that the file system reports. Blocks.
    ///
    /// - Parameter partBytes: part size in bytes, at least 1.
    /// - Throws: `UploadFailure`.
    package init(path: String, partBytes: UInt64) throws {
        guard partBytes > 0 else { throw UploadFailure(.partSizeUnsupported, "a part has at least one byte") }
        let file = try SourceFile.open(path)
        let before = try file.stamp()
        var whole = try SHA256Hasher()
        var digests: [SHA256Digest] = []
        var bytes: UInt64 = 0
        var hasEnded = false
        var buffer = ByteBufferAllocator().buffer(capacity: SourceFile.pieceBytes)
        while !hasEnded {
            var part = try SHA256Hasher()
            var missing = partBytes
            while missing > 0, !hasEnded {
                buffer.clear()
                let wanted = Int(min(missing, UInt64(SourceFile.pieceBytes)))
                let got = try file.append(from: bytes, count: wanted, to: &buffer)
                part.update(buffer)
                whole.update(buffer)
                bytes += UInt64(got)
                missing -= UInt64(got)
                hasEnded = got < wanted
            }
            // A file that ends at a part boundary has no further part; an empty file has one empty part.
            if missing < partBytes || digests.isEmpty { digests.append(try part.finalize()) }
        }
        guard before.difference(whileReading: try file.stamp()) != .changed else {
            throw UploadFailure.changedWhileRead
        }
        self.bytes = bytes
        self.whole = try whole.finalize()
        self.root = try RootDigest.of(digests)
        self.partBytes = partBytes
    }
}

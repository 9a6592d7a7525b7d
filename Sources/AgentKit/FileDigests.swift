import SecureChannel
import TransferCore
package import WireProtocol

/// The digests that prove a file: what `digest` prints, to be compared with a receipt or with an object in the store.
package struct FileDigests: Equatable, Sendable {
    package var bytes: UInt64
    /// SHA-256 of the whole, as every tool computes it.
    package var whole: SHA256Digest
    /// SHA-256 over the digests of its parts: the file's identity, together with the part size.
    package var root: SHA256Digest
    package var partBytes: UInt64

    /// Reads a file once. Blocks.
    ///
    /// - Parameter partBytes: from 1.
    /// - Throws: `UploadFailure`.
    package init(path: String, partBytes: UInt64) throws {
        let file = try SourceFile.open(path)
        let before = try file.stamp()
        var whole = try SHA256Hasher()
        var digests: [SHA256Digest] = []
        guard let plan = PartPlan(fileBytes: before.size, partBytes: partBytes), let count = plan.partCount else {
            throw UploadFailure(.partSizeUnsupported, "a part has at least one byte")
        }
        for number in 1...count {
            guard let part = PartNumber(number), let bytes = plan.bytes(of: part) else { break }
            var hasher = try SHA256Hasher()
            let lastPiece = try file.readPieces(from: plan.start(of: part), count: bytes) { piece in
                hasher.update(piece)
                whole.update(piece)
            }
            guard lastPiece != nil else {
                throw UploadFailure(.changed, "the file was cut short while it was being read")
            }
            digests.append(try hasher.finalize())
        }
        guard before.difference(whileReading: try file.stamp()) != .changed else {
            throw UploadFailure(.changed, "the file changed while it was being read")
        }
        self.bytes = before.size
        self.whole = try whole.finalize()
        self.root = try RootDigest.of(digests)
        self.partBytes = partBytes
    }
}

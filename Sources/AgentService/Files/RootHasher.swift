import AgentKit
import Cryptography
import TransferCommon
import TransferCore

/// Computes the root digest of bytes that arrive in order: of all of them, or of the first ones.
final class RootHasher {
    private let partBytes: UInt64
    private let byteCountMax: UInt64?
    private var byteCount: UInt64 = 0
    private var part: SHA256Hasher?
    private var partMissing: UInt64 = 0
    private var digests: [SHA256Digest] = []

    /// - Parameters:
    ///   - partBytes: the part size, at least 1.
    ///   - byteCountMax: how many bytes count; `nil` for all.
    init(partBytes: UInt64, byteCountMax: UInt64? = nil) throws {
        guard partBytes > 0 else { throw UploadFailure(.partSizeUnsupported, "a part has at least one byte") }
        self.partBytes = partBytes
        self.byteCountMax = byteCountMax
    }

    /// Adds the next bytes. Those beyond the first `byteCountMax` have no effect.
    func update(_ bytes: UnsafeRawBufferPointer) throws {
        let wanted = byteCountMax.map { $0 - byteCount } ?? .max
        var rest = UnsafeRawBufferPointer(rebasing: bytes.prefix(Int(clamping: wanted)))
        byteCount += UInt64(rest.count)
        while !rest.isEmpty {
            if part == nil {
                part = try SHA256Hasher()
                partMissing = partBytes
            }
            let step = Int(min(UInt64(rest.count), partMissing))
            part?.update(UnsafeRawBufferPointer(rebasing: rest.prefix(step)))
            partMissing -= UInt64(step)
            if partMissing == 0 { try endPart() }
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(step))
        }
    }

    /// The digest; `nil` if fewer than `byteCountMax` bytes came. Call it once, after the last bytes.
    func finish() throws -> SHA256Digest? {
        if let byteCountMax, byteCount < byteCountMax { return nil }
        // A file that ends at a part boundary has no further part; an empty file has one empty part.
        if part == nil, digests.isEmpty { part = try SHA256Hasher() }
        try endPart()
        return try RootDigest.of(digests)
    }

    private func endPart() throws {
        if let digest = try part.take()?.finalize() { digests.append(digest) }
    }
}

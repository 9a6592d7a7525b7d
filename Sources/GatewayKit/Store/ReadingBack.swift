import Cryptography
import NIOCore
import ObjectStore
import TransferCommon
import TransferCore
import WireProtocol

// Reads an object back to compute its root digest, for stores that keep no usable checksum of the object.

extension StoreCalls {
    /// The object under the key, with the root digest of its bytes; `nil` if there is no object. An object of another
    /// size than `size` is not the wanted one: its bytes are not read, and the result has no digest.
    func readBack(_ key: String, size: UInt64, partBytes: UInt64) async throws(StoreError) -> ObjectSummary? {
        guard let object = try await store.readObject(key: ObjectKey(key)) else { return nil }
        var summary = object.summary
        guard summary.size == size else { return summary }
        do {
            var reading = try RootReading(partBytes: partBytes)
            var pieces = object.bytes.makeAsyncIterator()
            while let piece = try await pieces.next(isolation: nil) { try reading.update(piece) }
            summary.evidence = .root(try reading.finish())
            summary.partBytes = partBytes
            summary.isVerified = true
            return summary
        } catch let error as StoreError {
            throw error
        } catch {
            throw StoreError(.unavailable, cause: error)
        }
    }
}

/// Computes the root digest of an object from a stream of its bytes. Keeps no list of part digests, so memory use does
/// not depend on the number of parts.
struct RootReading: ~Copyable {
    private let partBytes: UInt64
    private var part: SHA256Hasher
    private var root: SHA256Hasher
    private var partFilled: UInt64 = 0
    private var isEmpty = true

    /// - Parameter partBytes: part size in bytes, at least 1.
    init(partBytes: UInt64) throws(CryptographyError) {
        let part = try SHA256Hasher()
        let root = try SHA256Hasher()
        self.partBytes = max(partBytes, 1)
        self.part = part
        self.root = root
    }

    mutating func update(_ piece: ByteBuffer) throws(CryptographyError) {
        var rest = piece
        while rest.readableBytes > 0 {
            let room = Int(clamping: partBytes - partFilled)
            guard let slice = rest.readSlice(length: min(room, rest.readableBytes)) else { break }
            part.update(slice)
            partFilled += UInt64(slice.readableBytes)
            if partFilled == partBytes { try endPart() }
        }
    }

    private mutating func endPart() throws(CryptographyError) {
        var ended = try SHA256Hasher()
        swap(&ended, &part)
        try ended.finalize().withUnsafeBytes { root.update($0) }
        partFilled = 0
        isEmpty = false
    }

    /// Returns the root digest of all bytes. An empty object has one empty part.
    mutating func finish() throws(CryptographyError) -> SHA256Digest {
        if partFilled > 0 || isEmpty { try endPart() }
        var ended = try SHA256Hasher()
        swap(&ended, &root)
        return try ended.finalize()
    }
}

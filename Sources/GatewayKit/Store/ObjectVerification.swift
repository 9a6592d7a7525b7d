import Cryptography
import NIOCore
package import ObjectStore
package import TransferCommon
import WireProtocol

/// Reads an object back and compares its bytes with the evidence (checksum or ETag) that the store keeps.
package struct ObjectVerification: Sendable {
    /// Result of a verification.
    package enum Verdict: Equatable, Sendable {
        case missing
        /// The object's bytes match the evidence.
        case whole(evidence: String)
        case damaged(evidence: String, found: String)
        /// The store keeps no evidence for this object.
        case unproven
    }

    private let store: any ObjectStore

    package init(store: any ObjectStore) {
        self.store = store
    }

    /// Reads an object back and compares its bytes with the store's evidence.
    ///
    /// - Parameter key: full key, including the device's prefix.
    /// - Returns: the verdict, the number of bytes read, and the SHA-256 of all bytes (`nil` for a missing object).
    package func verify(key: String) async throws -> (verdict: Verdict, bytes: UInt64, digest: SHA256Digest?) {
        guard let object = try await store.readObject(key: ObjectKey(key)) else { return (.missing, 0, nil) }
        var reading = try ObjectReading(
            partBytes: object.summary.evidence.dependsOnPartBytes ? object.summary.partBytes : nil)
        for try await piece in object.bytes { try reading.update(piece) }
        let found = try reading.finish()
        let verdict: Verdict
        switch object.summary.evidence {
        case .root(let root): verdict = Self.compare("root \(root)", "root \(found.root)")
        case .wholeDigest(let digest): verdict = Self.compare("SHA-256 \(digest)", "SHA-256 \(found.whole)")
        case .compositeMD5(let etag): verdict = Self.compare("ETag \(etag)", "ETag \(found.compositeMD5)")
        case .none: verdict = .unproven
        }
        return (
            found.bytes == object.summary.size ? verdict : .damaged(evidence: "size", found: "another"), found.bytes,
            found.whole
        )
    }

    private static func compare(_ kept: String, _ found: String) -> Verdict {
        kept == found ? .whole(evidence: kept) : .damaged(evidence: kept, found: found)
    }
}

/// Computes the digests of a whole object and of its parts from a stream of the object's bytes.
struct ObjectReading: ~Copyable {
    struct Result {
        var bytes: UInt64
        var whole: SHA256Digest
        var root: SHA256Digest
        /// ETag in the S3 format: hex MD5 of the concatenated MD5s of the parts, a hyphen, and the number of parts.
        var compositeMD5: String
    }

    private let partBytes: UInt64
    private var bytes: UInt64 = 0
    private var whole: SHA256Hasher
    private var part: SHA256Hasher
    private var partMD5: MD5Hasher
    private var partFilled: UInt64 = 0
    private var digests: [SHA256Digest] = []
    private var md5s: [UInt8] = []

    init(partBytes: UInt64?) throws(CryptographyError) {
        let whole = try SHA256Hasher()
        let part = try SHA256Hasher()
        let partMD5 = try MD5Hasher()
        self.partBytes = max(partBytes ?? .max, 1)
        self.whole = whole
        self.part = part
        self.partMD5 = partMD5
    }

    mutating func update(_ piece: ByteBuffer) throws(CryptographyError) {
        var rest = piece
        whole.update(piece)
        bytes += UInt64(piece.readableBytes)
        while rest.readableBytes > 0 {
            let room = Int(clamping: partBytes - partFilled)
            guard let slice = rest.readSlice(length: min(room, rest.readableBytes)) else { break }
            part.update(slice)
            partMD5.update(slice)
            partFilled += UInt64(slice.readableBytes)
            if partFilled == partBytes { try endPart() }
        }
    }

    private mutating func endPart() throws(CryptographyError) {
        var ended = try SHA256Hasher()
        swap(&ended, &part)
        digests.append(try ended.finalize())
        var endedMD5 = try MD5Hasher()
        swap(&endedMD5, &partMD5)
        md5s += try endedMD5.finalize().bytes
        partFilled = 0
    }

    mutating func finish() throws(CryptographyError) -> Result {
        if partFilled > 0 || digests.isEmpty { try endPart() }
        var joined = try MD5Hasher()
        md5s.withUnsafeBytes { joined.update($0) }
        let composite = "\(try joined.finalize())-\(digests.count)"
        var ended = try SHA256Hasher()
        swap(&ended, &whole)
        return Result(
            bytes: bytes, whole: try ended.finalize(), root: try RootDigest.of(digests), compositeMD5: composite)
    }
}

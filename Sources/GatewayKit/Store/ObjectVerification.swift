import Cryptography
import NIOCore
package import ObjectStore
package import TransferCommon
import WireProtocol

/// Reads an object back and compares its bytes with what is known of its content: the digest that the operator names,
/// the evidence (checksum or ETag) that the store keeps with the object, or what the store has recorded of it before.
package struct ObjectVerification: Sendable {
    /// Result of a verification.
    package enum Verdict: Equatable, Sendable {
        case missing
        /// The object's bytes match.
        case whole(evidence: String)
        /// The object's bytes are others than those that were stored, or than those of the digest that the operator has
        /// named.
        case damaged(evidence: String, found: String, isNamed: Bool = false)
        /// There is nothing to compare the bytes with.
        case unknown
    }

    /// The verdict, and what the object holds.
    package struct Result: Equatable, Sendable {
        package let verdict: Verdict
        /// The number of bytes that were read.
        package let bytes: UInt64
        /// The SHA-256 of all bytes; `nil` for a missing object.
        package let digest: SHA256Digest?
    }

    private let store: any ObjectStore

    package init(store: any ObjectStore) {
        self.store = store
    }

    /// Reads an object back and compares its bytes.
    ///
    /// - Parameters:
    ///   - key: full key, including the device's prefix.
    ///   - expected: the SHA-256 that the object should have; `nil` if only the store knows.
    package func verify(key: String, expected: SHA256Digest? = nil) async throws -> Result {
        guard let object = try await store.readObject(key: ObjectKey(key)) else {
            return Result(verdict: .missing, bytes: 0, digest: nil)
        }
        let summary = object.summary
        var known = [RecordedContent(evidence: summary.evidence, partBytes: summary.partBytes)]
        if summary.evidence == .none { known = try await store.recordedContents(key: ObjectKey(key)) }
        let guesses = known.isEmpty ? ETagGuess(summary) : nil
        let reading = try ObjectReading(known, guesses)
        for try await piece in object.bytes { try reading.update(piece) }
        let found = try reading.finish()
        return Result(
            verdict: Self.verdict(summary, found, known, guesses, expected), bytes: found.bytes, digest: found.whole)
    }

    /// A number of bytes in words.
    static func bytesText(_ count: UInt64) -> String { "\(count) byte\(count == 1 ? "" : "s")" }

    private static func verdict(
        _ summary: ObjectSummary, _ found: ObjectReading.Result, _ known: [RecordedContent], _ guess: ETagGuess?,
        _ expected: SHA256Digest?
    ) -> Verdict {
        guard found.bytes == summary.size else {
            return .damaged(evidence: bytesText(summary.size), found: bytesText(found.bytes))
        }
        if let expected, expected != found.whole {
            return .damaged(evidence: "SHA-256 \(expected)", found: "SHA-256 \(found.whole)", isNamed: true)
        }
        let comparisons = known.compactMap { found.compared(with: $0) }
        if let match = comparisons.first(where: { $0.kept == $0.found }) { return .whole(evidence: match.kept) }
        if let expected, let other = comparisons.first {
            // Another program has replaced the object by the content that the operator names.
            return .whole(evidence: "SHA-256 \(expected); another content (\(other.kept)) is recorded")
        }
        if let other = comparisons.first { return .damaged(evidence: other.kept, found: other.found) }
        if let expected { return .whole(evidence: "SHA-256 \(expected)") }
        if let guess, guess.matches(found) { return .whole(evidence: "ETag \(guess.etag)") }
        return .unknown
    }
}

/// An ETag that may be an MD5 of the object, although the store keeps nothing that says so. Without metadata the part
/// size is not known either, so the usual ones are tried. Equal MD5s show that the bytes are right. Other MD5s show
/// nothing.
struct ETagGuess {
    let etag: String
    /// The part sizes with which the object would have as many parts as the ETag says; empty for the MD5 of the whole
    /// object.
    let partSizes: [UInt64]

    /// More part sizes would cost much time.
    private static let partSizesMax = 8
    private static let mebibyte: UInt64 = 1 << 20

    /// - Returns: `nil` if the ETag does not have the form of an MD5.
    init?(_ summary: ObjectSummary) {
        let bare = summary.etag.utf8.filter { $0 != UInt8(ascii: "\"") }
        etag = String(decoding: bare, as: UTF8.self).lowercased()
        let halves = etag.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        guard let first = halves.first, MD5Digest(first) != nil, halves.count <= 2 else { return nil }
        guard halves.count == 2 else {
            partSizes = []
            return
        }
        guard let count = UInt64(halves[1]), count > 0, summary.size > 0 else { return nil }
        partSizes = Self.partSizes(of: summary.size, count: count)
        if partSizes.isEmpty { return nil }
    }

    /// Whole numbers of MiB, powers of two first.
    private static func partSizes(of size: UInt64, count: UInt64) -> [UInt64] {
        guard count > 1 else { return [size] }
        let least = (size - 1) / count + 1
        let most = (size - 1) / (count - 1)
        guard least <= most, most >= mebibyte else { return [] }
        let powers = (20...40).map { UInt64(1) << UInt64($0) }.filter { (least...most).contains($0) }
        let first = (least - 1) / mebibyte + 1
        let others = (first...max(first, min(most / mebibyte, first + 16))).map { $0 * mebibyte }
            .filter { (least...most).contains($0) && !powers.contains($0) }
        return Array((powers + others).prefix(partSizesMax))
    }

    func matches(_ found: ObjectReading.Result) -> Bool {
        partSizes.isEmpty ? found.md5 == etag : partSizes.contains { found.compositeMD5s[$0] == etag }
    }
}

/// Computes the digests of a whole object and of its parts from a stream of the object's bytes.
final class ObjectReading {
    struct Result {
        var bytes: UInt64
        var whole: SHA256Digest
        /// Root digests by part size.
        var roots: [UInt64: SHA256Digest]
        /// ETags in the S3 format by part size: hex MD5 of the concatenated MD5s of the parts, a hyphen, and the number
        /// of parts.
        var compositeMD5s: [UInt64: String]
        /// The MD5 of all bytes as hexadecimal digits, if it was asked for.
        var md5: String?

        /// The evidence, and the same of the bytes that were read; `nil` if there is no evidence.
        func compared(with known: RecordedContent) -> (kept: String, found: String)? {
            switch known.evidence {
            case .none: nil
            case .root(let root): ("root \(root)", roots[known.partBytes].map { "root \($0)" } ?? "none")
            case .wholeDigest(let digest): ("SHA-256 \(digest)", "SHA-256 \(whole)")
            case .compositeMD5(let etag):
                ("ETag \(etag)", compositeMD5s[known.partBytes].map { "ETag \($0)" } ?? "none")
            }
        }
    }

    private var bytes: UInt64 = 0
    private var whole: SHA256Hasher
    private var roots: [UInt64: RootOfParts] = [:]
    private var composites: [UInt64: MD5OfParts] = [:]
    private var md5: MD5Hasher?

    init(_ known: [RecordedContent], _ guess: ETagGuess?) throws(CryptographyError) {
        whole = try SHA256Hasher()
        for content in known {
            switch content.evidence {
            case .root: roots[content.partBytes] = try RootOfParts(partBytes: content.partBytes)
            case .compositeMD5(let etag):
                composites[content.partBytes] = try MD5OfParts(
                    partBytes: content.partBytes, partsMax: Self.partCount(of: etag))
            case .wholeDigest, .none: break
            }
        }
        guard let guess else { return }
        for partBytes in guess.partSizes {
            composites[partBytes] = try MD5OfParts(partBytes: partBytes, partsMax: Self.partCount(of: guess.etag))
        }
        if guess.partSizes.isEmpty { md5 = try MD5Hasher() }
    }

    /// The number behind the hyphen of an ETag in the S3 format; 0 if it is not a number, because such an ETag is that
    /// of no parts.
    private static func partCount(of etag: String) -> UInt64 {
        let digits = etag.utf8.drop { $0 != UInt8(ascii: "-") }.dropFirst().prefix { $0 != UInt8(ascii: "\"") }
        return UInt64(String(decoding: digits, as: UTF8.self)) ?? 0
    }

    func update(_ piece: ByteBuffer) throws(CryptographyError) {
        whole.update(piece)
        bytes += UInt64(piece.readableBytes)
        for root in roots.values { try root.reading.update(piece) }
        for composite in composites.values { try composite.update(piece) }
        md5?.update(piece)
    }

    func finish() throws(CryptographyError) -> Result {
        var ended = try SHA256Hasher()
        swap(&ended, &whole)
        var result = Result(bytes: bytes, whole: try ended.finalize(), roots: [:], compositeMD5s: [:])
        for (partBytes, root) in roots { result.roots[partBytes] = try root.reading.finish() }
        for (partBytes, composite) in composites { result.compositeMD5s[partBytes] = try composite.finish() }
        var md5: MD5Hasher?
        swap(&md5, &self.md5)
        if let md5 = consume md5 { result.md5 = "\(try md5.finalize())" }
        return result
    }
}

/// A class, because a dictionary cannot hold a type that cannot be copied.
private final class RootOfParts {
    var reading: RootReading

    init(partBytes: UInt64) throws(CryptographyError) {
        reading = try RootReading(partBytes: partBytes)
    }
}

/// Computes the ETag of an object that was made of parts.
private final class MD5OfParts {
    private let partBytes: UInt64
    private let partsMax: UInt64
    private var part: MD5Hasher
    private var filled: UInt64 = 0
    private var joined: MD5Hasher
    private var count: UInt64 = 0
    /// Whether the object has more parts than the ETag says. The ETag is then another, and nothing more is computed.
    private var hasTooMany = false

    /// - Parameters:
    ///   - partBytes: comes from the object's metadata, which any program may have written: also 1.
    ///   - partsMax: the number of parts that the ETag says.
    init(partBytes: UInt64, partsMax: UInt64) throws(CryptographyError) {
        self.partBytes = max(partBytes, 1)
        self.partsMax = partsMax
        part = try MD5Hasher()
        joined = try MD5Hasher()
    }

    func update(_ piece: ByteBuffer) throws(CryptographyError) {
        var rest = piece
        while rest.readableBytes > 0, !hasTooMany {
            let room = Int(clamping: partBytes - filled)
            guard let slice = rest.readSlice(length: min(room, rest.readableBytes)) else { break }
            part.update(slice)
            filled += UInt64(slice.readableBytes)
            if filled == partBytes { try endPart() }
        }
    }

    private func endPart() throws(CryptographyError) {
        guard count < partsMax else {
            hasTooMany = true
            return
        }
        var ended = try MD5Hasher()
        swap(&ended, &part)
        joined.update(ByteBuffer(bytes: try ended.finalize().bytes))
        count += 1
        filled = 0
    }

    /// The MD5 of the concatenated MD5s, a hyphen, and the number of parts. An empty object has one empty part.
    ///
    /// - Returns: `nil` if the object has more parts than the ETag says.
    func finish() throws(CryptographyError) -> String? {
        if filled > 0 || count == 0 { try endPart() }
        guard !hasTooMany else { return nil }
        var ended = try MD5Hasher()
        swap(&ended, &joined)
        return "\(try ended.finalize())-\(count)"
    }
}

import AsyncHTTPClient
import FoundationEssentials
import NIOCore
import NIOHTTP1
package import ObjectStore
package import TransferCommon
import WireProtocol

extension S3Store {
    package func object(key: ObjectKey) async throws(StoreError) -> ObjectSummary? {
        guard let key = readableKey(key), let headers = try await head(at: key) else { return nil }
        return try summary(of: headers)
    }

    /// - Parameter key: the whole key in the bucket.
    /// - Returns: `nil` if there is no object.
    func head(at key: String) async throws(StoreError) -> HTTPHeaders? {
        var request = S3Request(.HEAD, key: key)
        if provider.keepsSHA256 { request.headers.append(("x-amz-checksum-mode", "ENABLED")) }
        do {
            return try await client.send(request).headers
        } catch {
            guard error.isNotFound(afterHead: true) else { throw error }
            // HEAD's 404 does not say whether key or bucket is missing. Once the bucket has answered, assume that it
            // exists.
            if !client.hasSeenBucket { _ = try await client.send(S3Request(.HEAD, key: nil)) }
            return nil
        }
    }

    package func putObject(
        key: ObjectKey, body: ObjectBody, metadata: ObjectMetadata, condition: PutCondition
    ) async throws(StoreError) -> ObjectReceipt {
        try await putObject(at: try writableKey(key), body: body, metadata: metadata, condition: condition)
    }

    /// - Parameter key: the whole key in the bucket.
    func putObject(
        at key: String, body: ObjectBody, metadata: ObjectMetadata, condition: PutCondition
    ) async throws(StoreError) -> ObjectReceipt {
        var metadata = metadata
        metadata.partDigest = body.digest
        var request = S3Request(.PUT, key: key)
        request.isIdempotent = false
        request.headers = Self.headers(of: metadata)
        if provider.keepsSHA256 { request.headers.append(Self.checksumHeader(body.digest)) }
        if let header = provider.putConditions.header(condition) { request.headers.append(header) }
        if let md5 = body.md5 { request.headers.append(Self.md5Header(md5)) }
        let response: S3Response
        do {
            response = try await send(request, body: body, verifies: verifiesBodies)
        } catch {
            throw error.afterCondition(condition)
        }
        let isTold = provider.keepsSHA256 || provider.keepsMetadata
        return ObjectReceipt(
            etag: response.headers.value("etag"), version: Self.version(of: response.headers),
            evidence: isTold ? .partDigest(body.digest) : .none)
    }

    package func readObject(key: ObjectKey) async throws(StoreError) -> ObjectReader? {
        guard let key = readableKey(key) else { return nil }
        var request = S3Request(.GET, key: key)
        if provider.keepsSHA256 { request.headers.append(("x-amz-checksum-mode", "ENABLED")) }
        do {
            let response = try await client.open(request)
            let summary = try summary(of: response.headers)
            return ObjectReader(summary: summary, bytes: S3ObjectBytes(body: response.body, size: summary.size))
        } catch {
            guard error.isNotFound() else { throw error }
            return nil
        }
    }

    // MARK: - Headers

    static func headers(of metadata: ObjectMetadata) -> [(name: String, value: String)] {
        let time = metadata.modificationTime
        var headers = [
            (name: "x-amz-meta-sluice-session", value: String(describing: metadata.sessionID)),
            (name: "x-amz-meta-sluice-part-bytes", value: String(metadata.partBytes)),
            (name: "x-amz-meta-sluice-modified", value: "\(time.seconds)s\(time.nanoseconds)ns"),
        ]
        if let digest = metadata.partDigest {
            headers.append((name: "x-amz-meta-sluice-part-digest", value: String(describing: digest)))
        }
        let user = metadata.userMetadata
        if !user.contentType.isEmpty { headers.append((name: "content-type", value: user.contentType)) }
        headers += user.pairs.map { (name: "x-amz-meta-" + $0.name, value: $0.value) }
        return headers
    }

    /// The gateways' own metadata, without the user's, which only readers of the object need.
    static func metadata(of headers: HTTPHeaders) -> ObjectMetadata? {
        guard let session = headers.value("x-amz-meta-sluice-session").flatMap({ SessionID($0) }),
            let partBytes = headers.value("x-amz-meta-sluice-part-bytes").flatMap({ UInt64($0) }),
            let time = headers.value("x-amz-meta-sluice-modified").flatMap({ modificationTime($0) })
        else { return nil }
        return ObjectMetadata(
            sessionID: session, partBytes: partBytes, modificationTime: time,
            partDigest: headers.value("x-amz-meta-sluice-part-digest").flatMap { SHA256Digest($0) })
    }

    private static func modificationTime(_ text: String) -> ModificationTime? {
        let halves = text.split(separator: "s", maxSplits: 1)
        guard halves.count == 2, halves[1].hasSuffix("ns"), let seconds = Int64(halves[0]),
            let nanoseconds = UInt32(halves[1].dropLast(2)), nanoseconds < 1_000_000_000
        else { return nil }
        return ModificationTime(seconds: seconds, nanoseconds: nanoseconds)
    }

    static func checksumHeader(_ digest: SHA256Digest) -> (name: String, value: String) {
        ("x-amz-checksum-sha256", Data(digest.bytes).base64EncodedString())
    }

    static func md5Header(_ md5: MD5Digest) -> (name: String, value: String) {
        ("content-md5", Data(md5.bytes).base64EncodedString())
    }

    static func version(of headers: HTTPHeaders) -> String? {
        // A bucket with suspended versioning gives every version this id.
        headers.value("x-amz-version-id").flatMap { $0 == "null" ? nil : $0 }
    }

    private func summary(of headers: HTTPHeaders) throws(StoreError) -> ObjectSummary {
        guard let size = headers.value("content-length").flatMap({ UInt64($0) }),
            let modified = headers.value("last-modified").flatMap({ S3Time.date(header: $0) })
        else { throw StoreError(.damaged, "The store does not report an object's size and date.") }
        let metadata = Self.metadata(of: headers)
        let checked = checkedEvidence(of: headers, metadata: metadata)
        return ObjectSummary(
            size: size, etag: headers.value("etag"), version: Self.version(of: headers), modified: modified,
            metadata: metadata, evidence: checked ?? toldEvidence(of: headers, metadata: metadata),
            isEvidenceChecked: checked != nil)
    }

    /// The evidence with a SHA-256 that the store has checked; `nil` if it keeps none.
    private func checkedEvidence(of headers: HTTPHeaders, metadata: ObjectMetadata?) -> ObjectEvidence? {
        guard provider.keepsSHA256, let checksum = headers.value("x-amz-checksum-sha256") else { return nil }
        if let (root, count) = Self.compositeSHA256(checksum), let metadata {
            return .compositeSHA256(root: root, partBytes: metadata.partBytes, partCount: count)
        }
        guard let digest = Self.sha256(base64: checksum), headers.value("x-amz-checksum-type") != "COMPOSITE" else {
            return nil
        }
        return .partDigest(digest)
    }

    /// The strongest other evidence in the headers that this store is known to report correctly.
    private func toldEvidence(of headers: HTTPHeaders, metadata: ObjectMetadata?) -> ObjectEvidence {
        if let digest = metadata?.partDigest { return .partDigest(digest) }
        // With encryption under a key, an ETag of the same form is not an MD5.
        let encryption = headers.value("x-amz-server-side-encryption")
        let isPlain = encryption == nil || encryption == "AES256"
        if provider.keepsCompositeMD5, isPlain, let metadata,
            headers.value("x-amz-server-side-encryption-customer-algorithm") == nil,
            let (etag, _) = headers.value("etag").flatMap({ Self.compositeMD5(etag: $0) })
        {
            return .compositeMD5(etag: etag, partBytes: metadata.partBytes)
        }
        return .none
    }

    /// Parses `<base64>-<part count>`.
    static func compositeSHA256(_ text: String) -> (root: SHA256Digest, partCount: UInt32)? {
        guard let hyphen = text.lastIndex(of: "-"), let count = UInt32(text[text.index(after: hyphen)...]), count > 0,
            let root = sha256(base64: String(text[..<hyphen]))
        else { return nil }
        return (root, count)
    }

    static func sha256(base64 text: String) -> SHA256Digest? {
        Data(base64Encoded: text).flatMap { SHA256Digest(bytes: $0) }
    }

    /// Parses `"<32 hexadecimal digits>-<part count>"`; returns `nil` for any other ETag.
    ///
    /// - Returns: the ETag in lower case without quotes, and the part count.
    static func compositeMD5(etag: String) -> (etag: String, partCount: UInt32)? {
        let bare = etag.filter { $0 != "\"" }.lowercased()
        let halves = bare.split(separator: "-", omittingEmptySubsequences: false)
        guard halves.count == 2, MD5Digest(String(halves[0])) != nil, let count = UInt32(halves[1]), count > 0 else {
            return nil
        }
        return (bare, count)
    }
}

extension StoreError {
    /// Whether the store says that there is no object.
    ///
    /// - Parameter afterHead: whether the answer has only a status. After other calls a 404 without a code may be a
    ///   proxy's.
    func isNotFound(afterHead: Bool = false) -> Bool {
        guard let refusal = cause as? S3Refusal, refusal.status == 404 else { return false }
        return ["NoSuchKey", "NotFound", "NoSuchVersion"].contains(refusal.code) || (afterHead && refusal.code.isEmpty)
    }
}

extension StoreError {
    /// The meaning of a refused conditional request. The status decides, because stores use different codes.
    func afterCondition(_ condition: PutCondition) -> StoreError {
        guard condition != .none, let refusal = cause as? S3Refusal else { return self }
        switch refusal.status {
        case 412: return StoreError(.alreadyExists, cause: refusal)
        // AWS advises to begin a new upload. But the conflicting request may have been the gateway's own.
        case 409: return StoreError(.conflict, cause: refusal)
        case 404:
            guard case .ifMatch = condition, isNotFound() else { return self }
            return StoreError(.preconditionGone, cause: refusal)
        default: return self
        }
    }
}

/// The bytes of an object as they arrive. The sequence ends after the announced number of bytes, or throws.
struct S3ObjectBytes: AsyncSequence, Sendable {
    typealias Element = ByteBuffer
    typealias Failure = StoreError

    let body: HTTPClientResponse.Body
    let size: UInt64

    struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate var base: HTTPClientResponse.Body.AsyncIterator
        fileprivate var remaining: UInt64

        mutating func next() async throws(StoreError) -> ByteBuffer? {
            try await next(isolation: nil)
        }

        mutating func next(isolation actor: isolated (any Actor)?) async throws(StoreError) -> ByteBuffer? {
            let buffer: ByteBuffer?
            do {
                buffer = try await base.next(isolation: actor)
            } catch {
                if Task.isCancelled { throw StoreError(.cancelled, cause: error) }
                throw StoreError(.unavailable, "The store stopped in the middle of an object.", cause: error)
            }
            guard let buffer else {
                guard remaining == 0 else { throw StoreError(.damaged, "The store sent less than the whole object.") }
                return nil
            }
            guard let byteCount = UInt64(exactly: buffer.readableBytes), byteCount <= remaining else {
                throw StoreError(.damaged, "The store sent more than the object.")
            }
            remaining -= byteCount
            return buffer
        }
    }

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(base: body.makeAsyncIterator(), remaining: size)
    }
}

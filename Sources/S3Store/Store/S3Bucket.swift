import AsyncHTTPClient
import Cryptography
import Logging
import NIOCore
import NIOHTTP1
import ObjectStore
import TransferCommon

/// Reads, writes and deletes the objects of a bucket. All keys are complete keys, including the store's prefix.
struct S3Bucket: Sendable {
    let client: S3Client
    var provider: S3Provider
    /// Whether the gateway checks the digest of each body itself; `false` if the store checks it.
    let verifiesBodies: Bool
    let logger: Logger

    /// The headers of an object (HEAD); `nil` if there is no object.
    ///
    /// - Parameter key: the whole key in the bucket.
    func head(at key: String) async throws(StoreError) -> HTTPHeaders? {
        var request = S3Request(.HEAD, key: key)
        if provider.keepsSHA256 { request.headers.append(("x-amz-checksum-mode", "ENABLED")) }
        do {
            return try await client.send(request).headers
        } catch {
            if hides(error, afterHead: true) { return nil }
            guard error.isNotFound(afterHead: true) else { throw error }
            // The 404 after HEAD does not say whether the key or the bucket is missing. If the bucket has never
            // answered, ask for the bucket: this request throws if it is missing.
            if !client.hasSeenBucket { _ = try await client.send(S3Request(.HEAD, key: nil)) }
            return nil
        }
    }

    /// Writes an object by one request. If the ETag in the answer shows other bytes than the sent ones, reads the
    /// object back.
    ///
    /// - Parameter key: the whole key in the bucket.
    func put(
        at key: String, body: ObjectBody, metadata: ObjectMetadata, condition: PutCondition
    ) async throws(StoreError) -> StoredObject {
        var metadata = metadata
        metadata.partDigest = body.digest
        var request = S3Request(.PUT, key: key)
        request.isIdempotent = false
        request.headers = S3ObjectHeaders.fields(of: metadata)
        if let header = provider.putConditions.header(condition) { request.headers.append(header) }
        let answer: BodyAnswer
        do {
            let body = try await withMD5(body, for: provider.putChecksum)
            request.headers += S3ObjectHeaders.fields(of: provider.putChecksum, digest: body.digest, md5: body.md5)
            answer = try await send(request, body: body, verifies: verifiesBodies)
        } catch {
            throw error.afterCondition(condition)
        }
        let isTold = provider.keepsSHA256 || provider.keepsMetadata
        let stored = StoredObject(
            evidence: isTold ? .wholeDigest(body.digest) : .none, etag: answer.response.headers.value("etag") ?? "",
            version: S3ObjectHeaders(headers: answer.response.headers).version)
        if answer.hasOtherMD5 { try await examine(stored, at: key, digest: body.digest) }
        return stored
    }

    /// Opens an object for reading.
    ///
    /// - Parameters:
    ///   - key: the whole key in the bucket.
    ///   - version: the id of the version to read; empty for the present object.
    /// - Returns: `nil` if there is no object.
    func read(at key: String, version: String = "") async throws(StoreError) -> ObjectReader? {
        var request = S3Request(.GET, key: key)
        if !version.isEmpty { request.query = [("versionId", version)] }
        if provider.keepsSHA256 { request.headers.append(("x-amz-checksum-mode", "ENABLED")) }
        do {
            let response = try await client.open(request)
            let summary = try S3ObjectHeaders(headers: response.headers).summary(from: provider)
            return ObjectReader(summary: summary, bytes: S3ObjectBytes(body: response.body, size: summary.size))
        } catch {
            if error.isNotFound() { return nil }
            // A 403 for a version says nothing about the key, because reading versions needs a right of its own.
            // Reading the present object may need a further right, too. So the key counts as absent only if HEAD finds
            // no object.
            guard version.isEmpty, hides(error), try await head(at: key) == nil else { throw error }
            return nil
        }
    }

    /// Whether the error means that the key has no object: it is a 403 of a store that hides absent keys.
    func hides(_ error: StoreError, afterHead: Bool = false) -> Bool {
        guard provider.hidesAbsentKeys, error.reason == .denied, let refusal = error.cause as? S3Refusal,
            refusal.status == 403
        else { return false }
        return refusal.code == "AccessDenied" || (afterHead && refusal.code.isEmpty)
    }

    /// Adds the MD5 to a small body if the store wants one and the agent has sent none. A small body is in memory
    /// before it is sent.
    func withMD5(_ body: ObjectBody, for form: S3Checksum) async throws(StoreError) -> ObjectBody {
        guard form == .md5, body.md5 == nil, body.byteCount <= BodyRequest.wholeBytesMax else { return body }
        let pump = BodyPump(
            body: body, verifies: false, sent: nil, handoff: BufferHandoff(), commitment: Commitment())
        let bytes = try await pump.gather().get()
        return ObjectBody(buffers: [bytes], digest: body.digest, md5: Self.md5(of: bytes))
    }

    /// The MD5 of some bytes; `nil` if the cryptographic library has no MD5.
    static func md5(of bytes: ByteBuffer) -> MD5Digest? {
        do {
            var hasher = try MD5Hasher()
            hasher.update(bytes)
            return try hasher.finalize()
        } catch {
            return nil
        }
    }

    /// Sends a request with a body. A large body is sent while it arrives, a small one after it has arrived.
    ///
    /// - Parameter verifies: whether the gateway checks the digest itself.
    func send(_ request: S3Request, body: ObjectBody, verifies: Bool) async throws(StoreError) -> BodyAnswer {
        guard body.byteCount <= provider.partBytesMax else { throw StoreError(.tooLarge) }
        let client = self.client
        let sent = provider.tellsPartMD5 && !provider.checksContentSHA256 && body.byteCount > 0 ? SentMD5() : nil
        let response = try await withCommitment { commitment in
            let handoff = BufferHandoff()
            // The gateway always checks the digest of an empty body. The pump cannot hold back a last byte of it, so
            // the store would accept an empty body with a wrong digest.
            let verifies = verifies || body.byteCount == 0
            let pump = BodyPump(body: body, verifies: verifies, sent: sent, handoff: handoff, commitment: commitment)
            return await BodyRequest(request: request, client: client, pump: pump).send()
        }
        guard let md5 = sent?.md5, let etag = response.headers.value("etag"),
            S3ObjectHeaders(headers: response.headers).mayHaveMD5
        else { return BodyAnswer(response: response, hasOtherMD5: false) }
        return BodyAnswer(response: response, hasOtherMD5: !S3Digests.isMD5(etag, md5))
    }
}

/// The store's answer to a request with a body.
struct BodyAnswer: Sendable {
    var response: S3Response
    /// Whether the ETag is not the MD5 of the sent bytes, although the ETags of this store are MD5s.
    var hasOtherMD5: Bool
}

extension StoreError {
    /// Whether the error is the store's answer that there is no object.
    ///
    /// - Parameter afterHead: whether the answer is to HEAD and therefore has only a status. To other requests, a 404
    ///   without an error code may come from a proxy and does not count.
    func isNotFound(afterHead: Bool = false) -> Bool {
        guard let refusal = cause as? S3Refusal, refusal.status == 404 else { return false }
        return ["NoSuchKey", "NotFound", "NoSuchVersion"].contains(refusal.code) || (afterHead && refusal.code.isEmpty)
    }

    /// Whether the error is an answer with status 403.
    var isForbidden: Bool { (cause as? S3Refusal)?.status == 403 }

    /// The error for a conditional request that the store has refused. The HTTP status decides, because stores use
    /// different error codes.
    func afterCondition(_ condition: PutCondition) -> StoreError {
        guard condition != .none, let refusal = cause as? S3Refusal else { return self }
        switch refusal.status {
        case 412: return StoreError(.keyTaken, cause: refusal)
        // AWS advises to begin a new upload after this answer. Sluice only reports `.conflict`, because the conflicting
        // request may have been the gateway's own.
        case 409: return StoreError(.conflict, cause: refusal)
        case 404:
            guard case .ifMatch = condition, isNotFound() else { return self }
            return StoreError(.objectGone, cause: refusal)
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

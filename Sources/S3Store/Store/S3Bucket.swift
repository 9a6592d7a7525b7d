import AsyncHTTPClient
import Logging
import NIOCore
import NIOHTTP1
import ObjectStore
import TransferCommon

/// The objects of a bucket, by their whole keys.
struct S3Bucket: Sendable {
    let client: S3Client
    let provider: S3Provider
    /// Whether the gateway checks digests itself.
    let verifiesBodies: Bool
    let logger: Logger

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

    /// - Parameter key: the whole key in the bucket.
    func put(
        at key: String, body: ObjectBody, metadata: ObjectMetadata, condition: PutCondition
    ) async throws(StoreError) -> ObjectReceipt {
        var metadata = metadata
        metadata.partDigest = body.digest
        var request = S3Request(.PUT, key: key)
        request.isIdempotent = false
        request.headers = S3ObjectHeaders.fields(of: metadata)
        if provider.keepsSHA256 { request.headers.append(S3ObjectHeaders.checksum(body.digest)) }
        if let header = provider.putConditions.header(condition) { request.headers.append(header) }
        if let md5 = body.md5 { request.headers.append(S3ObjectHeaders.md5(md5)) }
        let response: S3Response
        do {
            response = try await send(request, body: body, verifies: verifiesBodies)
        } catch {
            throw error.afterCondition(condition)
        }
        let isTold = provider.keepsSHA256 || provider.keepsMetadata
        return ObjectReceipt(
            etag: response.headers.value("etag"), version: S3ObjectHeaders(headers: response.headers).version,
            evidence: isTold ? .partDigest(body.digest) : .none)
    }

    /// - Parameter key: the whole key in the bucket.
    /// - Returns: `nil` if there is no object.
    func read(at key: String) async throws(StoreError) -> ObjectReader? {
        var request = S3Request(.GET, key: key)
        if provider.keepsSHA256 { request.headers.append(("x-amz-checksum-mode", "ENABLED")) }
        do {
            let response = try await client.open(request)
            let summary = try S3ObjectHeaders(headers: response.headers).summary(from: provider)
            return ObjectReader(summary: summary, bytes: S3ObjectBytes(body: response.body, size: summary.size))
        } catch {
            guard error.isNotFound() else { throw error }
            return nil
        }
    }

    /// Deletes an object that gateways keep for themselves, such as a session record. A missing object is no error.
    func delete(key: String) async throws(StoreError) {
        do {
            _ = try await client.send(S3Request(.DELETE, key: key))
        } catch {
            guard error.isNotFound() else { throw error }
        }
    }

    /// Sends a request with a body: a large body as it arrives, a small one once it is complete.
    ///
    /// - Parameter verifies: whether the gateway checks the digest itself.
    func send(_ request: S3Request, body: ObjectBody, verifies: Bool) async throws(StoreError) -> S3Response {
        guard body.byteCount <= provider.partBytesMax else { throw StoreError(.tooLarge) }
        let client = self.client
        let sent = provider.tellsPartMD5 && !provider.checksContentSHA256 && body.byteCount > 0 ? SentMD5() : nil
        let response = try await withCommitment { commitment in
            let handoff = BufferHandoff()
            // For an empty body, the gateway always checks the digest: without any byte, the store cannot detect a
            // wrong body.
            let verifies = verifies || body.byteCount == 0
            let pump = BodyPump(body: body, verifies: verifies, sent: sent, handoff: handoff, commitment: commitment)
            return await BodyRequest(request: request, client: client, pump: pump).send()
        }
        guard let md5 = sent?.md5, let etag = response.headers.value("etag") else { return response }
        // If the store encrypts objects with a managed key, ETags are not MD5s.
        let encryption = response.headers.value("x-amz-server-side-encryption")
        guard encryption == nil || encryption == "AES256", !S3Digests.isMD5(etag, md5) else { return response }
        if let key = request.key, !request.query.contains(where: { $0.name == "uploadId" }) {
            await removeDamaged(key: key, etag: etag)
        }
        throw StoreError(.digestMismatch, "The store received other bytes than the gateway sent.")
    }

    /// Deletes an object whose bytes the store has received wrongly, and which no answer has confirmed. Usually the
    /// agent uploads it again. If it does not, an object would remain whose metadata state a wrong digest.
    private func removeDamaged(key: String, etag: String) async {
        do {
            guard try await head(at: key)?.value("etag") == etag else { return }
            try await delete(key: key)
        } catch {
            logger.error(
                "The store received other bytes than the gateway sent, and the object could not be removed",
                metadata: ["store.error": "\(error.shortDescription)"])
        }
    }
}

extension StoreError {
    /// Whether the store says that there is no object.
    ///
    /// - Parameter afterHead: whether the answer has only a status. After any other call, a 404 without a code may come
    ///   from a proxy.
    func isNotFound(afterHead: Bool = false) -> Bool {
        guard let refusal = cause as? S3Refusal, refusal.status == 404 else { return false }
        return ["NoSuchKey", "NotFound", "NoSuchVersion"].contains(refusal.code) || (afterHead && refusal.code.isEmpty)
    }

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

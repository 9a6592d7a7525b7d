import Cryptography
import Logging
import NIOCore
import ObjectStore
import TransferCommon

/// One run of the probe: small requests that show how a store behaves.
struct StoreProbe {
    let bucket: S3Bucket
    private let session: SessionID
    /// The whole key in the bucket.
    let key: String
    private let content = ByteBuffer(bytes: [0x2E])
    private let digest: SHA256Digest
    private let otherDigest: SHA256Digest
    /// `nil` if the cryptographic library has no MD5.
    private let md5: MD5Digest?
    /// The MD5 in a composite ETag of the probe's object; `nil` if the cryptographic library has no MD5.
    private let compositeMD5: MD5Digest?

    init(bucket: S3Bucket, session: SessionID, key: String) throws(CryptographyError) {
        self.bucket = bucket
        self.session = session
        self.key = key
        self.digest = try SHA256Digest.of(content.readableBytesView)
        self.otherDigest = try SHA256Digest.of([])
        self.md5 = Self.md5(of: content)
        self.compositeMD5 = md5.flatMap { Self.md5(of: ByteBuffer(bytes: $0.bytes)) }
    }

    private var uploads: S3Uploads { S3Uploads(bucket: bucket) }

    func run() async throws(StoreError) -> S3Provider {
        var seen = bucket.provider
        try await withUpload { upload throws(StoreError) in
            // Upload a part with a wrong digest. If the store accepts the part, the stored byte is right and only the
            // announced digest was wrong. Complete the upload with that part, because some stores accept a part number
            // only once.
            let taken = try await partOfWrongDigest(upload: upload)
            seen.checksContentSHA256 = taken == nil
            let part: CompletedPart
            if let taken { part = taken } else { part = try await uploadPart(upload, offering: digest) }
            seen.tellsPartMD5 = md5.map { S3Digests.isMD5(part.etag, $0) } ?? false
            _ = try await complete(upload, part, .none)
        }
        guard let headers = try await bucket.head(at: key) else {
            throw StoreError(.damaged, "The store completed an upload, but the object is missing.")
        }
        seen.keepsMetadata = S3ObjectHeaders(headers: headers).metadata?.session == session
        seen.keepsCompositeMD5 = isCompositeMD5(headers.value("etag"))
        seen.keepsSHA256 = bucket.provider.keepsSHA256 && isCompositeSHA256(headers.value("x-amz-checksum-sha256"))
        try await seeConditions(&seen)
        return seen
    }

    private func seeConditions(_ seen: inout S3Provider) async throws(StoreError) {
        seen.completeConditions = try await conditions(beyond: seen.completeConditions) { wanted throws(StoreError) in
            try await seesCompletion(wanted)
        }
        // First write without a condition. Only if the store accepts this request does a later refusal of the same
        // request show that the condition was the reason.
        _ = try await put(.none)
        seen.putConditions = try await conditions(beyond: seen.putConditions) { wanted throws(StoreError) in
            try await seesPut(wanted)
        }
        // Treat a condition as honoured only if the store checks it at the end of the body. With other stores the
        // gateway looks up the key right before it sends the last bytes. It sends the header to those stores, too,
        // because a check at the beginning still catches some conflicts.
        guard seen.putConditions.ifAbsent == .honoured || seen.putConditions.ifMatch == .honoured else { return }
        if seen.putConditions.ifAbsent == .honoured, await seesObjectThatComesDuringBody() { return }
        if seen.putConditions.ifAbsent == .honoured { seen.putConditions.ifAbsent = .ignored }
        if seen.putConditions.ifMatch == .honoured { seen.putConditions.ifMatch = .ignored }
    }

    /// What the store does with the conditions `ifAbsent` and `ifMatch` in one kind of request.
    ///
    /// - Parameters:
    ///   - known: the properties in the table of providers. The probe does not send a condition that the store refuses
    ///     by this table.
    ///   - sees: sends a request with a condition, and returns what the store did (see `condition`).
    private func conditions(
        beyond known: S3Provider.Conditions, _ sees: (PutCondition) async throws(StoreError) -> S3Provider.Condition
    ) async throws(StoreError) -> S3Provider.Conditions {
        var seen = known
        if known.ifAbsent != .refused { seen.ifAbsent = try await sees(.ifAbsent) }
        if known.ifMatch != .refused { seen.ifMatch = try await seesMatch(sees) }
        return seen
    }

    /// Tests the condition `ifMatch` twice. With an ETag that the object does not have, the store must refuse to
    /// replace the object. With the object's own ETag it must replace the object.
    private func seesMatch(
        _ sees: (PutCondition) async throws(StoreError) -> S3Provider.Condition
    ) async throws(StoreError) -> S3Provider.Condition {
        let other = try await sees(.ifMatch(etag: Self.otherETag))
        guard other == .honoured else { return other }
        guard let etag = try await bucket.head(at: key)?.value("etag") else { return .refused }
        // `sees` returns `.ignored` for a request that succeeds. Here the condition holds, so success means that the
        // store honours it.
        return try await sees(.ifMatch(etag: etag)) == .ignored ? .honoured : .refused
    }

    /// An ETag that the object of the probe does not have.
    private static let otherETag = "\"0123456789abcdef0123456789abcdef\""

    private func seesCompletion(_ wanted: PutCondition) async throws(StoreError) -> S3Provider.Condition {
        var seen = S3Provider.Condition.ignored
        try await withUpload { upload throws(StoreError) in
            seen = try await condition { () async throws(StoreError) in
                let part = try await uploadPart(upload, offering: digest)
                _ = try await complete(upload, part, wanted)
            }
        }
        return seen
    }

    private func seesPut(_ wanted: PutCondition) async throws(StoreError) -> S3Provider.Condition {
        try await condition { () async throws(StoreError) in _ = try await put(wanted) }
    }

    private func put(_ condition: PutCondition) async throws(StoreError) -> StoredObject {
        let body = ObjectBody(buffers: [content], digest: digest)
        return try await bucket.put(at: key, body: body, metadata: metadata, condition: condition)
    }

    var metadata: ObjectMetadata {
        ObjectMetadata(
            session: session, partBytes: bucket.provider.partBytesMin,
            modification: ModificationTime(seconds: 0, nanoseconds: 0))
    }

    /// Creates an upload, runs `body` with its id, and removes the upload if `body` did not complete it.
    private func withUpload(_ body: (String) async throws(StoreError) -> Void) async throws(StoreError) {
        let upload = try await uploads.create(at: key, metadata: metadata)
        let result: Result<Void, StoreError>
        do {
            result = .success(try await body(upload))
        } catch {
            result = .failure(error)
        }
        do {
            try await uploads.abort(at: key, upload: upload)
        } catch {
            // Usually the upload is complete and cannot be aborted any more. If it is not, `removeProbes` or the
            // store's own rule for old uploads removes it.
            bucket.logger.trace("A probe was not aborted", metadata: ["store.error": "\(error.shortDescription)"])
        }
        try result.get()
    }

    private func uploadPart(_ upload: String, offering digest: SHA256Digest) async throws(StoreError) -> CompletedPart {
        guard let number = PartNumber(1) else { throw StoreError(.unsupported) }
        let body = ObjectBody(buffers: [content], digest: digest)
        let etag = try await uploads.uploadPart(at: key, upload: upload, number: number, body: body, verifies: false)
        return CompletedPart(number: number, size: UInt64(content.readableBytes), digest: digest, etag: etag)
    }

    /// - Returns: the part that the store accepted in spite of its wrong digest; `nil` if the store refuses it, as it
    ///   should.
    private func partOfWrongDigest(upload: String) async throws(StoreError) -> CompletedPart? {
        do {
            var part = try await uploadPart(upload, offering: otherDigest)
            part.digest = digest
            return part
        } catch {
            // Any refusal shows that the store checks the digest, whatever its error code. Errors with another evident
            // cause do not count and are thrown.
            guard let refusal = error.cause as? S3Refusal, (400..<500).contains(refusal.status), !error.isRetryable,
                error.reason != .denied, error.reason != .uploadUnknown, error.reason != .bucketMissing
            else { throw error }
            return nil
        }
    }

    private func complete(
        _ upload: String, _ part: CompletedPart, _ condition: PutCondition
    ) async throws(StoreError) -> StoredObject {
        try await uploads.complete(
            at: key, upload: upload, parts: [part], size: part.size, condition: condition)
    }

    /// Sends a request with a condition. Returns `.honoured` if the store refuses the request because the key has an
    /// object, `.ignored` if it accepts the request, and `.refused` if it does not support the condition.
    private func condition(
        _ call: () async throws(StoreError) -> Void
    ) async throws(StoreError) -> S3Provider.Condition {
        do {
            try await call()
            return .ignored
        } catch {
            switch error.reason {
            case .keyTaken: return .honoured
            case .unsupported, .objectGone: return .refused
            default: throw error
            }
        }
    }

    private func isCompositeMD5(_ etag: String?) -> Bool {
        guard let compositeMD5, let (etag, _) = etag.flatMap({ S3Digests.compositeMD5(etag: $0) }) else { return false }
        return etag == "\(compositeMD5)-1"
    }

    private func isCompositeSHA256(_ checksum: String?) -> Bool {
        guard let checksum, let (root, count) = S3Digests.compositeSHA256(checksum) else { return false }
        // try?: the library has just computed two digests, so a failure is unlikely. After a failure the store counts
        // as one that keeps no SHA-256.
        return count == 1 && root == (try? RootDigest.of([digest]))
    }

    private static func md5(of content: ByteBuffer) -> MD5Digest? {
        do {
            var hasher = try MD5Hasher()
            hasher.update(content)
            return try hasher.finalize()
        } catch {
            return nil
        }
    }
}

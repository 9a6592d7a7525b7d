import Cryptography
package import FoundationEssentials
import Logging
import NIOCore
import NIOHTTP1
package import ObjectStore
import TransferCommon
import WireProtocol

extension S3Store {
    /// Probes the store's behaviour with an object of one byte below `.sluice/probe/`, and then removes the object.
    ///
    /// The probe does not rely on documentation: a store counts as checking digests and conditions only if it was
    /// seen to refuse a wrong request.
    /// - Returns: the provider's properties, with observed ones in place of assumed ones.
    /// - Throws: errors that prevent any upload.
    package func probe() async throws(StoreError) -> S3Provider {
        var generator = SystemRandomNumberGenerator()
        let session = SessionID.random(using: &generator)
        let key = probeFolder + String(describing: session)
        let probe: StoreProbe
        do {
            probe = try StoreProbe(store: self, session: session, key: key)
        } catch {
            throw StoreError(.unavailable, "The cryptographic library failed.", cause: error)
        }
        let result: Result<S3Provider, StoreError>
        do {
            result = .success(try await probe.run())
        } catch {
            result = .failure(error)
        }
        do {
            try await delete(key: key)
        } catch {
            // The probe's own failure takes precedence over this one.
            guard case .success = result else { return try result.get() }
            // Without the right to delete, each probe leaves one byte behind. Everything else works.
            logger.warning(
                "The store's probe could not be removed", metadata: ["store.error": "\(error.shortDescription)"])
        }
        return try result.get()
    }

    private var probeFolder: String { "\(configuration.prefix)\(Self.ownFolder)/probe/" }

    /// Removes the uploads and objects of probes whose gateway died. No session record names them.
    package func removeProbes(before limit: Date) async throws(StoreError) -> Int {
        let folder = probeFolder
        var count = 0
        for (key, upload) in try await uploads(prefix: folder, choosing: { _ in .wanted })
        where upload.created <= limit && key.utf8.starts(with: folder.utf8) {
            do {
                try await abortUpload(at: key, upload: upload.upload)
            } catch {
                // The upload is gone, which is the goal, even if another gateway removed it.
                guard error.reason == .noSuchUpload else { throw error }
            }
            count += 1
        }
        var after: String?
        repeat {
            let page = try await names(in: folder, prefix: "", after: after)
            for name in page.names {
                guard let modified = try await head(at: folder + name)?.value("last-modified"),
                    let date = S3Time.date(header: modified), date <= limit
                else { continue }
                try await delete(key: folder + name)
                count += 1
            }
            after = page.next
        } while after != nil
        return count
    }
}

/// One run of the probe.
struct StoreProbe {
    let store: S3Store
    private let session: SessionID
    /// The whole key in the bucket.
    let key: String
    private let content = ByteBuffer(bytes: [0x2E])
    private let digest: SHA256Digest
    private let otherDigest: SHA256Digest
    /// `nil` if the cryptographic library has no MD5.
    private let md5: MD5Digest?
    /// The part of a composite ETag before its hyphen; `nil` if the cryptographic library has no MD5.
    private let compositeMD5: MD5Digest?

    init(store: S3Store, session: SessionID, key: String) throws(CryptographyError) {
        self.store = store
        self.session = session
        self.key = key
        self.digest = try SHA256Digest.of(content.readableBytesView)
        self.otherDigest = try SHA256Digest.of([])
        self.md5 = Self.md5(of: content)
        self.compositeMD5 = md5.flatMap { Self.md5(of: ByteBuffer(bytes: $0.bytes)) }
    }

    func run() async throws(StoreError) -> S3Provider {
        var seen = store.provider
        try await withUpload { upload throws(StoreError) in
            // If the store took the part, its byte is right and only the offered digest is wrong. Use that part,
            // because some stores take a part only once.
            let taken = try await partOfWrongDigest(upload: upload)
            seen.checksContentSHA256 = taken == nil
            let part: CompletedPart
            if let taken { part = taken } else { part = try await uploadPart(upload, offering: digest) }
            seen.tellsPartMD5 = md5.map { S3Store.isMD5(part.etag, $0) } ?? false
            _ = try await complete(upload, part, .none)
        }
        guard let headers = try await store.head(at: key) else {
            throw StoreError(.damaged, "The store completed an upload, but the object is missing.")
        }
        seen.keepsMetadata = S3Store.metadata(of: headers)?.sessionID == session
        seen.keepsCompositeMD5 = isCompositeMD5(headers.value("etag"))
        seen.keepsSHA256 = store.provider.keepsSHA256 && isCompositeSHA256(headers.value("x-amz-checksum-sha256"))
        try await seeConditions(&seen)
        return seen
    }

    private func seeConditions(_ seen: inout S3Provider) async throws(StoreError) {
        seen.completeConditions = try await conditions(beyond: seen.completeConditions) { wanted throws(StoreError) in
            try await seesCompletion(wanted)
        }
        // A refusal shows that the condition works only if the store accepts the same request without the condition.
        _ = try await put(.none)
        seen.putConditions = try await conditions(beyond: seen.putConditions) { wanted throws(StoreError) in
            try await seesPut(wanted)
        }
        // Rely only on conditions that the store was seen to check at the end of a body. For other stores the gateway
        // looks up the key right before the last bytes; the header stays, because it still helps.
        guard seen.putConditions.ifAbsent == .honoured || seen.putConditions.ifMatch == .honoured else { return }
        if seen.putConditions.ifAbsent == .honoured, await seesObjectThatComesDuringBody() { return }
        if seen.putConditions.ifAbsent == .honoured { seen.putConditions.ifAbsent = .ignored }
        if seen.putConditions.ifMatch == .honoured { seen.putConditions.ifMatch = .ignored }
    }

    /// What the store does with both conditions on one kind of request. The probe never sends a condition that the
    /// store is known to refuse.
    private func conditions(
        beyond known: S3Provider.Conditions, _ sees: (PutCondition) async throws(StoreError) -> S3Provider.Condition
    ) async throws(StoreError) -> S3Provider.Conditions {
        var seen = known
        if known.ifAbsent != .refused { seen.ifAbsent = try await sees(.ifAbsent) }
        if known.ifMatch != .refused { seen.ifMatch = try await seesMatch(sees) }
        return seen
    }

    /// Tests that the store refuses to replace another object than the named one, and replaces the named one.
    private func seesMatch(
        _ sees: (PutCondition) async throws(StoreError) -> S3Provider.Condition
    ) async throws(StoreError) -> S3Provider.Condition {
        let other = try await sees(.ifMatch(etag: Self.otherETag))
        guard other == .honoured else { return other }
        guard let etag = try await store.head(at: key)?.value("etag") else { return .refused }
        // `sees` reports `.ignored` for a request that succeeds, which is right here, because the condition holds.
        return try await sees(.ifMatch(etag: etag)) == .ignored ? .honoured : .refused
    }

    /// An ETag that no object of the probe has.
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

    private func put(_ condition: PutCondition) async throws(StoreError) -> ObjectReceipt {
        let body = ObjectBody(buffers: [content], digest: digest)
        return try await store.putObject(at: key, body: body, metadata: metadata, condition: condition)
    }

    var metadata: ObjectMetadata {
        ObjectMetadata(
            sessionID: session, partBytes: store.limits.partBytesMin,
            modificationTime: ModificationTime(seconds: 0, nanoseconds: 0))
    }

    /// Creates an upload, runs `body` with its id, and removes the upload if `body` did not complete it.
    private func withUpload(_ body: (String) async throws(StoreError) -> Void) async throws(StoreError) {
        let upload = try await store.createUpload(at: key, metadata: metadata)
        let result: Result<Void, StoreError>
        do {
            result = .success(try await body(upload))
        } catch {
            result = .failure(error)
        }
        do {
            try await store.abortUpload(at: key, upload: upload)
        } catch {
            // Usually the upload is completed and cannot be aborted. Otherwise the store's own rule for old uploads
            // removes it.
            store.logger.trace("A probe was not aborted", metadata: ["store.error": "\(error.shortDescription)"])
        }
        try result.get()
    }

    private func uploadPart(_ upload: String, offering digest: SHA256Digest) async throws(StoreError) -> CompletedPart {
        guard let number = PartNumber(1) else { throw StoreError(.unsupported) }
        let body = ObjectBody(buffers: [content], digest: digest)
        let etag = try await store.uploadPart(at: key, upload: upload, number: number, body: body, verifies: false)
        return CompletedPart(number: number, size: UInt64(content.readableBytes), digest: digest, etag: etag)
    }

    /// - Returns: `nil` if the store refuses the part.
    private func partOfWrongDigest(upload: String) async throws(StoreError) -> CompletedPart? {
        do {
            var part = try await uploadPart(upload, offering: otherDigest)
            part.digest = digest
            return part
        } catch {
            // Every refusal counts, whatever its code, as long as it comes from the store itself.
            guard let refusal = error.cause as? S3Refusal, (400..<500).contains(refusal.status), !error.isRetryable,
                error.reason != .denied, error.reason != .noSuchUpload, error.reason != .noSuchBucket
            else { throw error }
            return nil
        }
    }

    private func complete(
        _ upload: String, _ part: CompletedPart, _ condition: PutCondition
    ) async throws(StoreError) -> ObjectReceipt {
        try await store.completeUpload(
            at: key, upload: upload, parts: [part], size: part.size, condition: condition)
    }

    /// What the store does with a condition that does not hold, because the key has an object.
    private func condition(
        _ call: () async throws(StoreError) -> Void
    ) async throws(StoreError) -> S3Provider.Condition {
        do {
            try await call()
            return .ignored
        } catch {
            switch error.reason {
            case .alreadyExists: return .honoured
            case .unsupported, .preconditionGone: return .refused
            default: throw error
            }
        }
    }

    private func isCompositeMD5(_ etag: String?) -> Bool {
        guard let compositeMD5, let (etag, _) = etag.flatMap({ S3Store.compositeMD5(etag: $0) }) else { return false }
        return etag == "\(compositeMD5)-1"
    }

    private func isCompositeSHA256(_ checksum: String?) -> Bool {
        guard let checksum, let (root, count) = S3Store.compositeSHA256(checksum) else { return false }
        // try?: the library has just computed two digests, so a failure is unlikely; it counts as a store that keeps
        // none.
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

package import Logging
package import ObjectStore
import TransferCommon
import WireProtocol

/// A bucket, or the part of a bucket below a prefix.
///
/// ```
/// PREFIX<key>                        objects and unfinished uploads
/// PREFIX.sluice/sessions/<name>      session records
/// PREFIX.sluice/probe/<random>       the probe's object, while the store is opened
/// ```
///
/// An object's `x-amz-meta-sluice-…` headers hold its `ObjectMetadata`. The calls need these rights on the bucket:
/// GetObject, PutObject, AbortMultipartUpload, ListMultipartUploadParts; ListBucket and ListBucketMultipartUploads;
/// DeleteObject below `.sluice/`. Without ListBucket, S3 answers 403 for a key without an object.
package final class S3Store: ObjectStore {
    package let limits: StoreLimits
    /// The store's properties: from the provider table, or as observed when the store was opened.
    package let provider: S3Provider
    let configuration: S3Configuration
    let client: S3Client
    let logger: Logger

    /// Makes a store with the properties of the provider table; `open` makes a probed one.
    package convenience init(
        configuration: S3Configuration, credentials: any S3CredentialSource, logger: Logger
    ) {
        let client = S3Client(configuration: configuration, credentials: credentials, logger: logger)
        self.init(configuration: configuration, provider: configuration.provider, client: client, logger: logger)
    }

    private init(configuration: S3Configuration, provider: S3Provider, client: S3Client, logger: Logger) {
        self.configuration = configuration
        self.provider = provider
        self.client = client
        self.logger = logger
        let prefixBytes = configuration.prefix.utf8.count
        var limits = StoreLimits(
            partBytesMin: provider.partBytesMin, partBytesMax: provider.partBytesMax, partsMax: provider.partsMax,
            objectBytesMax: provider.objectBytesMax, keyBytesMax: max(0, Self.keyBytesMax - prefixBytes),
            recordBytesMax: Self.recordBytesMax,
            checksPartDigests: Self.verifies(configuration, provider) || provider.checksContentSHA256,
            conditions: CheckedConditions(
                put: provider.putConditions.checked, complete: provider.completeConditions.checked),
            completionTimeMax: provider.completionTimeMax)
        limits.partBytesAdvised = provider.partBytesAdvised
        limits.heldBodyBytesMax = Self.wholeBytesMax
        self.limits = limits
    }

    /// Makes a store and probes its behaviour. The caller must `shutdown` the store.
    ///
    /// - Throws: errors that prevent any use of the store: `.denied`, `.noSuchBucket`, `.unavailable`.
    package static func open(
        configuration: S3Configuration, credentials: any S3CredentialSource, logger: Logger
    ) async throws(StoreError) -> S3Store {
        let store = S3Store(configuration: configuration, credentials: credentials, logger: logger)
        do throws(StoreError) {
            let provider = try await store.probe()
            if let objection = provider.objection(to: configuration.endpoint) { throw objection }
            return S3Store(configuration: configuration, provider: provider, client: store.client, logger: logger)
        } catch {
            await store.shutdown()
            throw error
        }
    }

    /// Closes the connections. Make no call after this one.
    package func shutdown() async {
        await client.shutdown()
    }

    /// S3's own limit for the whole key, in bytes.
    private static let keyBytesMax = 1024
    private static let recordBytesMax = 64 << 10

    private static func verifies(_ configuration: S3Configuration, _ provider: S3Provider) -> Bool {
        switch configuration.verification {
        case .auto: !provider.checksContentSHA256
        case .always: true
        case .store: false
        }
    }

    /// Whether the gateway checks digests itself.
    var verifiesBodies: Bool { Self.verifies(configuration, provider) }

    // MARK: - Keys

    static let ownFolder = ".sluice"

    /// The whole key in the bucket, for a key that devices may write.
    func writableKey(_ key: ObjectKey) throws(StoreError) -> String {
        guard let whole = readableKey(key), !key.isIn(folder: Self.ownFolder) else {
            throw StoreError(.keyUnsupported)
        }
        return whole
    }

    /// The whole key in the bucket, or `nil` if it is too long for any object.
    func readableKey(_ key: ObjectKey) -> String? {
        key.bytes.count > limits.keyBytesMax ? nil : configuration.prefix + key.text
    }

    // MARK: - Bodies

    /// Sends a request with a body: a large body as it arrives, a small one once it is complete.
    ///
    /// - Parameter verifies: whether the gateway checks the digest itself.
    func send(_ request: S3Request, body: ObjectBody, verifies: Bool) async throws(StoreError) -> S3Response {
        guard body.byteCount <= limits.partBytesMax else { throw StoreError(.tooLarge) }
        let client = self.client
        let sent = provider.tellsPartMD5 && !provider.checksContentSHA256 && body.byteCount > 0 ? SentMD5() : nil
        let response = try await withCommitment { commitment in
            let handoff = BufferHandoff()
            // The gateway always checks an empty body: it has no byte by which the store could detect a wrong body.
            let verifies = verifies || body.byteCount == 0
            let pump = BodyPump(body: body, verifies: verifies, sent: sent, handoff: handoff, commitment: commitment)
            return body.byteCount <= Self.wholeBytesMax
                ? await Self.sendWhole(request, through: client, pump: pump)
                : await Self.stream(request, through: client, pump: pump)
        }
        guard let md5 = sent?.md5, let etag = response.headers.value("etag") else { return response }
        // With encryption under a key of the store, ETags are not MD5s.
        let encryption = response.headers.value("x-amz-server-side-encryption")
        guard encryption == nil || encryption == "AES256", !Self.isMD5(etag, md5) else { return response }
        if let key = request.key, !request.query.contains(where: { $0.name == "uploadId" }) {
            await removeDamaged(key: key, etag: etag)
        }
        throw StoreError(.digestMismatch, "The store received other bytes than the gateway sent.")
    }

    /// Deletes an object that the store wrote wrongly and that no answer has confirmed. Usually the agent uploads it
    /// again; if not, its metadata would misstate its content.
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

    /// Whether an ETag, with or without quotes, is this MD5.
    static func isMD5(_ etag: String, _ md5: MD5Digest) -> Bool {
        etag.lowercased().filter { $0 != "\"" } == String(describing: md5)
    }

    private enum StreamEvent {
        case pumped
        case answered(Result<S3Response, StoreError>)
        case watched(isStalled: Bool)
    }

    private static func stream(
        _ request: S3Request, through client: S3Client, pump: BodyPump
    ) async -> Result<S3Response, StoreError> {
        let limit = client.configuration.timeouts.bodyPause
        return await withTaskGroup(of: StreamEvent.self) { group in
            group.addTask {
                _ = await pump.run()
                return .pumped
            }
            // The HTTP client has a time limit for a source without bytes, and none for a server that accepts none.
            group.addTask { .watched(isStalled: await pump.handoff.waitForStall(of: limit)) }
            group.addTask {
                do throws(StoreError) {
                    let (handoff, commitment) = (pump.handoff, pump.commitment)
                    return .answered(
                        .success(
                            try await client.stream(request, body: pump.body, from: handoff, commitment: commitment)))
                } catch {
                    return .answered(.failure(error))
                }
            }
            var isStalled = false
            while let event = await group.next() {
                switch event {
                case .pumped:
                    // A failed body breaks the request off, and the request then reports the body's error.
                    continue
                case .watched(let hasStalled):
                    isStalled = hasStalled
                case .answered(let answer):
                    // The source may be silent for long, and its bytes are no longer needed.
                    pump.handoff.close()
                    group.cancelAll()
                    switch answer {
                    case .success where !pump.commitment.isCommitted:
                        // A store that answers before it has the whole body has not stored it.
                        return .failure(StoreError(.unavailable, "The store answered before it had all bytes."))
                    case .failure where isStalled:
                        return .failure(StoreError(.unavailable, "The store takes no more bytes."))
                    default:
                        return answer
                    }
                }
                if isStalled { group.cancelAll() }
            }
            return .failure(StoreError(.cancelled))
        }
    }

    /// Largest body, in bytes, that is collected before it is sent: for such a body, a request that waits costs more
    /// than the memory.
    private static let wholeBytesMax: UInt64 = 64 << 10

    private static func sendWhole(
        _ request: S3Request, through client: S3Client, pump: BodyPump
    ) async -> Result<S3Response, StoreError> {
        switch await pump.gather() {
        case .failure(let error):
            return .failure(error)
        case .success(let bytes):
            do throws(StoreError) {
                return .success(
                    try await client.put(request, whole: bytes, digest: pump.body.digest, commitment: pump.commitment))
            } catch {
                return .failure(error)
            }
        }
    }
}

package import Logging
package import ObjectStore
package import TransferCommon

/// A bucket, or the keys of a bucket that begin with a prefix.
///
/// ```
/// PREFIX<key>                        objects and unfinished uploads
/// PREFIX.sluice/sessions/<name>      session records
/// PREFIX.sluice/probe/<random>       the probe's object, while the store is opened
/// ```
///
/// An object's `x-amz-meta-sluice-…` headers hold its `ObjectMetadata`. The gateway needs these rights on the bucket:
/// GetObject, PutObject, AbortMultipartUpload, ListMultipartUploadParts; ListBucket and ListBucketMultipartUploads;
/// DeleteObject below `.sluice/`. `ProbeFindings` says what happens without one of them.
package final class S3Store: ObjectStore {
    package let limits: StoreLimits
    /// The store's properties: from the table in `S3Provider`, or as `open` has observed them.
    package var provider: S3Provider { bucket.provider }
    let bucket: S3Bucket
    var uploads: S3Uploads { S3Uploads(bucket: bucket) }
    var configuration: S3Configuration { bucket.client.configuration }

    /// Makes a store that has its properties from the table in `S3Provider`. `open` makes a store with probed
    /// properties.
    package convenience init(
        configuration: S3Configuration, credentials: any S3CredentialSource, logger: Logger
    ) {
        let client = S3Client(configuration: configuration, credentials: credentials, logger: logger)
        self.init(configuration: configuration, provider: configuration.provider, client: client, logger: logger)
    }

    private init(configuration: S3Configuration, provider: S3Provider, client: S3Client, logger: Logger) {
        let verifies = Self.verifies(configuration, provider)
        self.bucket = S3Bucket(client: client, provider: provider, verifiesBodies: verifies, logger: logger)
        let prefixBytes = configuration.prefix.utf8.count
        var limits = StoreLimits(
            partBytesMin: provider.partBytesMin, partBytesMax: provider.partBytesMax, partsMax: provider.partsMax,
            objectBytesMax: provider.objectBytesMax, keyBytesMax: max(0, Self.keyBytesMax - prefixBytes),
            recordBytesMax: S3Folder.recordBytesMax,
            checksPartDigests: verifies || provider.checksContentSHA256,
            conditions: CheckedConditions(
                put: provider.putConditions.checked, complete: provider.completeConditions.checked),
            completionTimeMax: provider.completionTimeMax)
        limits.partBytesAdvised = provider.partBytesAdvised
        limits.heldBodyBytesMax = BodyRequest.wholeBytesMax
        self.limits = limits
    }

    /// Makes a store and probes its behaviour. The caller must `shutdown` the store.
    ///
    /// - Throws: errors that prevent any use of the store, for example `.denied`, `.bucketMissing`, `.unavailable`, or
    ///   `.unsupported` for a call that uploads need.
    package static func open(
        configuration: S3Configuration, credentials: any S3CredentialSource, logger: Logger
    ) async throws(StoreError) -> S3Store {
        let store = S3Store(configuration: configuration, credentials: credentials, logger: logger)
        do throws(StoreError) {
            let provider = try await store.probe()
            if let objection = provider.objection(to: configuration.endpoint) { throw objection }
            return S3Store(
                configuration: configuration, provider: provider, client: store.bucket.client, logger: logger)
        } catch {
            await store.shutdown()
            throw error
        }
    }

    /// Closes the connections. Make no call after this one.
    package func shutdown() async {
        await bucket.client.shutdown()
    }

    /// S3's limit for the complete key, in bytes.
    private static let keyBytesMax = 1024

    private static func verifies(_ configuration: S3Configuration, _ provider: S3Provider) -> Bool {
        switch configuration.verification {
        case .auto: !provider.checksContentSHA256
        case .always: true
        case .store: false
        }
    }

    // MARK: - Keys

    private static let ownFolder = ".sluice"

    var records: S3Folder { ownFolder("sessions") }
    var probes: S3Folder { ownFolder("probe") }

    private func ownFolder(_ name: String) -> S3Folder {
        S3Folder(bucket: bucket, path: "\(configuration.prefix)\(Self.ownFolder)/\(name)/")
    }

    /// The complete key in the bucket. Throws for a key that is too long or that belongs to the gateways, because
    /// devices may not write such keys.
    func writableKey(_ key: ObjectKey) throws(StoreError) -> String {
        guard let whole = readableKey(key), !key.isIn(folder: Self.ownFolder) else {
            throw StoreError(.keyUnsupported)
        }
        return whole
    }

    /// The complete key in the bucket; `nil` if it is too long, so that no object can have it.
    func readableKey(_ key: ObjectKey) -> String? {
        key.bytes.count > limits.keyBytesMax ? nil : configuration.prefix + key.text
    }
}

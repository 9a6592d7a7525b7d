import Cryptography
package import TransferCommon

// The identity of a store in S3 (specification §11.3): a digest of its location, so that all gateways of a site
// compute the same identity without communicating.

extension S3Configuration {
    private static let identityPurpose = "sluice store v1"

    /// The identity depends on the endpoint with its path, on the bucket and on the prefix. For AWS, whose endpoint
    /// follows from the region, the identity also depends on the region in the settings. If the store later names
    /// another region, the identity stays the same.
    package var identity: StoreIdentity {
        get throws(StoreError) {
            let address = endpoint.origin(region: region) + endpoint.path
            let texts = [Self.identityPurpose, address, bucket, prefix]
            let bytes = texts.map { Array($0.utf8) }.joined(separator: [0])
            do throws(CryptographyError) {
                return try SHA256Digest.of(bytes)
            } catch {
                throw StoreError(.unavailable, cause: error)
            }
        }
    }
}

extension S3Store {
    package var identity: StoreIdentity {
        get throws(StoreError) { try configuration.identity }
    }
}

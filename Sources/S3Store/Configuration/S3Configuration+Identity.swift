import Cryptography
import ObjectStore
package import TransferCommon

// The identity of a store in S3 (specification §11.3): a digest of where its objects are, so that all gateways of a
// site have the same one without telling each other.

extension S3Configuration {
    private static let identityPurpose = "sluice store v1"

    /// Depends on endpoint, bucket and prefix. Where AWS's endpoint follows from the region, it depends on the
    /// configured region, not on the one that the store may name later.
    package var identity: StoreIdentity {
        get throws(StoreError) {
            let texts = [Self.identityPurpose, endpoint.origin(region: region), bucket, prefix]
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

/// Identifies the store in which objects lie (specification §11.3): equal at all gateways of a site, different for
/// each store. For S3, a digest of the store's location; for FileStore, 32 random bytes kept in its directory.
package typealias StoreIdentity = SHA256Digest

/// Identifies the store that keeps the objects (specification §11.3). All gateways of a site have the same identity,
/// and different stores have different ones. For S3 it is a digest of the store's location; for FileStore it is 32
/// random bytes in a file in its directory.
package typealias StoreIdentity = SHA256Digest

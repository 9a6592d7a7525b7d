/// Names the store in which objects lie (specification §11.3): the same at all gateways of a site, another for another
/// store. A digest of where an S3 store is, or 32 random bytes that a directory keeps.
package typealias StoreIdentity = SHA256Digest

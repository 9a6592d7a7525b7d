package import Logging
import NIOPosix
package import ObjectStore
package import TransferCore

/// The store of a site, opened from its location.
package enum SiteStore {
    /// - Parameter location: `file:///directory`, or `s3://bucket/prefix`.
    package static func open(_ location: String, logger: Logger) async throws -> any ObjectStore {
        switch try StoreLocation(parsing: location) {
        case .file(let directory):
            return try await FileStore.open(path: directory, threads: .singleton, logger: logger)
        case .s3:
            throw SiteStoreError.notBuilt
        }
    }

    /// What the store allows, as the rule that agents are told.
    package static func partRule(of store: any ObjectStore, partBytesMin: UInt64 = 64 << 10) -> PartRule {
        let limits = store.limits
        // A part must be worth a request.
        let least = max(limits.partBytesMin, min(partBytesMin, limits.partBytesMax))
        return PartRule(
            partBytesMin: least, partBytesMax: limits.partBytesMax,
            partBytesDefault: min(max(8 << 20, least), limits.partBytesMax), partsMax: limits.partsMax,
            objectBytesMax: limits.objectBytesMax)
    }
}

/// What cannot be opened yet.
package enum SiteStoreError: Error, CustomStringConvertible {
    case notBuilt

    package var description: String { "stores on S3 are not built yet; use file:///directory" }
}

import Foundation
package import Logging
import NIOPosix
package import ObjectStore
package import S3Store
package import TransferCommon
import TransferCore

/// The store of a site, opened from what an operator says of it.
package struct SiteStore: Sendable {
    /// `file:///directory`, or `s3://bucket/prefix`.
    package var location: String
    /// `http://host:port`; `nil` for AWS.
    package var endpoint: String?
    /// `nil` for the endpoint's own.
    package var region: String?
    /// A file with the certificates, in PEM, that the store's must be signed with; `nil` for the system's.
    package var authoritiesFile: String?
    package var addressing: S3Addressing?
    /// `nil` for the one that the endpoint's host tells.
    package var provider: S3Provider?
    package var verification = PartVerification.auto

    package init(location: String) {
        self.location = location
    }

    /// Opens the store.
    ///
    /// - Parameter triesOut: whether an S3 store is asked first what it does, which writes to it. What it keeps as
    ///   evidence and who has to check parts is known only then; listing and aborting need neither.
    package func open(triesOut: Bool = true, logger: Logger) async throws -> any ObjectStore {
        switch try StoreLocation(parsing: location) {
        case .file(let directory):
            return try await FileStore.open(path: directory, threads: .singleton, logger: logger)
        case .s3(let bucket, let prefix):
            let environment = ProcessInfo.processInfo.environment
            let configuration = try S3Configuration(
                bucket: bucket, prefix: prefix, endpoint: endpoint, region: region, addressing: addressing,
                verification: verification, provider: provider, usualRegion: SharedProfile.region(environment),
                authorities: try authoritiesFile.map { try S3Authorities(file: $0) })
            let credentials = CredentialChain.standard(
                environment: environment, region: configuration.region, logger: logger)
            guard triesOut else {
                return S3Store(configuration: configuration, credentials: credentials, logger: logger)
            }
            return try await S3Store.open(configuration: configuration, credentials: credentials, logger: logger)
        }
    }

    /// Ends what an open store keeps going. No call may follow.
    package static func close(_ store: any ObjectStore) async {
        if let store = store as? S3Store { await store.shutdown() }
    }

    /// What the store allows, as the rule that agents are told.
    package static func partRule(of store: any ObjectStore, partBytesMin: UInt64 = 64 << 10) -> PartRule {
        let limits = store.limits
        // A part must be worth a request.
        let least = max(limits.partBytesMin, min(partBytesMin, limits.partBytesMax))
        return PartRule(
            partBytesMin: least, partBytesMax: limits.partBytesMax,
            partBytesDefault: min(max(limits.partBytesAdvised, least), limits.partBytesMax), partsMax: limits.partsMax,
            objectBytesMax: limits.objectBytesMax)
    }
}

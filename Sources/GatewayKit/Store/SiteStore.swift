import Foundation
package import Logging
import NIOPosix
package import ObjectStore
package import S3Store
package import TransferCommon
import TransferCore

/// The store of a site, as the operator configures it.
package struct SiteStore: Sendable {
    /// URL of the store: `file:///directory` or `s3://bucket/prefix`.
    package var location: String
    /// URL of the S3 endpoint, `http://host:port` or `https://host:port`; `nil` for AWS.
    package var endpoint: String?
    /// S3 region; `nil` for the default region of the endpoint.
    package var region: String?
    /// PEM file with the authorities that sign the store's certificate; `nil` for the system's authorities.
    package var authoritiesFile: String?
    package var addressing: S3Addressing?
    /// Provider of the S3 store; `nil` to derive it from the endpoint's host name.
    package var provider: S3Provider?
    package var verification = PartVerification.auto

    package init(location: String) {
        self.location = location
    }

    /// Opens the store.
    ///
    /// - Parameter triesOut: whether to probe an S3 store first. The probe writes to the store. Only the probe shows
    ///   what evidence the store keeps, and whether the store or the gateway has to verify parts. Commands that only
    ///   list and abort uploads do not need this information.
    package func open(triesOut: Bool = true, logger: Logger) async throws -> any ObjectStore {
        switch try StoreLocation(parsing: location) {
        case .file(let directory):
            return try await FileStore.open(path: directory, threads: .singleton, logger: logger)
        case .s3(let bucket, let prefix):
            let environment = ProcessInfo.processInfo.environment
            var configuration = try S3Configuration(
                bucket: bucket, prefix: prefix, endpoint: endpoint, region: region, addressing: addressing,
                verification: verification, provider: provider, usualRegion: SharedProfile.region(environment),
                authorities: try authoritiesFile.map { try S3Authorities(file: $0) })
            configuration.proxies = try ProxySettings(environment: AWSEnvironment(environment))
            let credentials = CredentialChain.standard(
                environment: environment, region: configuration.region, logger: logger)
            guard triesOut else {
                return S3Store(configuration: configuration, credentials: credentials, logger: logger)
            }
            return try await S3Store.open(configuration: configuration, credentials: credentials, logger: logger)
        }
    }

    /// Shuts the store down. No call may follow.
    package static func close(_ store: any ObjectStore) async {
        switch store {
        case let store as S3Store: await store.shutdown()
        // try?: the next process that opens the directory removes what this one leaves behind.
        case let store as FileStore: try? await store.close()
        default: break
        }
    }

    /// The store's limits as the part rule that the gateway sends to agents.
    package static func partRule(of store: any ObjectStore, partBytesMin: UInt64 = 64 << 10) -> PartRule {
        let limits = store.limits
        // Each part costs one request to the store: do not let parts become so small that the requests cost more than
        // the data.
        let least = max(limits.partBytesMin, min(partBytesMin, limits.partBytesMax))
        return PartRule(
            partBytesMin: least, partBytesMax: limits.partBytesMax,
            partBytesDefault: min(max(limits.partBytesAdvised, least), limits.partBytesMax), partsMax: limits.partsMax,
            objectBytesMax: limits.objectBytesMax)
    }
}

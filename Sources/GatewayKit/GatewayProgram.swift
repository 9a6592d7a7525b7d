import Foundation
package import Logging
import ObjectStore
import S3Store
import ServiceLifecycle
import SystemSupport
import UnixSignals

/// `sluice-gateway serve`, from its start to SIGTERM.
package struct GatewayProgram: Sendable {
    package var home: GatewayHome
    package var site: SiteStore
    package var host: String
    /// 0 for one that is free.
    package var port: Int
    /// Without TLS, on loopback only.
    package var isPlaintext = false
    /// A file of the authority's certificates, where devices are known by theirs.
    package var authorityPath: String?
    /// Memory for parts under way; `nil` for the default.
    package var budgetBytes: UInt64?
    /// How long agents have to finish after SIGTERM; `nil` for the default.
    package var drainLimit: Duration?
    /// How long an unfinished upload may be left alone.
    package var unfinishedExpiry = Duration.seconds(7 * 86_400)
    /// Name and version.
    package var software: String

    package init(home: GatewayHome, site: SiteStore, host: String, port: Int, software: String) {
        self.home = home
        self.site = site
        self.host = host
        self.port = port
        self.software = software
    }

    /// Serves until SIGTERM or SIGINT. Prints `listening on ADDRESS:PORT` once agents may come.
    package func run(logger: Logger) async throws {
        DescriptorLimit.raise()
        let store = try await site.open(logger: logger)
        var configuration = GatewayServer.Configuration(
            host: host, port: port, limits: try GatewayServer.limits(for: store, budgetBytes: budgetBytes),
            software: software)
        configuration.isPlaintext = isPlaintext
        configuration.authorityPath = authorityPath
        configuration.unfinishedExpiry = unfinishedExpiry
        tell(of: store, logger)
        if let drainLimit { configuration.drainLimit = drainLimit }
        let server = GatewayServer(configuration: configuration, home: home, store: store, logger: logger) { address in
            FileHandle.standardOutput.write(Data("listening on \(address)\n".utf8))
        }
        // The group's own logger would tell the whole configuration at start.
        let services = ServiceGroup(
            services: [server], gracefulShutdownSignals: [.sigterm, .sigint],
            logger: .silent)
        try await services.run()
        await SiteStore.close(store)
    }

    /// A store that forgets sooner than we do decides for us.
    private func tell(of store: any ObjectStore, _ logger: Logger) {
        guard let theirs = (store as? S3Store)?.provider.uploadExpiry, theirs < unfinishedExpiry else { return }
        logger.notice(
            "The store itself removes unfinished uploads sooner than --unfinished-expiry",
            metadata: ["uploads.expiry_seconds": "\(theirs.components.seconds)"])
    }
}

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
    /// The port to listen on; 0 for any free port.
    package var port: Int
    /// Whether to serve without TLS, on loopback only.
    package var isPlaintext = false
    /// A file with the authority's certificates, if certificates identify devices; `nil` otherwise.
    package var authorityPath: String?
    /// Memory for parts under way; `nil` for the default.
    package var budgetBytes: UInt64?
    /// How long agents have to finish after SIGTERM; `nil` for the default.
    package var drainLimit: Duration?
    /// Age without a new part at which an unfinished upload is removed.
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

    /// Serves until SIGTERM or SIGINT. Prints `listening on ADDRESS:PORT` when agents can connect.
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
        // The group's own logger would log the whole configuration at start.
        let services = ServiceGroup(
            services: [server], gracefulShutdownSignals: [.sigterm, .sigint],
            logger: .silent)
        try await services.run()
        await SiteStore.close(store)
    }

    /// Logs a notice if the store itself removes unfinished uploads sooner than the gateway would.
    private func tell(of store: any ObjectStore, _ logger: Logger) {
        guard let theirs = (store as? S3Store)?.provider.uploadExpiry, theirs < unfinishedExpiry else { return }
        logger.notice(
            "The store itself removes unfinished uploads sooner than --unfinished-expiry",
            metadata: ["uploads.expiry_seconds": "\(theirs.components.seconds)"])
    }
}

package import Logging
import ObjectStore
import S3Store
import ServiceLifecycle
import SystemSupport
import TransferCore

/// The command `sluice-gateway serve`, with its settings.
package struct GatewayProgram: Sendable {
    package var home: GatewayHome
    package var site: SiteStore
    package var host: String
    /// TCP port; 0 for any free port.
    package var port: Int
    /// Whether to serve plain TCP, without TLS; allowed on loopback only.
    package var isPlaintext = false
    /// File with the certificates of the authority that signs device certificates (`serve --ca`); `nil` if the gateway
    /// knows devices only by their pinned keys.
    package var authorityPath: String?
    /// Networks of balancers that begin each connection with a PROXY header (`serve --proxy-from`).
    package var proxyNetworks = ProxyNetworks()
    /// Memory for parts that are being received; `nil` for the default.
    package var budgetBytes: UInt64?
    /// Time that agents have after SIGTERM to finish the parts that they are sending; `nil` for the default.
    package var drainLimit: Duration?
    /// Shortest time after which an unfinished upload may be removed. The age of an upload counts from its newest part.
    /// One part may take long, so a shorter time could remove an active upload.
    package static let unfinishedExpiryMin = Duration.seconds(3_600)
    /// Time without a new part after which an unfinished upload is removed.
    package var unfinishedExpiry = usualUnfinishedExpiry
    package static let usualUnfinishedExpiry = Duration.seconds(7 * 86_400)
    /// The gateway's name and version, which agents receive.
    package var software: String

    package init(home: GatewayHome, site: SiteStore, host: String, port: Int, software: String) {
        self.home = home
        self.site = site
        self.host = host
        self.port = port
        self.software = software
    }

    /// Serves until SIGTERM or SIGINT. A second signal ends the process at once, also while the gateway waits for
    /// agents or for the store.
    ///
    /// - Parameter listening: called with `ADDRESS:PORT` once agents can connect.
    package func run(logger: Logger, listening: @escaping @Sendable (String) -> Void) async throws {
        // While the gateway starts, no agent waits for it, so it can end at once. SIGHUP has no effect here, either.
        StopSignals.handle(
            stop: { Output.endProcess(ProgramExit.success.rawValue, program: "sluice-gateway") },
            hangUp: .reports {})
        DescriptorLimit.raise()
        Output.doNotWaitForReader()
        logger.notice(
            "Starting", metadata: ["store": "\(site.location)", "version": "\(software)", "home": "\(home.path)"])
        do {
            try await serve(logger, listening)
        } catch {
            // The program prints the sentence about the error as its last line. In the log it would stand twice.
            if let text = ErrorSentence(error).libraryText {
                logger.debug("Stopped because of an error", metadata: ["error.library": "\(text)"])
            }
            throw error
        }
    }

    private func serve(_ logger: Logger, _ listening: @escaping @Sendable (String) -> Void) async throws {
        try home.confirm()
        let store = try await site.open(logger: logger)
        var limits = try GatewayServer.limits(for: store, budgetBytes: budgetBytes)
        limits.fit(descriptors: DescriptorLimit.current)
        var configuration = GatewayServer.Configuration(host: host, port: port, limits: limits, software: software)
        configuration.isPlaintext = isPlaintext
        configuration.authorityPath = authorityPath
        configuration.proxyNetworks = proxyNetworks
        configuration.unfinishedExpiry = unfinishedExpiry
        tell(of: store, logger)
        if let drainLimit { configuration.drainLimit = drainLimit }
        let metadata: Logger.Metadata = [
            "store": "\(site.location)", "version": "\(software)", "budget.bytes": "\(limits.budgetBytes)",
        ]
        let server = GatewayServer(configuration: configuration, home: home, store: store, logger: logger) { address in
            listening(address)
            logger.notice("Serving", metadata: metadata.merging(["listen": "\(address)"]) { $1 })
        }
        // Pass a silent logger: the service group would log its whole configuration at start.
        let services = ServiceGroup(services: [server], logger: .silent)
        StopSignals.handle(
            stop: { Task { await services.triggerGracefulShutdown() } },
            hangUp: .reports {
                logger.notice(
                    """
                    SIGHUP has no effect: the gateway reads changes of the device list, the invitations, the key ring, \
                    the site's keys and the certificates by itself, and other settings only at its start
                    """)
            })
        do {
            try await services.run()
        } catch {
            await SiteStore.close(store)
            throw error
        }
        await SiteStore.close(store)
    }

    /// Logs a notice if the store removes unfinished uploads earlier than the gateway would: the store's shorter time
    /// then applies.
    private func tell(of store: any ObjectStore, _ logger: Logger) {
        guard let theirs = (store as? S3Store)?.provider.uploadExpiry, theirs < unfinishedExpiry else { return }
        logger.notice(
            "The store itself removes unfinished uploads sooner than --unfinished-expiry",
            metadata: ["uploads.expiry_seconds": "\(theirs.components.seconds)"])
    }
}

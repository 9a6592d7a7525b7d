import Cryptography
package import Logging
import NIOCore
import NIOPosix
package import ObjectStore
import SecureChannel
import ServiceLifecycle
import SystemSupport
package import TransferCommon
package import TransferCore

/// The gateway as a service: listens and serves until a shutdown is requested, then lets running parts finish.
package struct GatewayServer: Service {
    /// The settings that an operator may choose, apart from the home and the store.
    package struct Configuration: Sendable {
        package var host: String
        /// TCP port; 0 for any free port.
        package var port: Int
        package var limits: GatewayLimits
        /// Whether to serve plain TCP, without TLS. Allowed on loopback only; the agents must be configured for plain
        /// TCP, too.
        package var isPlaintext = false
        /// File with the certificates of the authority that signs device certificates (`serve --ca`); `nil` if the
        /// gateway knows devices only by their pinned keys.
        package var authorityPath: String?
        /// Networks of balancers that begin each connection with a PROXY header (`serve --proxy-from`).
        package var proxyNetworks = ProxyNetworks()
        /// How many handshakes may begin, in all and for one address.
        package var handshakes = HandshakeBudget.Limits()
        /// Time without a new part after which an unfinished upload is removed; `nil` to remove none.
        package var unfinishedExpiry: Duration?
        /// Time that agents have after SIGTERM to finish the parts that they are sending.
        package var drainLimit = GatewayServer.usualDrainLimit
        /// The gateway's name and version, which WELCOME carries.
        package var software: String

        package init(host: String, port: Int, limits: GatewayLimits, software: String) {
            self.host = host
            self.port = port
            self.limits = limits
            self.software = software
        }
    }

    package static let usualDrainLimit = Duration.seconds(25)

    /// The limits of a gateway that uses this store.
    ///
    /// - Parameter budgetBytes: memory for parts that are being received; `nil` for the default.
    /// - Throws: if the store's identity cannot be read.
    package static func limits(for store: any ObjectStore, budgetBytes: UInt64?) throws(StoreError) -> GatewayLimits {
        var limits = GatewayLimits(parts: SiteStore.partRule(of: store))
        limits.storeIdentity = try store.identity
        limits.heldPartBytesMax = store.limits.heldBodyBytesMax
        limits.conditions = store.limits.conditions
        limits.completionTimeMax = store.limits.completionTimeMax
        guard let budgetBytes else { return limits }
        limits.budgetBytes = budgetBytes
        limits.budgetBytesPerDevice = budgetBytes / 4 * 3
        limits.windowBytes = min(limits.windowBytes, budgetBytes / 4)
        limits.initialCreditBytes = UInt32(clamping: min(UInt64(limits.initialCreditBytes), budgetBytes / 8))
        return limits
    }

    private let configuration: Configuration
    private let home: GatewayHome
    private let store: any ObjectStore
    private let logger: Logger
    private let announce: @Sendable (String) -> Void
    private let reportFailures: FailureLog

    /// - Parameter announce: called with `ADDRESS:PORT` when the gateway listens.
    package init(
        configuration: Configuration, home: GatewayHome, store: any ObjectStore, logger: Logger,
        announce: @escaping @Sendable (String) -> Void
    ) {
        self.configuration = configuration
        self.home = home
        self.store = store
        self.logger = logger
        self.announce = announce
        self.reportFailures = FailureLog(
            "Could not write the reports of devices; device list shows older ones",
            recovery: "The reports of devices are written again", logger: logger)
    }

    package func run() async throws {
        // Read identity, keys and devices before the gateway listens: a gateway with an incomplete home must end with
        // an error instead of refusing all devices.
        let keys = WatchedFile(home.siteKeyPaths, "identity", logger: logger) { () throws(GatewayHomeError) in
            try home.siteKeys()
        }
        let siteKeys = try keys.initial()
        let authority = try configuration.authorityPath.map { try home.authority($0, for: siteKeys.identity) }
        let keyFile = WatchedFile(home.keysPath, "key ring", logger: logger) { () throws(GatewayHomeError) in
            try home.keyRing()
        }
        let cryptography = try SiteCryptography(keys: try keyFile.initial(), identity: siteKeys.identity)
        let pins = configuration.isPlaintext ? nil : DevicePins(home: home, logger: logger)
        let files = GatewayShell.Files(
            home: home,
            devices: WatchedFile(home.devicesPath, "device list", logger: logger) { () throws(GatewayHomeError) in
                try home.devices()
            },
            invitations: WatchedFile(home.invitationsPath, "invitations", logger: logger) {
                () throws(GatewayHomeError) in try home.invitations()
            },
            pins: pins)
        let devices = try files.devices.initial()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let machine = Gateway(
            limits: configuration.limits, cryptography: cryptography, software: configuration.software)
        let shell = GatewayShell(machine: machine, store: store, files: files, eventLoop: group.next(), logger: logger)
        await shell.restoreReports(home.reports.read())
        await shell.devicesChanged(devices)
        // This call also reads the invitations. If that fails, the gateway logs the failure and serves: listed devices
        // need no invitation.
        try await shell.refreshLists().get()
        await tell(shell, of: siteKeys)
        let makeShown = { @Sendable [configuration] (identity: Identity) throws(CryptographyError) in
            ShownIdentity.Shown(
                context: try TLSContext.gateway(
                    identity: identity, devices: Self.trust(of: shell, authority),
                    limits: TLSLimits(handshake: TimeAmount(configuration.limits.handshakeLimit))),
                fingerprint: identity.fingerprint)
        }
        let shown = ShownIdentity(configuration.isPlaintext ? nil : try makeShown(siteKeys.identity))
        let queue =
            configuration.isPlaintext
            ? nil : HandshakeQueue(limits: configuration.handshakes, eventLoop: group.next())
        let listener = try await listen(group, shell, shown, queue)
        announce(Self.text(listener.localAddress))
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { await followFiles(shell, keyFile, cryptography) }
            tasks.addTask { await keepReports(of: shell) }
            tasks.addTask { await followSiteKeys(shell, keys, shown, cryptography, makeShown) }
            tasks.addTask { await pins?.run() }
            if let expiry = configuration.unfinishedExpiry {
                tasks.addTask { await ExpiryKeeper(store: store, expiry: expiry, logger: logger).run() }
            }
            try? await gracefulShutdown()  // Throws only if the task is cancelled, which also means to stop.
            // Stop accepting connections. Closing fails only if the listener is closed already.
            try? await listener.close()
            await drain(shell)
            tasks.cancelAll()
        }
        await shell.finish()
        await queue?.finish()
        await writeReports(of: shell)
        await pins?.write()
        try await group.end()
    }

    /// Lets agents finish the parts that they are sending, and logs how many sessions that has ended.
    private func drain(_ shell: GatewayShell) async {
        let sessions = await shell.sessionCount
        logger.notice(
            "Draining after SIGTERM or SIGINT; a second signal ends the gateway at once",
            metadata: [
                "sessions": "\(sessions)", "limit_seconds": "\(configuration.drainLimit.components.seconds)",
            ])
        await shell.drain(within: configuration.drainLimit)
        let unfinished = await shell.sessionCount
        logger.notice(
            "Stopped by SIGTERM or SIGINT",
            metadata: ["sessions.before": "\(sessions)", "sessions.unfinished": "\(unfinished)"])
    }

    /// The handshakes run on the shell's event loop, so the closures may call the shell directly.
    private static func trust(of shell: GatewayShell, _ authority: CertificateAuthority?) -> TLSContext.DeviceTrust {
        let isPinned: @Sendable (Fingerprint) -> Bool = { key in shell.assumeIsolated { $0.knows(key) } }
        let isAwaited: @Sendable () -> Bool = { shell.assumeIsolated { $0.hasOpenInvitation } }
        guard let authority else { return .pinnedKeys { isPinned($0.fingerprint) || isAwaited() } }
        return .authority(authority, isPinned: isPinned, isAwaited: isAwaited) { peer in
            shell.assumeIsolated { $0.knows(name: peer.name ?? "") }
        }
    }

    private func listen(
        _ group: MultiThreadedEventLoopGroup, _ shell: GatewayShell, _ shown: ShownIdentity, _ queue: HandshakeQueue?
    ) async throws -> any Channel {
        // Use buffers of a fixed size, small until HELLO: buffers that adapt their size cost more time than they save.
        let buffers = FixedSizeRecvByteBufferAllocator(capacity: configuration.limits.readBytesBeforeHello)
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1_024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { [logger] channel in
                channel.eventLoop.makeCompletedFuture {
                    let failures = FailureLog("A connection could not be accepted; peers wait", logger: logger)
                    try channel.pipeline.syncOperations.addHandler(AcceptPause { failures.failed($0) })
                }
            }
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.recvAllocator, value: buffers)
            // Read one buffer, then serve the next connection. A channel keeps as many buffers in reserve as it may
            // read in one turn of the loop, so with this limit it keeps a single small buffer.
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    let address = PeerAddress()
                    if !configuration.proxyNetworks.isEmpty {
                        try pipeline.addHandler(
                            ProxyHeaderHandler(
                                networks: configuration.proxyNetworks, peer: address,
                                limit: TimeAmount(configuration.limits.handshakeLimit),
                                refused: { error, address in
                                    shell.assumeIsolated { $0.log.refused(error, address: address, now: $0.now) }
                                },
                                begin: { channel in shell.assumeIsolated { $0.proxyHeaderAwaited(on: channel) } },
                                end: { peer in shell.assumeIsolated { $0.unauthenticatedPeerLeft(peer) } }))
                    }
                    try pipeline.addHandler(ReadGate(shell: shell, queue: queue, peer: address))
                    let shownNow = shown.now
                    if let shownNow { try pipeline.addHandler(shownNow.context.makeHandler()) }
                    try pipeline.addHandler(FlushGatherer())
                    try pipeline.addHandler(
                        GatewayConnectionHandler(
                            shell: shell, provenKey: shownNow?.fingerprint, shown: shown, address: address))
                }
            }
        let listener: any Channel
        do {
            listener = try await bootstrap.bind(host: configuration.host, port: configuration.port).get()
        } catch {
            throw ListenError(host: configuration.host, port: configuration.port, error)
        }
        if configuration.isPlaintext, let error = PlaintextAddressError(bound: listener.localAddress?.ipAddress) {
            try await listener.close()
            throw error
        }
        return listener
    }

    private static func sleeps(for duration: Duration) async -> Bool {
        do {
            try await Task.sleep(for: duration)
            return true
        } catch {
            return false
        }
    }

    /// Reads the device list and the key ring again when their files change, so that adding a device, revoking one and
    /// rotating the keys need no restart.
    private func followFiles(
        _ shell: GatewayShell, _ keys: WatchedFile<KeyRing>, _ cryptography: SiteCryptography
    ) async {
        while await Self.sleeps(for: .seconds(1)) {
            await shell.refreshLists()
            await shell.logLeftOut()
            if let newest = await Self.changed(keys) { cryptography.replaceKeys(by: newest) }
        }
    }

    private func keepReports(of shell: GatewayShell) async {
        while await Self.sleeps(for: .seconds(3)) { await writeReports(of: shell) }
    }

    /// Writes the newest reports. A failure is only logged: `device list` then shows an older report, and no upload
    /// depends on reports.
    private func writeReports(of shell: GatewayShell) async {
        guard let reports = await shell.takeChangedReports() else { return }
        do {
            try await NIOThreadPool.singleton.runIfActive { [home] in try home.reports.write(reports) }
            reportFailures.succeeded()
        } catch {
            reportFailures.failed(error)
        }
    }

    /// Reads the site's keys again when their files change, so that announcing a key, switching to it and renewing
    /// certificates need no restart.
    private func followSiteKeys(
        _ shell: GatewayShell, _ keys: WatchedFile<SiteKeys>, _ shown: ShownIdentity, _ cryptography: SiteCryptography,
        _ makeShown: @Sendable (Identity) throws(CryptographyError) -> ShownIdentity.Shown
    ) async {
        while await Self.sleeps(for: .seconds(1)) {
            guard let newest = await Self.changed(keys) else { continue }
            await tell(shell, of: newest)
            guard !configuration.isPlaintext else { continue }
            do throws(CryptographyError) {
                let signer = try SiteCryptography.Signer(newest.identity)
                await shell.show(try makeShown(newest.identity), in: shown) { cryptography.replaceSigner(by: signer) }
            } catch {
                logger.log(
                    "The new key or certificate cannot be used; the gateway keeps the present one", error, at: .error)
            }
        }
    }

    /// Reads a file again on a pool thread: a disk that hangs must not stop a thread on which tasks run.
    private static func changed<Value: Sendable>(_ file: WatchedFile<Value>) async -> Value? {
        // try?: the process-wide thread pool never stops, so it refuses no job.
        (try? await NIOThreadPool.singleton.runIfActive { file.changed() }) ?? nil
    }

    private func tell(_ shell: GatewayShell, of keys: SiteKeys) async {
        if let problem = keys.problem {
            logger.log("The announced key cannot be used", problem, at: .error)
        }
        await shell.announce(keys.next)
    }

    private static func text(_ address: SocketAddress?) -> String {
        guard let address, let host = address.ipAddress, let port = address.port else { return "" }
        return HostAndPort.text(host: host, port: port)
    }
}

import AgentKit
import Cryptography
import FolderCore
import Foundation
import Logging
import NIOCore
import NIOPosix
import Settings
import SystemSupport
import TransferCommon
import TransferCore

/// The service with one set of settings, from its start or a reload until its end or the next reload.
struct ServicePeriod: Sendable {
    /// Bytes of disk that are kept free for the records of deletions.
    private static let reserveBytes = 8 << 20

    let shell: FolderShell
    private let orders: OrderRuns
    private let journal: ItemJournal
    private let watchers: [any ServiceWatcher]
    private let tasks: [Task<Void, Never>]
    private let threads: ServiceThreads

    /// Opens the journal, restores the items, and begins to watch.
    ///
    /// - Throws: `ControlRefusal` if this machine cannot use the settings; errors of the journal and of the home.
    static func begin(
        _ settings: AgentSettings, home: AgentHome, lock: AgentHome.Lock, software: String, figures: FiguresByFolder,
        logger: Logger
    ) async throws -> ServicePeriod {
        guard !settings.folders.isEmpty else { throw ControlRefusal.noFolders }
        if let problem = settings.folderProblem(home: home.path) { throw ControlRefusal(problem) }
        let threads = ServiceThreads()
        do {
            return try await begin(settings, home, lock, software, figures, threads, logger)
        } catch {
            await threads.end()
            throw error
        }
    }

    private static func begin(
        _ settings: AgentSettings, _ home: AgentHome, _ lock: AgentHome.Lock, _ software: String,
        _ figures: FiguresByFolder, _ threads: ServiceThreads, _ logger: Logger
    ) async throws -> ServicePeriod {
        // A file that is changed to something wrong must not stop the uploads before the next reload.
        let home = AgentHome(path: home.path, settings: settings)
        let identity = try home.identity()
        let (folders, journal, paused, device) = try await threads.files.runIfActive {
            let folders = try WatchedFolder.all(of: settings, home: home)
            let (journal, problem) = try ItemJournal.open(
                path: home.itemsPath, folderNames: settings.folders.map(\.name), reserveBytes: reserveBytes)
            if let problem { logger.warning("\(problem)") }
            // The name that the operator has given. Before the first connection only that of the certificate is known.
            let device = try AgentJournal.site(of: home, logger: logger)?.device ?? identity.name
            return (folders, journal, try journal.paused(), device)
        }
        let shell = FolderShell(
            folders, rules: settings.folderRules, limits: settings.folderLimits(device: device),
            journal: journal, threads: threads, eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
            figures: figures, logger: logger)
        let orders = OrderRuns(
            uploader: {
                Uploader(
                    home: home, configuration: try settings.serviceConfiguration(software: software), logger: logger,
                    lock: lock)
            }, report: { await shell.received($0) })
        let decision = settings.currentRate
        await orders.limitRate(to: decision.rate)
        try await shell.start(orders, paused: paused, decision)
        orders.start()
        let news = WatcherNews()
        var watchers: [any ServiceWatcher] = [
            FolderWatcher(folders: folders.map { ($0.id, $0.files) }) { news.add($0) }
        ]
        // A gateway on this machine is reached without a network.
        if settings.gateway?.isLoopback != true { watchers.append(LinkWatcher { news.add($0) }) }
        let tasks = [
            Task { await news.deliver(to: shell) },
            Task { await shell.measureAtIntervals() },
            Task { await follow(settings, from: decision, shell, orders) },
            Task { await followRoute(settings, shell, threads.files) },
        ]
        return ServicePeriod(
            shell: shell, orders: orders, journal: journal, watchers: watchers, tasks: tasks, threads: threads)
    }

    /// Applies the schedule when it changes, and once a minute: a clock that is set, or summer time, may change it.
    ///
    /// - Parameter decision: the one that holds already.
    private static func follow(
        _ settings: AgentSettings, from decision: RateSchedule.Decision, _ shell: FolderShell, _ orders: OrderRuns
    ) async {
        var decision = decision
        while true {
            let untilChange = decision.changesAt.map { Double($0) - Date().timeIntervalSince1970 } ?? 60
            // try?: cancellation ends the sleep early, and the next line ends the loop.
            try? await Task.sleep(for: .seconds(min(max(untilChange, 1), 60)))
            guard !Task.isCancelled else { return }
            decision = settings.currentRate
            await shell.apply(decision)
            await orders.limitRate(to: decision.rate)
        }
    }

    /// How often the route to the gateway is looked up, if the settings name metered interfaces.
    private static let routeInterval = Duration.seconds(10)

    /// Tells the machine while a metered interface leads to the gateway.
    private static func followRoute(
        _ settings: AgentSettings, _ shell: FolderShell, _ threads: NIOThreadPool
    ) async {
        guard let metered = settings.metered, let gateway = settings.gateway, let priority = metered.priorityMin else {
            return
        }
        while !Task.isCancelled {
            let used = await threads.answer {
                // The parts of a file are spread over all interfaces that the settings name.
                settings.interfaces.isEmpty
                    ? GatewayRoute.interface(host: gateway.host, port: gateway.port).map { [$0] } ?? []
                    : settings.interfaces.filter(NetworkInterfaces.exists)
            }
            let isMetered = used?.contains(where: metered.interfaces.contains) ?? false
            await shell.handle(.metered(minPriority: isMetered ? UInt8(clamping: priority) : nil))
            // try?: cancellation ends the sleep early, and the condition of the loop ends the loop.
            try? await Task.sleep(for: routeInterval)
        }
    }

    /// Ends the period within the grace of its uploads.
    func stop() async {
        for watcher in watchers { watcher.stop() }
        for task in tasks { task.cancel() }
        await shell.stop()
        await orders.stop()
        await threads.end()
        journal.close()
    }
}

/// Something that reports events of the system until it is stopped.
protocol ServiceWatcher: Sendable {
    func stop()
}

extension FolderWatcher: ServiceWatcher {}
extension LinkWatcher: ServiceWatcher {}

extension AgentHome {
    /// The journal of the service's items.
    var itemsPath: String { path + "/items.sqlite" }
}

extension AgentSettings {
    /// No agent of this version ran before this moment (2025-01-01), so a clock that shows an earlier one is not set.
    private static let clockMin: Int64 = 1_735_689_600

    /// What the schedule says now.
    var currentRate: RateSchedule.Decision {
        let now = Int64(Date().timeIntervalSince1970)
        return rateSchedule.decision(utc: now >= Self.clockMin ? now : nil, offset: LocalTime().offset(at:))
    }

    /// How long a run of the service's uploader tries to reach the gateway.
    private static let serviceRetryTime = Duration.seconds(60)

    /// The uploader's configuration for a service.
    func serviceConfiguration(software: String) throws(UploadFailure) -> Uploader.Configuration {
        guard let gateway else {
            throw UploadFailure(.unreachable, "no gateway is known; run sluice-agent init, or name one in agent.yaml")
        }
        var configuration = uploaderConfiguration(to: gateway, software: software)
        // After that the machine of folders decides what to try next, and may shed a file that was being sent.
        configuration.limits.retryFor = Self.serviceRetryTime
        configuration.partBytesWish = partSize?.bytes
        return configuration
    }
}

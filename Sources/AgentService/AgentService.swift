package import AgentKit
import FolderCore
import Foundation
package import Logging
import NIOPosix
import Settings
import Synchronization
import SystemSupport
import TransferCommon
import TransferCore

/// The agent that people leave running: watches folders, sends their files, and deletes or moves what is proven.
package final class AgentService: ServiceControl {
    private enum Command {
        case stop
        case reload(AgentSettings, CheckedContinuation<ControlRefusal?, Never>)
    }

    private struct State {
        var period: ServicePeriod?
        var gateway = ""
        var settingsProblem: String?
        var commands: AsyncStream<Command>.Continuation?
        var isStopped = false
    }

    private let home: AgentHome
    private let readSettings: @Sendable () throws -> AgentSettings
    private let software: String
    private let logger: Logger
    private let notifier: SystemdNotifier
    private let startedAt = ContinuousClock.now
    private let state = Mutex(State())

    /// - Parameters:
    ///   - home: the home, which the service locks while it runs.
    ///   - settings: reads the settings; called at the start and at each reload.
    ///   - software: name and version of the program.
    ///   - notifier: tells systemd when the service is ready, reloads or stops.
    package init(
        home: AgentHome, settings: @escaping @Sendable () throws -> AgentSettings, software: String, logger: Logger,
        notifier: SystemdNotifier
    ) {
        self.home = home
        self.readSettings = settings
        self.software = software
        self.logger = logger
        self.notifier = notifier
    }

    // MARK: Running

    /// Runs the service until `stop` is called.
    ///
    /// - Throws: `AgentHomeError` if the home cannot be used, `SettingsError` or `ControlRefusal` if the settings
    ///   cannot.
    package func run() async throws {
        let (commands, continuation) = AsyncStream.makeStream(of: Command.self)
        let isStopped = state.withLock { state in
            state.commands = continuation
            return state.isStopped
        }
        guard !isStopped else { return }
        let lock = try home.lock()
        let server = try await ControlServer.start(
            at: home.controlPath, service: self, group: MultiThreadedEventLoopGroup.singleton)
        let result: Result<Void, any Error>
        do {
            result = .success(try await run(commands, lock))
        } catch {
            result = .failure(error)
        }
        // A reload that came too late gets its answer, too.
        state.withLock { $0.isStopped = true }
        continuation.finish()
        for await case .reload(_, let done) in commands { done.resume(returning: .ended) }
        await server.stop()
        withExtendedLifetime(lock) {}
        try result.get()
    }

    private func run(_ commands: AsyncStream<Command>, _ lock: AgentHome.Lock) async throws {
        var settings = try readSettings()
        var period = try await begin(settings, lock)
        notifier.send(.ready)
        logger.notice("Serving", metadata: ["folders": "\(settings.folders.count)", "version": "\(software)"])
        let watchdog = Task { await self.reportToSystemd() }
        defer { watchdog.cancel() }
        for await command in commands {
            guard case .reload(let next, let done) = command else { break }
            let refusal: ControlRefusal?
            do {
                (period, refusal) = try await swap(period, to: next, else: settings, lock)
            } catch {
                done.resume(returning: ControlRefusal.of(error))
                throw error
            }
            if refusal == nil { settings = next }
            done.resume(returning: refusal)
        }
        notifier.send(.stopping)
        await period.stop()
        state.withLock { $0.period = nil }
        logger.notice("Stopped")
    }

    /// Ends a period and begins one with other settings; if this machine cannot use them, for example for want of a
    /// directory, one with the earlier settings.
    private func swap(
        _ period: ServicePeriod, to next: AgentSettings, else settings: AgentSettings, _ lock: AgentHome.Lock
    ) async throws -> (ServicePeriod, ControlRefusal?) {
        defer { notifier.send(.ready) }
        await period.stop()
        let figures = await period.shell.figures
        do {
            let swapped = try await begin(next, lock, figures)
            state.withLock { $0.settingsProblem = nil }
            logger.notice("The settings were read again", metadata: ["folders": "\(next.folders.count)"])
            return (swapped, nil)
        } catch {
            let refusal = ControlRefusal.of(error)
            state.withLock { $0.settingsProblem = refusal.message }
            return (try await begin(settings, lock, figures), refusal)
        }
    }

    private func begin(
        _ settings: AgentSettings, _ lock: AgentHome.Lock, _ figures: FiguresByFolder = FiguresByFolder()
    ) async throws -> ServicePeriod {
        let period = try await ServicePeriod.begin(
            settings, home: home, lock: lock, software: software, figures: figures, logger: logger)
        state.withLock { state in
            state.period = period
            state.gateway = settings.gateway?.description ?? ""
        }
        return period
    }

    /// Reports to systemd until the task is cancelled. The report that the service is alive comes from the shell: a
    /// shell that is stuck does not answer.
    private func reportToSystemd() async {
        let interval = min((notifier.watchdogInterval ?? .seconds(60)) / 2, .seconds(30))
        while !Task.isCancelled {
            let status = await status()
            notifier.send(.watchdog)
            notifier.send(.status(status.sentence))
            // try?: cancellation ends the sleep early, and the condition of the loop ends the loop.
            try? await Task.sleep(for: interval)
        }
    }

    /// Ends `run` in an orderly way: parts that are nearly sent are completed, and unfinished uploads can be resumed.
    package func stop() async {
        let commands = state.withLock { state in
            state.isStopped = true
            return state.commands
        }
        commands?.yield(.stop)
    }
}

// MARK: - What people ask

extension AgentService {
    package func status() async -> ServiceStatus {
        let (period, gateway, problem) = state.withLock { ($0.period, $0.gateway, $0.settingsProblem) }
        let uptime = Int((ContinuousClock.now - startedAt).components.seconds)
        var status = ServiceStatus(
            software: software, uptimeSeconds: uptime, gateway: gateway, schedule: "the service is starting")
        status.settingsProblem = problem
        await period?.shell.describe(&status)
        return status
    }

    package func pause(_ folder: String?) async throws(ControlRefusal) {
        try await shell().setPaused(folder, true)
    }

    package func unpause(_ folder: String?) async throws(ControlRefusal) {
        try await shell().setPaused(folder, false)
    }

    package func rescan(_ folder: String?) async throws(ControlRefusal) { try await shell().rescan(folder) }

    package func retry(_ ids: [String]) async throws(ControlRefusal) -> Int { try await shell().retry(ids) }

    package func flush() async throws(ControlRefusal) -> Int { try await shell().flush() }

    package func reload() async throws(ControlRefusal) {
        notifier.send(.reloading)
        let settings: AgentSettings
        do {
            // A disk that does not answer must not stop the other tasks of the process.
            settings = try await NIOThreadPool.singleton.runIfActive { [readSettings, home] in
                let settings = try readSettings()
                guard !settings.folders.isEmpty else { throw ControlRefusal.noFolders }
                _ = try WatchedFolder.all(of: settings, home: home)
                return settings
            }
        } catch {
            let refusal = ControlRefusal.of(error)
            state.withLock { $0.settingsProblem = refusal.message }
            // systemd waits for the end of a reload, also of one that is refused.
            notifier.send(.ready)
            throw refusal
        }
        let refusal: ControlRefusal? = await withCheckedContinuation { done in
            let result = state.withLock { $0.isStopped ? nil : $0.commands?.yield(.reload(settings, done)) }
            guard case .enqueued? = result else { return done.resume(returning: .ended) }
        }
        if let refusal { throw refusal }
    }

    private func shell() throws(ControlRefusal) -> FolderShell {
        guard let shell = state.withLock({ $0.period?.shell }) else { throw ControlRefusal.ended }
        return shell
    }
}

extension ControlRefusal {
    static let noFolders = ControlRefusal(
        "the settings name no folder to watch; add one to agent.yaml under folders")
    static let ended = ControlRefusal("the service is starting or stopping; try again in a moment")

    /// The sentence of an error.
    static func of(_ error: any Error) -> ControlRefusal {
        switch error {
        case let refusal as ControlRefusal: refusal
        case let failure as UploadFailure: ControlRefusal(failure.cause)
        default: ControlRefusal("\(error)")
        }
    }
}

package import AgentKit
package import Logging

/// The agent that people leave running: watches folders, sends their files, and deletes or moves what is proven.
package final class AgentService: ServiceControl {
    private let home: AgentHome
    private let readSettings: @Sendable () throws -> AgentSettings
    private let logger: Logger
    private let notifier: SystemdNotifier

    /// - Parameters:
    ///   - home: the home, which the service locks while it runs.
    ///   - settings: reads the settings; called at the start and at each reload.
    ///   - notifier: tells systemd when the service is ready, reloads or stops.
    package init(
        home: AgentHome, settings: @escaping @Sendable () throws -> AgentSettings, logger: Logger,
        notifier: SystemdNotifier
    ) {
        self.home = home
        self.readSettings = settings
        self.logger = logger
        self.notifier = notifier
    }

    /// Runs the service until `stop` is called.
    package func run() async throws {
        throw ControlRefusal("this version cannot watch folders yet; send files with sluice-agent push")
    }

    /// Ends `run` in an orderly way: parts that are nearly sent are completed, and unfinished uploads can be resumed.
    package func stop() async {}

    package func status() async -> ServiceStatus {
        ServiceStatus(software: "sluice-agent", uptimeSeconds: 0, gateway: "", schedule: "no limit")
    }

    package func pause(_ folder: String?) async throws(ControlRefusal) {}

    package func unpause(_ folder: String?) async throws(ControlRefusal) {}

    package func rescan(_ folder: String?) async throws(ControlRefusal) {}

    package func retry(_ ids: [String]) async throws(ControlRefusal) -> Int { 0 }

    package func flush() async throws(ControlRefusal) -> Int { 0 }

    package func reload() async throws(ControlRefusal) {}
}

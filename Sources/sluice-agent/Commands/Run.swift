import AgentKit
import AgentService
import ArgumentParser
import CommandSupport
import Logging
import Settings
import SystemSupport

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Watches the folders that the settings name, and sends their files until SIGTERM.",
        discussion: """
            The settings stand in agent.yaml in the home; sluice-agent config check checks them. SIGHUP and \
            sluice-agent reload read them again.

            The log goes to standard error. Under systemd, the service reports when it is ready and what it does: use \
            Type=notify-reload.
            """)
    @OptionGroup var home: HomeOption
    @OptionGroup var log: LogOptions

    func run() async throws {
        let agentHome = try home.agent
        try agentHome.check()
        guard try !home.settings([:]).folders.isEmpty else {
            throw ValidationError("The settings name no folder to watch: add one to agent.yaml under folders.")
        }
        let logger = log.logger(label: "sluice-agent")
        let environment = home.environment
        let path = agentHome.path
        let service = AgentService(
            home: agentHome,
            settings: {
                try AgentSettings.table.read(
                    home: path, fileName: AgentSettings.fileName, environment: environment
                ).values
            },
            software: "sluice-agent \(sluiceVersion)", logger: logger,
            notifier: SystemdNotifier(environment: environment))
        // A program that does not read the log must not stop the service.
        Output.doNotWaitForReader()
        StopSignals.handle(
            stop: { Task { await service.stop() } },
            hangUp: .reports { Task { await Self.reload(service, logger) } })
        try await service.run()
    }

    private static func reload(_ service: AgentService, _ logger: Logger) async {
        do throws(ControlRefusal) {
            try await service.reload()
        } catch {
            logger.error("The settings were not read again", metadata: ["reason": "\(error.message)"])
        }
    }
}

import AgentKit
import ArgumentParser
import CommandSupport
import Logging
import Settings
import TransferCore

/// Options of all commands that connect to a gateway.
struct TransferOptions: ParsableArguments {
    @OptionGroup var home: HomeOption
    @Option(help: AgentSettings.table.help("gateway")) var gateway: String?
    @Option(help: AgentSettings.table.help("concurrency")) var concurrency: String?
    @Option(help: AgentSettings.table.help("connections")) var connections: String?
    @Option(help: AgentSettings.table.help("interface")) var interface: String?
    @Option(help: AgentSettings.table.help("limit-rate")) var limitRate: String?
    @Option(help: AgentSettings.table.help("retry-for")) var retryFor: String?
    @Option(help: AgentSettings.table.help("compress")) var compress: String?
    @Flag(help: "One JSON object a line.") var json = false
    @Flag(help: "Print only failures.") var quiet = false
    @Flag(inversion: .prefixedNo, help: AgentSettings.table.help("plaintext")) var plaintext: Bool?
    @Flag(inversion: .prefixedNo, help: AgentSettings.table.help("verbose")) var verbose: Bool?

    /// The settings that hold for a command. Throws if the home does not exist.
    ///
    /// - Parameter more: the text of further flags of the command that are settings.
    func settings(_ more: [String: String?] = [:]) throws -> AgentSettings {
        let own = [
            "gateway": gateway, "concurrency": concurrency, "connections": connections, "interface": interface,
            "limit-rate": limitRate, "retry-for": retryFor, "compress": compress, "plaintext": plaintext.flagText,
            "verbose": verbose.flagText,
        ]
        return try home.settings(own.merging(more) { $1 })
    }

    /// Performs the work, and then ends the process with the exit code of the result.
    func upload(
        _ work: Uploader.Work, _ settings: AgentSettings,
        adjust: (inout Uploader.Configuration) throws -> Void = { _ in }
    ) async throws {
        var configuration = try settings.uploaderConfiguration
        try adjust(&configuration)
        let logger = ProgramLog.make(label: "sluice-agent", level: settings.verbose ? .info : .warning)
        let uploader = Uploader(home: try home.agent, configuration: configuration, logger: logger)
        let program = AgentProgram(uploader: uploader, json: json, quiet: quiet, verbose: settings.verbose)
        throw ExitCode(try await program.run(work))
    }
}

extension AgentSettings {
    /// What all commands that connect to a gateway take from the settings.
    var uploaderConfiguration: Uploader.Configuration {
        get throws {
            try uploaderConfiguration(to: knownGateway, software: "sluice-agent \(sluiceVersion)")
        }
    }
}

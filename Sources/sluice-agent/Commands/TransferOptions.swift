import AgentKit
import ArgumentParser
import CommandSupport
import Logging
import Settings
import TransferCore
import WireProtocol

/// Options of all commands that connect to a gateway.
struct TransferOptions: ParsableArguments {
    @Option(help: "The agent's home directory.") var home: String = AgentHome.usualPath
    @Option(help: "The gateway, HOST:PORT, if not the home's own.") var gateway: Endpoint?
    @Option(help: "Parts under way at once (default: 4).") var concurrency: Int?
    @Option(help: "Connections at once (default: 1).") var connections: Int?
    @Option(help: "Network interfaces to use, for example eth0,wwan0: at least one connection for each.")
    var interface: InterfaceList?
    @Option(help: "Highest rate to send at, for example 20MB/s or 10Mbit/s.") var limitRate: ByteRate?
    @Option(help: "How long to try without progress before giving up for now (default: 5min).") var retryFor: TimeSpan?
    @Option(help: "Compress: auto, always or never.") var compress: CompressionChoice?
    @Flag(help: "One JSON object a line.") var json = false
    @Flag(help: "Print only failures.") var quiet = false
    @Flag(help: "Without TLS, to a gateway on this machine with the same flag.") var plaintext = false
    @Flag(help: "A line per part, and more in the log.") var verbose = false

    func settings() async throws -> Settings {
        try await AgentHome(path: home).settings()
    }

    /// Performs the work, and then ends the process with the exit code of the result.
    func upload(
        _ work: Uploader.Work, _ settings: Settings, adjust: (inout Uploader.Configuration) throws -> Void = { _ in }
    ) async throws {
        let endpoint = try settings.gateway(gateway)
        guard !plaintext || endpoint.isLoopback else {
            throw ValidationError("--plaintext is for gateways on this machine, such as 127.0.0.1:7420, only.")
        }
        var configuration = Uploader.Configuration(
            host: endpoint.host, port: endpoint.port, software: "sluice-agent \(sluiceVersion)")
        try settings.count(concurrency, "concurrency").map { configuration.limits.concurrency = $0 }
        try settings.count(connections, "connections").map { configuration.limits.connections = $0 }
        try settings.value(interface, "interface").map { configuration.interfaces = $0.names }
        try settings.value(limitRate, "limit-rate").map { configuration.limits.bytesPerSecond = $0.bytesPerSecond }
        try settings.value(retryFor, "retry-for").map { configuration.limits.retryFor = $0.duration }
        try settings.value(compress, "compress").map { configuration.compression = $0 }
        configuration.isPlaintext = plaintext
        try adjust(&configuration)
        let logger = ProgramLog.make(label: "sluice-agent", level: verbose ? .info : .warning)
        let uploader = Uploader(home: AgentHome(path: home), configuration: configuration, logger: logger)
        throw ExitCode(try await AgentProgram(uploader: uploader, json: json, quiet: quiet, verbose: verbose).run(work))
    }
}

extension AgentHome {
    /// The home's configuration. Throws if the home does not exist.
    func settings() async throws -> Settings {
        try check()
        return try await Settings(file: configurationPath)
    }
}

extension Settings {
    /// Whether a flag is set by its environment variable or in the configuration.
    func isOn(_ name: String) throws -> Bool { try value(nil as Bool?, name) ?? false }

    /// The value of a setting that must be at least 1; `nil` if it is not set. Throws if it is smaller.
    func count(_ flag: Int?, _ name: String) throws -> Int? {
        let count = try value(flag, name)
        if let count, count < 1 { throw ValidationError("--\(name) is at least 1.") }
        return count
    }

    /// The gateway that the command line or the configuration names. Throws if none is named.
    func gateway(_ flag: Endpoint?) throws -> Endpoint {
        guard let endpoint = try value(flag, "gateway") else {
            throw ValidationError("No gateway is known: run sluice-agent init, or name one with --gateway HOST:PORT.")
        }
        return endpoint
    }
}

/// A comma-separated list of network interface names.
struct InterfaceList: ExpressibleByArgument {
    let names: [String]

    init?(argument: String) {
        names = argument.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        guard names.allSatisfy(NetworkInterfaces.isName) else { return nil }
    }
}

extension CompressionChoice: ExpressibleByArgument {}

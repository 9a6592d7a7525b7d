import AgentKit
import ArgumentParser
import CommandSupport
import Foundation
import Logging
import SecureChannel
import ServiceLifecycle
import Synchronization
import TransferCore
import UnixSignals
import WireProtocol

/// The flags of every command that speaks with a gateway, and the one way in which they all run.
struct TransferOptions: ParsableArguments {
    @Option(help: "The agent's home directory.") var home: String = AgentHome.usualPath
    @Option(help: "The gateway, HOST:PORT, if not the home's own.") var gateway: Endpoint?
    @Option(help: "Parts under way at once (default: 4).") var concurrency: Int?
    @Option(help: "Connections at once (default: 1).") var connections: Int?
    @Option(help: "The most to send, for example 20MB/s or 10Mbit/s.") var limitRate: ByteRate?
    @Option(help: "How long to go on without progress before giving up for now (default: 5min).") var retryFor:
        TimeSpan?
    @Option(help: "Compress: auto, always or never.") var compress: CompressionChoice?
    @Flag(help: "One JSON object a line.") var json = false
    @Flag(help: "Say only what failed.") var quiet = false
    @Flag(help: "Log more.") var verbose = false

    func settings() async throws -> Settings { try await Settings(file: AgentHome(path: home).configurationPath) }

    func upload(
        _ work: Uploader.Work, _ settings: Settings, adjust: (inout Uploader.Configuration) throws -> Void = { _ in }
    ) async throws {
        guard let endpoint = try settings.value(gateway, "gateway") else {
            throw ValidationError("No gateway is known: run sluice-agent init, or name one with --gateway HOST:PORT.")
        }
        guard endpoint.isLoopback else {
            throw ValidationError("This version has no TLS and speaks with gateways on loopback addresses only.")
        }
        var configuration = Uploader.Configuration(
            host: endpoint.host, port: endpoint.port, software: "sluice-agent \(sluiceVersion)")
        try settings.value(concurrency, "concurrency").map { configuration.limits.concurrency = max($0, 1) }
        try settings.value(connections, "connections").map { configuration.limits.connections = max($0, 1) }
        try settings.value(limitRate, "limit-rate").map { configuration.limits.bytesPerSecond = $0.bytesPerSecond }
        try settings.value(retryFor, "retry-for").map { configuration.limits.retryFor = $0.duration }
        try settings.value(compress, "compress").map { configuration.compression = $0 }
        try adjust(&configuration)
        let logger = ProgramLog.make(label: "sluice-agent", level: verbose ? .debug : .warning)
        let uploader = Uploader(home: AgentHome(path: home), configuration: configuration, logger: logger)
        let isTerminal = isatty(STDOUT_FILENO) == 1
        let lines = ProgressLines(style: json ? .json : quiet ? .quiet : .text(isTerminal: isTerminal)) {
            FileHandle.standardOutput.write(Data($0.utf8))
        }
        let service = UploadService(uploader: uploader, work: work, lines: lines)
        let group = ServiceGroup(
            configuration: .init(
                services: [
                    .init(
                        service: service, successTerminationBehavior: .gracefullyShutdownGroup,
                        failureTerminationBehavior: .gracefullyShutdownGroup)
                ], gracefulShutdownSignals: [.sigint, .sigterm], logger: ProgramLog.silent))
        do {
            try await group.run()
        } catch let error as AgentHomeError {
            FileHandle.standardError.write(Data("sluice-agent: \(error)\n".utf8))
            throw ExitCode(error.kind == .busy ? 75 : 66)
        }
        throw ExitCode(service.exitCode)
    }
}

/// One piece of work as a service, so that signals stop it gracefully.
private final class UploadService: Service {
    private let uploader: Uploader
    private let work: Uploader.Work
    private let lines: ProgressLines
    private let result = Mutex<Int32>(75)

    var exitCode: Int32 { result.withLock { $0 } }

    init(uploader: Uploader, work: Uploader.Work, lines: ProgressLines) {
        self.uploader = uploader
        self.work = work
        self.lines = lines
    }

    func run() async throws {
        let summary = try await uploader.run(work) { [lines] in lines.observe($0) }
        lines.conclude(summary)
        result.withLock { $0 = summary.exitCode }
    }
}

/// `--if-exists`.
enum ExistingKeyOption: String, ExpressibleByArgument, CaseIterable {
    case verify, replace, fail

    var policy: ExistingKeyPolicy {
        switch self {
        case .verify: .verify
        case .replace: .replace
        case .fail: .fail
        }
    }
}

extension CompressionChoice: ExpressibleByArgument {}

extension Fingerprint: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}

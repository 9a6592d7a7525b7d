import AgentKit
import ArgumentParser
import CommandSupport
import Logging
import Settings
import SystemSupport
import TransferCore

/// `sluice-agent check`: says for each file whether an object with exactly the file's content is stored.
struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tells for each file whether exactly its content is stored.",
        discussion: """
            Prints one line per file, for the files and keys that a push of the same paths would have. Reads each \
            file and compares it with the journal's record of its last push; asks no gateway. A file is: proven; \
            changed, since it was stored; not sent; other store, or other key, if it was stored elsewhere; being \
            written; unknown, if the journal cannot tell.

            With --remote, asks a gateway whether the store holds the object now. A file is then: proven; absent; \
            different; unknown, if the store keeps nothing to compare the object with. If the gateway signs receipts, \
            it sends one, and the agent keeps it.

            Exit codes: 0 every file is proven; 1 one is not, or there are several causes; 66 a file is missing or \
            unreadable, or there is none; with --remote also 69, 75, 76 and 77, as a push.
            """)
    @Argument(help: "Files and directories.") var paths: [String]
    @Option(help: "The object's key, for one file.") var key: String?
    @Option(help: "Put before every key.") var prefix: String?
    @Option(help: "Below directories, look only at files that fit this pattern. May be repeated.") var include:
        [String] = []
    @Option(help: "Below directories, leave out what fits this pattern. May be repeated.") var exclude: [String] = []
    @Flag(help: "Do not read a file whose stamp has not changed, where stamps tell versions apart.")
    var fast = false
    @Flag(help: "Ask a gateway what the store holds now.") var remote = false
    @Flag(help: "With --remote: read the object if the store has no evidence. May take long and cost money.")
    var readBack = false
    @Option(help: "With --remote: the size of parts with which the object was sent, if the journal does not know it.")
    var partSize: ByteSize?
    @Option(help: "The agent's home directory.") var home: String = AgentHome.usualPath
    @Option(help: "The gateway, HOST:PORT, if not the home's own.") var gateway: Endpoint?
    @Option(help: "Network interfaces to use, for example eth0,wwan0.") var interface: InterfaceList?
    @Option(help: "How long to try without progress before giving up for now (default: 5min).") var retryFor: TimeSpan?
    @Flag(help: "One JSON object a line.") var json = false
    @Flag(help: "Do not print files that are proven.") var quiet = false
    @Flag(help: "Without TLS, to a gateway on this machine with the same flag.") var plaintext = false
    @Flag(help: "More in the log.") var verbose = false

    func validate() throws {
        guard !paths.isEmpty else { throw ValidationError("Name the files to check.") }
        guard !paths.contains("-") else {
            throw ValidationError("Standard input cannot be checked, because it cannot be read twice.")
        }
        guard key == nil || paths.count == 1 && !FileWalk.isDirectory(paths[0]) else {
            throw ValidationError("--key is for one file; use --prefix.")
        }
        guard remote || !(readBack || partSize != nil || gateway != nil || plaintext) else {
            throw ValidationError("--read-back, --part-size, --gateway and --plaintext go with --remote.")
        }
        guard partSize.map({ $0.bytes > 0 }) ?? true else { throw ValidationError("A part has at least one byte.") }
    }

    func run() async throws {
        let agentHome = AgentHome(path: home)
        let settings = try await agentHome.settings()
        let choice = FileChoice(
            paths: paths, key: key, prefix: try settings.value(prefix, "prefix") ?? "",
            filter: FileFilter(included: include, excluded: exclude))
        let report = CheckReport(isJSON: json, isQuiet: quiet) { [json] line in
            Output.results.line(line, isJSON: json)
        }
        let logger = ProgramLog.make(label: "sluice-agent", level: verbose ? .info : .warning)
        guard remote else {
            let checker = FileChecker(home: agentHome, choice: choice, trustsStamp: fast, logger: logger)
            try checker.run { report.observe($0) }
            report.conclude()
            throw ExitCode(report.exitCode)
        }
        var options = CheckOptions()
        options.trustsStamp = fast
        options.readsBack = readBack
        options.partBytes = partSize?.bytes
        let uploader = Uploader(home: agentHome, configuration: try configuration(settings), logger: logger)
        let program = AgentProgram(uploader: uploader, json: json, quiet: quiet, verbose: verbose)
        throw ExitCode(
            try await program.check(choice, options, report) { text in
                Output.notices.line("sluice-agent: \(text)")
            })
    }

    private func configuration(_ settings: Settings) throws -> Uploader.Configuration {
        let endpoint = try settings.gateway(gateway)
        guard !plaintext || endpoint.isLoopback else {
            throw ValidationError("--plaintext is for gateways on this machine, such as 127.0.0.1:7420, only.")
        }
        var configuration = Uploader.Configuration(
            host: endpoint.host, port: endpoint.port, software: "sluice-agent \(sluiceVersion)")
        try settings.value(interface, "interface").map { configuration.interfaces = $0.names }
        try settings.value(retryFor, "retry-for").map { configuration.limits.retryFor = $0.duration }
        configuration.isPlaintext = plaintext
        return configuration
    }
}

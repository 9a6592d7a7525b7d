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
    @Option(help: AgentSettings.table.help("prefix")) var prefix: String?
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
    @OptionGroup var home: HomeOption
    @Option(help: AgentSettings.table.help("gateway")) var gateway: String?
    @Option(help: AgentSettings.table.help("interface")) var interface: String?
    @Option(help: AgentSettings.table.help("retry-for")) var retryFor: String?
    @Flag(help: "One JSON object a line.") var json = false
    @Flag(help: "Do not print files that are proven.") var quiet = false
    @Flag(inversion: .prefixedNo, help: AgentSettings.table.help("plaintext")) var plaintext: Bool?
    @Flag(inversion: .prefixedNo, help: AgentSettings.table.help("verbose")) var verbose: Bool?

    func validate() throws {
        guard !paths.isEmpty else { throw ValidationError("Name the files to check.") }
        guard !paths.contains("-") else {
            throw ValidationError("Standard input cannot be checked, because it cannot be read twice.")
        }
        guard key == nil || paths.count == 1 && !FileWalk.isDirectory(paths[0]) else {
            throw ValidationError("--key is for one file; use --prefix.")
        }
        guard remote || !(readBack || partSize != nil || gateway != nil || plaintext == true) else {
            throw ValidationError("--read-back, --part-size, --gateway and --plaintext go with --remote.")
        }
        guard partSize.map({ $0.bytes > 0 }) ?? true else { throw ValidationError("A part has at least one byte.") }
    }

    func run() async throws {
        let agentHome = try home.agent
        let settings = try home.settings([
            "prefix": prefix, "gateway": gateway, "interface": interface, "retry-for": retryFor,
            "plaintext": plaintext.flagText, "verbose": verbose.flagText,
        ])
        let choice = FileChoice(
            paths: paths, key: key, prefix: settings.prefix,
            filter: FileFilter(included: include, excluded: exclude))
        let report = CheckReport(isJSON: json, isQuiet: quiet) { [json] line in
            Output.results.line(line, isJSON: json)
        }
        let logger = ProgramLog.make(label: "sluice-agent", level: settings.verbose ? .info : .warning)
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
        let uploader = Uploader(home: agentHome, configuration: try settings.uploaderConfiguration, logger: logger)
        let program = AgentProgram(uploader: uploader, json: json, quiet: quiet, verbose: settings.verbose)
        throw ExitCode(
            try await program.check(choice, options, report) { text in
                Output.notices.line("sluice-agent: \(text)")
            })
    }
}

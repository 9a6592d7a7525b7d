import AgentKit
import ArgumentParser
import CommandSupport
import Settings
import SystemSupport
import TransferCommon
import TransferCore
import WireProtocol

struct Push: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Sends files and directories. Run it again after an interruption, and it continues.",
        discussion: """
            A file's key is its name; below a directory, its path relative to that directory. Hidden files are sent; \
            symbolic links below a directory are not followed. The agent's own home is never sent. Files of several \
            paths that would have the same key are refused.

            A file that a process has open for writing, or that changes between two looks, is not sent, and the exit \
            code is 75. A file that no process has open for writing, or that has not changed for a while, is sent at \
            once. If the system cannot tell that, push looks at the file twice, --settle apart.

            A file that is unchanged since it was stored in this store is not read again: its inode, size and times \
            are those of the journal's proof. --checksum reads it and compares it with the object.

            The path - is standard input and needs --key; it survives cut connections, but not the end of this \
            process. The output of a producer that crashes looks complete. So give --expect-size, or let this \
            program run the producer: push --key KEY -- COMMAND ARGUMENT... stores the output of the command only if \
            it exits 0.

            The store keeps --content-type and --metadata with the object, for programs that read it. An object that \
            the store already holds with the same content keeps its own.

            Patterns are those of the shell (*, ?, [a-z]). A pattern without a slash is compared with every name on a \
            path, a pattern with a slash with the whole path below the directory.
            """)
    @Argument(help: "Files and directories, or - for standard input.") var paths: [String] = []
    @Argument(parsing: .postTerminator, help: "A command whose output is sent.") var command: [String] = []
    @Option(help: "The object's key, for one file.") var key: String?
    @Option(help: AgentSettings.table.help("prefix")) var prefix: String?
    @Option(help: "Below directories, send only files that fit this pattern. May be repeated.") var include: [String] =
        []
    @Option(help: "Below directories, leave out what fits this pattern. May be repeated.") var exclude: [String] = []
    @Option(help: AgentSettings.table.help("part-size")) var partSize: String?
    @Option(help: AgentSettings.table.help("if-exists")) var ifExists: String?
    @Option(help: "Store the one file or stream only if it has exactly this size, for example 1048576B.")
    var expectSize: ByteSize?
    @Option(help: AgentSettings.table.help("content-type")) var contentType: String?
    @Option(help: "NAME=VALUE, which the store keeps with each object. May be repeated.") var metadata: [String] = []
    @Option(help: AgentSettings.table.help("settle")) var settle: String?
    @Flag(inversion: .prefixedNo, help: AgentSettings.table.help("receipts")) var receipts: Bool?
    @Flag(inversion: .prefixedNo, help: AgentSettings.table.help("checksum")) var checksum: Bool?
    @Flag(help: "Print what would be sent, and send nothing.") var dryRun = false
    @OptionGroup var options: TransferOptions

    func validate() throws {
        guard command.isEmpty else {
            guard paths.isEmpty, key != nil else {
                throw ValidationError(
                    "A command behind -- needs --key, and no file beside it; a file whose name begins with a dash is "
                        + "./-NAME.")
            }
            return
        }
        guard !paths.isEmpty else { throw ValidationError("Name the files to send.") }
        guard key == nil || paths.count == 1 else { throw ValidationError("--key is for one file; use --prefix.") }
        guard !paths.contains("-") || (key != nil && paths.count == 1) else {
            throw ValidationError("Standard input has no name: give --key, and no other file beside it.")
        }
        let isDirectory = FileWalk.isDirectory(paths[0])
        guard key == nil || !isDirectory else {
            throw ValidationError("--key is for one file, and \(paths[0]) is a directory; use --prefix.")
        }
        guard expectSize == nil || (paths.count == 1 && !isDirectory) else {
            throw ValidationError("--expect-size is for one file or stream.")
        }
    }

    func run() async throws {
        let settings = try options.settings([
            "prefix": prefix, "part-size": partSize, "if-exists": ifExists, "content-type": contentType,
            "settle": settle, "receipts": receipts.flagText, "checksum": checksum.flagText,
        ])
        let metadata = try chosenMetadata(settings)
        let filter = FileFilter(included: include, excluded: exclude)
        let work: Uploader.Work =
            if let key, !command.isEmpty {
                .pushOutput(of: command, key: key)
            } else {
                .push(paths: paths, key: key, prefix: settings.prefix, filter: filter)
            }
        if dryRun {
            let run = DryRun(work, expectedBytes: expectSize?.bytes, home: try options.home.agent)
            throw ExitCode(run.run(asJSON: options.json) { Output.results.line($0, isJSON: options.json) })
        }
        try await options.upload(work, settings) { configuration in
            configuration.expectedBytes = expectSize?.bytes
            configuration.readsUnchanged = settings.checksum
            configuration.wantsReceipts = settings.receipts
            configuration.settle = settings.settle.duration
            configuration.partBytesWish = settings.partSize?.bytes
            configuration.metadata = metadata
            configuration.policy = settings.ifExists
        }
    }
}

extension Push {
    /// The metadata for the objects. The content type may also come from an environment variable or the configuration.
    /// User metadata comes only from the command line, because it belongs to single files.
    private func chosenMetadata(_ settings: AgentSettings) throws -> SessionMetadata {
        let pairs = try metadata.map { text in
            guard text.utf8.contains(UInt8(ascii: "=")) else {
                throw ValidationError("\(text.withVisibleControls) is not metadata: write NAME=VALUE.")
            }
            return MetadataPair(written: text)
        }
        return try SessionMetadata(chosen: pairs, contentType: settings.contentType)
    }
}

import AgentKit
import ArgumentParser
import CommandSupport
import TransferCore

struct Push: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Sends files, and directories with all that is in them. Run again, it goes on where it was.",
        discussion: """
            A file's key is its name; below a directory, its path relative to that directory. Hidden files are sent; \
            symbolic links below a directory are not followed. The path - is standard input and needs --key; it \
            survives cut connections, but not the end of this process.

            Patterns are the shell's (*, ?, [a-z]). One without a slash is compared with every name on a path, one \
            with a slash with the whole path below the directory.
            """)
    @Argument(help: "Files and directories, or - for standard input.") var paths: [String]
    @Option(help: "The object's key, for one file.") var key: String?
    @Option(help: "Put before every key.") var prefix: String?
    @Option(help: "Below directories, send only files that fit this pattern. May be repeated.") var include: [String] =
        []
    @Option(help: "Below directories, leave out what fits this pattern. May be repeated.") var exclude: [String] = []
    @Option(help: "The size of parts, for example 8MiB.") var partSize: ByteSize?
    @Option(help: "If the key holds an object: verify that it is this file (the default), replace it, or fail.")
    var ifExists: ExistingKeyPolicy?
    @Flag(help: "Say what would be sent, and send nothing.") var dryRun = false
    @OptionGroup var options: TransferOptions

    func validate() throws {
        guard !paths.isEmpty else { throw ValidationError("Name the files to send.") }
        guard key == nil || paths.count == 1 else { throw ValidationError("--key is for one file; use --prefix.") }
        guard !paths.contains("-") || (key != nil && paths.count == 1) else {
            throw ValidationError("Standard input has no name: give --key, and no other file beside it.")
        }
        guard key == nil || !Self.isDirectory(paths[0]) else {
            throw ValidationError("--key is for one file, and \(paths[0]) is a directory; use --prefix.")
        }
    }

    func run() async throws {
        let settings = try await options.settings()
        let prefix = try settings.value(prefix, "prefix") ?? ""
        let filter = FileFilter(included: include, excluded: exclude)
        if dryRun {
            throw ExitCode(DryRun(paths: paths, key: key, prefix: prefix, filter: filter).run { print($0) })
        }
        try await options.upload(.push(paths: paths, key: key, prefix: prefix, filter: filter), settings) {
            configuration in
            configuration.partBytesWish = try settings.value(partSize, "part-size")?.bytes
            configuration.policy = try settings.value(ifExists, "if-exists") ?? .verify
        }
    }

    private static func isDirectory(_ path: String) -> Bool { FileWalk.isDirectory(path) }
}

extension ExistingKeyPolicy: ExpressibleByArgument {
    public init?(argument: String) {
        guard let policy = ["verify": Self.verify, "replace": .replace, "fail": .fail][argument] else { return nil }
        self = policy
    }
}

import AgentKit
import ArgumentParser
import CommandSupport
import Foundation
import Logging
import SecureChannel
import TransferCore
import WireProtocol

@main
struct SluiceAgent: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sluice-agent", abstract: "Sends files through a gateway into an object store.",
        version: sluiceVersion,
        subcommands: [Init.self, Push.self, Status.self, Resume.self, Abort.self])
}

struct Init: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Makes this device's home; its last line is the fingerprint for the gateway's device list.")
    @Option(help: "The directory to make.") var home: String = AgentHome.usualPath
    @Option(help: "The gateway, HOST:PORT.") var gateway: Endpoint
    @Option(help: "The gateway's fingerprint, as its init printed it.") var pin: Fingerprint
    @Option(help: "A name for the device's certificate.") var name = "sluice-agent"

    func run() throws {
        let fingerprint = try AgentHome(path: home).create(name: name, gateway: gateway.description, pin: pin)
        print("Made this device's home in \(home). The gateway's device list needs this fingerprint:\n\(fingerprint)")
    }
}

struct Push: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Sends files, and directories with all that is in them. Run again, it goes on where it was.")
    @Argument(help: "Files and directories.") var paths: [String]
    @Option(help: "The object's key, for one file.") var key: String?
    @Option(help: "Put before every key.") var prefix: String?
    @Option(help: "The size of parts, for example 8MiB.") var partSize: ByteSize?
    @Option(help: "What to do about an object that is there: verify, replace or fail.") var ifExists: ExistingKeyPolicy?
    @OptionGroup var options: TransferOptions

    func validate() throws {
        guard !paths.isEmpty else { throw ValidationError("Name the files to send.") }
        guard key == nil || paths.count == 1 else { throw ValidationError("--key is for one file; use --prefix.") }
    }

    func run() async throws {
        let settings = try await options.settings()
        try await options.upload(
            .push(paths: paths, key: key, prefix: try settings.value(prefix, "prefix") ?? ""), settings
        ) { configuration in
            configuration.partBytesWish = try settings.value(partSize, "part-size")?.bytes
            configuration.policy = try settings.value(ifExists, "if-exists") ?? .verify
        }
    }
}

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Lists unfinished uploads.")
    @Option(help: "The agent's home directory.") var home: String = AgentHome.usualPath

    func run() throws {
        let home = AgentHome(path: home)
        let rows = try AgentJournal.unfinished(
            in: home, logger: ProgramLog.make(label: "sluice-agent", level: .warning))
        for row in rows { print(row.line) }
        print(
            rows.isEmpty
                ? "No unfinished uploads." : "Go on with: sluice-agent resume ID…   Drop with: sluice-agent abort ID")
    }
}

struct Resume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Goes on with unfinished uploads.")
    @Argument(help: "Their numbers, as status lists them; none for all.") var ids: [Int64] = []
    @Flag(help: "All of them.") var all = false
    @Option(help: "Where the file is now; with one ID.") var file: String?
    @OptionGroup var options: TransferOptions

    func validate() throws {
        guard file == nil || ids.count == 1 else { throw ValidationError("--file goes with one ID.") }
    }

    func run() async throws {
        let chosen = all || ids.isEmpty ? nil : ids.map(UploadID.init)
        try await options.upload(.resume(chosen, path: file), try await options.settings())
    }
}

struct Abort: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Drops an unfinished upload, here and in the store.")
    @Argument(help: "Its number, as status lists it.") var id: Int64
    @OptionGroup var options: TransferOptions

    func run() async throws {
        try await options.upload(.abort(UploadID(id)), try await options.settings())
    }
}

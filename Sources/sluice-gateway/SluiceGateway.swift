import ArgumentParser
import CommandSupport
import Cryptography
import Foundation
import GatewayKit
import Logging
import ObjectStore
import Settings
import SystemSupport
import TransferCommon

@main
struct SluiceGateway: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sluice-gateway", abstract: "Relays files from edge machines into an object store.",
        discussion: """
            First time: sluice-gateway init DIRECTORY, then sluice-gateway serve. For each device sluice-gateway \
            device invite, and on the device sluice-agent init --invite with the code that it printed. Or by hand: \
            the last line of a gateway's init is for sluice-agent init --pin, and the last line of that for \
            sluice-gateway device add.

            \(ProgramExit.sentence(GatewayInterface.meaning))
            """,
        version: sluiceVersion,
        subcommands: [
            Init.self, Serve.self, Config.self, Device.self, Keys.self, SiteIdentity.self, Uploads.self, Verify.self,
            Receipt.self,
        ])

    static func main() {
        runProgram { error in failure(error).map { ($0.exitStatus, $0.sentence) } }
    }

    /// - Returns: `nil` for errors that the parser of arguments describes itself.
    private static func failure(_ error: any Error) -> GatewayFailure? {
        if let failure = GatewayFailure(error) { return failure }
        let isOfParser = error is ExitCode || exitCode(for: error) != .failure
        return isOfParser ? nil : .unexpected(error)
    }
}

struct Init: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Makes a gateway's home; its last line is the fingerprint.")
    @Argument(
        help: "The directory to make (default: the variable SLUICE_HOME, else ~/\(GatewaySettings.usualFolder)).")
    var directory: String?
    @Option(help: "A name for the gateway's certificate; for an authority to sign, its host name.") var name =
        "sluice-gateway"
    @Option(help: "The kind of its key.") var keyType = KeyType.ed25519
    @OptionGroup var format: JSONOption

    func run() throws {
        let home = try ProgramHome(
            flag: directory, environment: ProcessInfo.processInfo.environment, folder: GatewaySettings.usualFolder)
        let fingerprint = try GatewayHome(path: home.path).create(name: name, keyType: keyType)
        guard !format.json else {
            return Output.results.object(
                JSONObject<HomeFields>([.home: .string(home.path), .fingerprint: .string("\(fingerprint)")]))
        }
        Output.results.line("Made a gateway's home in \(home.path). Agents pin this fingerprint:")
        Output.results.line("\(fingerprint)")
    }
}

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Serves agents until SIGTERM.")
    @OptionGroup var home: HomeOption
    @OptionGroup var store: StoreOptions
    @Option(help: GatewaySettings.table.help("listen")) var listen: String?
    @Option(help: GatewaySettings.table.help("budget")) var budget: String?
    @Option(help: GatewaySettings.table.help("drain-limit")) var drainLimit: String?
    @Option(help: GatewaySettings.table.help("ca")) var ca: String?
    @Option(help: GatewaySettings.table.help("proxy-from")) var proxyFrom: String?
    @Option(help: GatewaySettings.table.help("unfinished-expiry")) var unfinishedExpiry: String?
    @Flag(inversion: .prefixedNo, help: GatewaySettings.table.help("plaintext")) var plaintext: Bool?
    @Flag(inversion: .prefixedNo, help: GatewaySettings.table.help("verbose")) var verbose: Bool?
    @OptionGroup var format: JSONOption

    func run() async throws {
        let own = [
            "listen": listen, "budget": budget, "drain-limit": drainLimit, "ca": ca, "proxy-from": proxyFrom,
            "unfinished-expiry": unfinishedExpiry, "plaintext": plaintext.flagText, "verbose": verbose.flagText,
        ]
        let settings = try home.settings(own.merging(store.flags) { $1 })
        let logger = ProgramLog.make(label: "sluice-gateway", level: settings.verbose ? .debug : .notice)
        var program = GatewayProgram(
            home: try home.gateway, site: try settings.site, host: settings.listen.host, port: settings.listen.port,
            software: "sluice-gateway \(sluiceVersion)")
        program.budgetBytes = settings.budget.bytes
        program.isPlaintext = settings.plaintext
        program.authorityPath = settings.authority
        program.proxyNetworks = settings.proxyFrom
        program.drainLimit = settings.drainLimit.duration
        program.unfinishedExpiry = settings.unfinishedExpiry.duration
        try await program.run(logger: logger) { [json = format.json] address in
            guard json else { return Output.results.line("listening on \(address)") }
            Output.results.object(JSONObject<ListeningFields>([.address: .string(address)]))
        }
    }
}

struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Reads an object back and compares it with what was stored.",
        discussion: """
            Exit code 0: whole; 1: damaged, or replaced by another program; 66: no such object; 69: the store keeps \
            nothing to compare with, or refuses.
            """)
    @Argument(help: "The object's key, prefix included.") var key: String
    @Option(help: "The SHA-256 that it should have, as sluice-agent digest prints it.") var sha256: ContentDigest?
    @OptionGroup var home: HomeOption
    @OptionGroup var store: StoreOptions
    @OptionGroup var format: JSONOption

    func run() async throws {
        try home.gateway.confirm()
        let administration = UploadAdministration(site: try home.settings(store.flags).site)
        guard format.json else {
            throw ExitCode(
                try await administration.verify(key: key, expected: sha256?.digest) { Output.results.line($0) })
        }
        throw ExitCode(
            try await administration.verify(
                key: key, expected: sha256?.digest, observe: { Output.results.object(JSONObject(key: key, $0)) },
                { _ in }))
    }
}

/// A SHA-256 on the command line: 64 hexadecimal digits.
struct ContentDigest: ExpressibleByArgument {
    let digest: SHA256Digest

    init?(argument: String) {
        guard let digest = SHA256Digest(argument) else { return nil }
        self.digest = digest
    }
}

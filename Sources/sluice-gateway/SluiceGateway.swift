import ArgumentParser
import CommandSupport
import Cryptography
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
            Init.self, Serve.self, Device.self, Keys.self, SiteIdentity.self, Uploads.self, Verify.self, Receipt.self,
        ])

    static func main() {
        runProgram { error in failure(error).map { ($0.exitStatus, $0.sentence) } }
    }

    /// - Returns: `nil` for errors that the parser of arguments describes itself.
    private static func failure(_ error: any Error) -> GatewayFailure? {
        if let failure = GatewayFailure(error) { return failure }
        let isOfParser = error is ExitCode || exitCode(for: error) != .failure
        return isOfParser ? nil : .unexpected
    }
}

struct Init: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Makes a gateway's home; its last line is the fingerprint.")
    @Argument(help: "The directory to make.") var directory: String
    @Option(help: "A name for the gateway's certificate; for an authority to sign, its host name.") var name =
        "sluice-gateway"
    @Option(help: "The kind of its key.") var keyType = KeyType.ed25519
    @OptionGroup var format: JSONOption

    func run() throws {
        let fingerprint = try GatewayHome(path: directory).create(name: name, keyType: keyType)
        guard !format.json else {
            return Output.results.object(
                JSONObject<HomeFields>([.home: .string(directory), .fingerprint: .string("\(fingerprint)")]))
        }
        Output.results.line("Made a gateway's home in \(directory). Agents pin this fingerprint:")
        Output.results.line("\(fingerprint)")
    }
}

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Serves agents until SIGTERM.")
    @OptionGroup var home: HomeOption
    @OptionGroup var store: StoreOptions
    @Option(help: "Where to listen, for example 0.0.0.0:7420; port 0 for any (default: 127.0.0.1:7420).") var listen:
        Endpoint?
    @Option(help: "Memory for parts under way, with its unit (default: 64MiB).") var budget: ByteSize?
    @Option(help: "How long agents may finish after SIGTERM (default: 25s).") var drainLimit: TimeSpan?
    @Option(
        help: """
            A PEM file, the authority whose certificates name the devices. Devices on the list with a fingerprint \
            are still identified by their keys.
            """)
    var ca: String?
    @Option(
        help: """
            The addresses or networks of balancers, with commas between them, as in 10.0.0.0/8. They must begin every \
            connection with a header of the PROXY protocol, version 2.
            """)
    var proxyFrom: ProxyNetworks?
    @Option(help: "Remove unfinished uploads that got no part for this long (default: 7d).") var unfinishedExpiry:
        TimeSpan?
    @Flag(help: "Without TLS, for agents on this machine with the same flag.") var plaintext = false
    @Flag(help: "Log more.") var verbose = false
    @OptionGroup var format: JSONOption

    func run() async throws {
        let logger = ProgramLog.make(label: "sluice-gateway", level: verbose ? .debug : .notice)
        let settings = try await Settings(file: home.gateway.configurationPath)
        let site = try store.site(settings)
        let endpoint = try settings.value(listen, "listen") ?? Endpoint(argument: "127.0.0.1:7420")
        guard let endpoint, !plaintext || endpoint.isLoopback else {
            throw ValidationError(
                "--plaintext is for loopback addresses only; name one with --listen, such as 127.0.0.1:7420.")
        }
        let authorityPath = try settings.value(ca, "ca")
        guard !plaintext || authorityPath == nil else {
            throw ValidationError("--ca has no effect without TLS; leave out either --ca or --plaintext.")
        }
        var program = GatewayProgram(
            home: home.gateway, site: site, host: endpoint.host, port: endpoint.port,
            software: "sluice-gateway \(sluiceVersion)")
        program.budgetBytes = try settings.value(budget, "budget")?.bytes
        program.isPlaintext = plaintext
        program.authorityPath = authorityPath
        program.proxyNetworks = try settings.value(proxyFrom, "proxy-from") ?? ProxyNetworks()
        program.drainLimit = try settings.value(drainLimit, "drain-limit")?.duration
        if let expiry = try settings.value(unfinishedExpiry, "unfinished-expiry")?.duration {
            guard expiry >= GatewayProgram.unfinishedExpiryMin else {
                throw ValidationError("--unfinished-expiry is shorter than 1h; name a longer time, such as 7d.")
            }
            program.unfinishedExpiry = expiry
        }
        try await program.run(logger: logger) { [json = format.json] address in
            guard json else { return Output.results.line("listening on \(address)") }
            Output.results.object(JSONObject<ListeningFields>([.address: .string(address)]))
        }
    }
}

extension ProxyNetworks: ExpressibleByArgument {
    public init?(argument: String) {
        self.init(parsing: argument)
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
        let settings = try await Settings(file: home.gateway.configurationPath)
        let administration = try UploadAdministration(site: store.site(settings))
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

import ArgumentParser
import CommandSupport
import Cryptography
import GatewayKit
import Logging
import ObjectStore
import SystemSupport

@main
struct SluiceGateway: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sluice-gateway", abstract: "Relays files from edge machines into an object store.",
        discussion: """
            First time: sluice-gateway init DIRECTORY, then sluice-gateway serve. For each device sluice-gateway \
            device invite, and on the device sluice-agent init --invite with the code that it printed. Or by hand: \
            the last line of a gateway's init is for sluice-agent init --pin, and the last line of that for \
            sluice-gateway device add.

            Exit codes: 64 wrong usage; 66 the home is missing or damaged; 69 the store refuses, or the bucket is \
            missing; 74 the output could not be written; 75 try again later.
            """,
        version: sluiceVersion,
        subcommands: [
            Init.self, Serve.self, Device.self, Keys.self, SiteIdentity.self, Uploads.self, Verify.self, Receipt.self,
        ])

    static func main() {
        runProgram { GatewayFailure($0).map { ($0.exitCode, $0.sentence) } }
    }
}

struct Init: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Makes a gateway's home; its last line is the fingerprint.")
    @Argument(help: "The directory to make.") var directory: String
    @Option(help: "A name for the gateway's certificate; for an authority to sign, its host name.") var name =
        "sluice-gateway"
    @Option(help: "The kind of its key.") var keyType = KeyType.ed25519

    func run() throws {
        let fingerprint = try GatewayHome(path: directory).create(name: name, keyType: keyType)
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

    func run() async throws {
        let logger = ProgramLog.make(label: "sluice-gateway", level: verbose ? .debug : .notice)
        let settings = try await Settings(file: home.gateway.configurationPath)
        let site = try store.site(settings)
        let endpoint = try settings.value(listen, "listen") ?? Endpoint(argument: "127.0.0.1:7420")
        guard let endpoint, !plaintext || endpoint.isLoopback else {
            throw ValidationError("--plaintext is for loopback addresses such as 127.0.0.1:7420 only.")
        }
        let authorityPath = try settings.value(ca, "ca")
        guard !plaintext || authorityPath == nil else {
            throw ValidationError("--ca has no effect without TLS: leave out either --ca or --plaintext.")
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
                throw ValidationError("--unfinished-expiry is at least 1h.")
            }
            program.unfinishedExpiry = expiry
        }
        try await program.run(logger: logger) { Output.results.line($0) }
    }
}

extension ProxyNetworks: ExpressibleByArgument {
    public init?(argument: String) {
        self.init(parsing: argument)
    }
}

struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Reads an object back and compares it with its evidence.")
    @Argument(help: "The object's key, prefix included.") var key: String
    @OptionGroup var home: HomeOption
    @OptionGroup var store: StoreOptions

    func run() async throws {
        let settings = try await Settings(file: home.gateway.configurationPath)
        throw ExitCode(
            try await UploadAdministration(site: store.site(settings)).verify(key: key) { Output.results.line($0) })
    }
}

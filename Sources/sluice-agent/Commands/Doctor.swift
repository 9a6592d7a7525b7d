import AgentKit
import ArgumentParser
import CommandSupport
import Settings
import SystemSupport

struct Digest: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Prints a file's digests, to compare them with receipts and stores.",
        discussion: "The root digest is SHA-256 over the digests of the file's parts, so it depends on the part size.")
    @Argument(help: "The file.") var path: String
    @Option(help: "The size of parts, for the root digest (default: 8MiB).") var partSize: ByteSize?
    @OptionGroup var format: JSONOption

    func run() throws {
        let digests = try FileDigests(path: path, partBytes: partSize?.bytes ?? 8 << 20)
        guard !format.json else { return Output.results.object(JSONObject(digests, of: path)) }
        Output.results.line("sha256  \(digests.whole)  \(path)")
        Output.results.line(
            "root    \(digests.root)  in parts of \(ByteSize(bytes: digests.partBytes))")
    }
}

struct Doctor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tries everything that a push needs, and says what it finds.",
        discussion: "The exit code is the one that a push would have ended with.")
    @OptionGroup var home: HomeOption
    @Option(help: AgentSettings.table.help("gateway")) var gateway: String?
    @Option(help: AgentSettings.table.help("interface")) var interface: String?
    @Flag(inversion: .prefixedNo, help: AgentSettings.table.help("plaintext")) var plaintext: Bool?
    @OptionGroup var format: JSONOption

    func run() async throws {
        let settings = try home.settings([
            "gateway": gateway, "interface": interface, "plaintext": plaintext.flagText,
        ])
        let endpoint = try settings.knownGateway
        let doctor = DoctorReport(
            home: try home.agent, host: endpoint.host, port: endpoint.port, interfaces: settings.interfaces,
            isPlaintext: settings.plaintext, software: "sluice-agent \(sluiceVersion)")
        let width = TerminalOutput.tableWidth
        try await doctor.report(asJSON: format.json, width: width) { Output.results.line($0, isJSON: format.json) }
    }
}

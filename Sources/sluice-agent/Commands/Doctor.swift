import AgentKit
import ArgumentParser
import CommandSupport
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
            "root    \(digests.root)  in parts of \(ByteSize(bytes: digests.partBytes).defaultValueDescription)")
    }
}

struct Doctor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tries everything that a push needs, and says what it finds.",
        discussion: "The exit code is the one that a push would have ended with.")
    @Option(help: "The agent's home directory.") var home: String = AgentHome.usualPath
    @Option(help: "The gateway, HOST:PORT, if not the home's own.") var gateway: Endpoint?

    @Option(help: "Network interfaces that a push would use, for example eth0,wwan0.")
    var interface: InterfaceList?
    @OptionGroup var format: JSONOption

    func run() async throws {
        let home = AgentHome(path: home)
        let settings = try await home.settings()
        let endpoint = try settings.gateway(gateway)
        let doctor = DoctorReport(
            home: home, host: endpoint.host, port: endpoint.port,
            interfaces: try settings.value(interface, "interface")?.names ?? [],
            software: "sluice-agent \(sluiceVersion)")
        let width = TerminalOutput.tableWidth
        try await doctor.report(asJSON: format.json, width: width) { Output.results.line($0, isJSON: format.json) }
    }
}

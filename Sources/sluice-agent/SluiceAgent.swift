import AgentKit
import ArgumentParser
import CommandSupport
import Cryptography
import Foundation
import Settings
import SystemSupport

@main
struct SluiceAgent: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sluice-agent",
        abstract: "Sends files through a gateway into an object store.",
        discussion: """
            First time: run sluice-agent init --invite with the code that the gateway's operator gave you. Then \
            sluice-agent push FILE; if it is interrupted, run the same again.

            \(ProgramExit.sentence(AgentInterface.meaning))
            """,
        version: sluiceVersion,
        subcommands: [
            Init.self, Push.self, Status.self, Resume.self, Abort.self, Check.self, Receipts.self, Config.self,
            Digest.self, Doctor.self, Run.self, Pause.self, Unpause.self, Rescan.self, Retry.self, Flush.self,
            Reload.self,
        ])

    static func main() {
        runProgram { error in
            AgentFailure(error).map { ($0.exitStatus, $0.sentence) }
                ?? ServiceFailure(error).map { ($0.exitStatus, $0.sentence) }
        }
    }
}

struct Init: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Makes this device's home, and registers the device at the gateway.",
        discussion: "Without an invitation the last line is the fingerprint for sluice-gateway device add.")
    @OptionGroup var home: HomeOption
    @Option(help: "What sluice-gateway device invite printed; - to read it from standard input.") var invite: String?
    @Option(help: "Without an invitation: the gateway, for example gateway.example.org:7420.") var gateway: Endpoint?
    @Option(help: "With --gateway: its fingerprint, the last line of sluice-gateway init.") var pin: Fingerprint?
    @Option(help: "Instead of --pin: a PEM file, the authority that signs the gateway's certificate.") var ca: String?
    @Option(help: "With --ca: the name in the gateway's certificate (default: the host of --gateway).") var gatewayName:
        String?
    @Option(help: "A name for the device's certificate (default: sluice-agent); with --ca, the device's name.")
    var name: String?
    @Option(help: "The kind of the device's key.") var keyType = KeyType.ed25519
    @Flag(help: "Let an existing home trust this gateway instead of its own; identity and journal stay.")
    var repin = false
    @OptionGroup var format: JSONOption

    func validate() throws {
        let isByHand = gateway != nil && (pin != nil) != (ca != nil)
        guard invite == nil ? isByHand : gateway == nil && pin == nil && ca == nil else {
            throw ValidationError(
                "Give either --invite CODE, or --gateway HOST:PORT with its fingerprint, --pin, or its authority, --ca."
            )
        }
        guard ca != nil || gatewayName == nil else { throw ValidationError("--gateway-name goes with --ca.") }
        guard ca == nil || repin || name.map(DeviceName.isUsable) == true else {
            throw ValidationError("With --ca the device needs a --name of its own, of \(DeviceName.rule).")
        }
    }

    func run() async throws {
        let home = try home.agent
        if let invite {
            try await enrol(try code(invite), home)
        } else if let gateway, repin {
            try trustAnotherGateway(gateway, home)
        } else if let gateway, let ca {
            let fingerprint = try home.create(
                name: name ?? usualName, gateway: gateway.description, authorityPath: ca,
                gatewayName: gatewayName ?? gateway.host, keyType: keyType)
            guard !format.json else {
                return Output.results.object(JSONObject(home: home.path, "\(fingerprint)", isCertified: true))
            }
            Output.results.line(
                "Made this device's home in \(home.path). Have the authority sign \(home.path)/identity.csr, and put "
                    + "the result in the place of \(home.path)/identity.crt. The key's fingerprint:")
            Output.results.line("\(fingerprint)")
        } else if let gateway, let pin {
            let fingerprint = try home.create(
                name: name ?? usualName, gateway: gateway.description, pin: pin, keyType: keyType)
            guard !format.json else { return Output.results.object(JSONObject(home: home.path, "\(fingerprint)")) }
            Output.results.line(
                "Made this device's home in \(home.path). The gateway's device list needs this fingerprint:")
            Output.results.line("\(fingerprint)")
        }
    }

    private var usualName: String { "sluice-agent" }

    /// Reads the invitation code from the argument; if the argument is `-`, from standard input. While the program
    /// runs, other users of the computer can see its arguments, but not its standard input.
    private func code(_ argument: String) throws -> InvitationCode {
        if argument == "-", isatty(STDIN_FILENO) == 1 { Output.notices.raw("Paste the invitation code: ") }
        let text = argument == "-" ? readLine() ?? "" : argument
        guard let code = InvitationCode(text: text) else {
            throw ValidationError(
                "The invitation is incomplete: copy the line that sluice-gateway device invite printed.")
        }
        return code
    }

    private func enrol(_ code: InvitationCode, _ home: AgentHome) async throws {
        let enroller = Enroller(home: home, software: "sluice-agent \(sluiceVersion)")
        let device = try await enroller.enrol(name: name ?? usualName, keyType: keyType, code: code, repins: repin)
        guard !format.json else {
            let fingerprint = "\(try home.identity().fingerprint)"
            return Output.results.object(JSONObject(home: home.path, fingerprint, device))
        }
        let keys = device.prefix.isEmpty ? "any key" : "keys below \(device.prefix)"
        let entry = "The gateway knows it as \(device.name); it may write \(keys)."
        if device.wasKnown, !repin {
            Output.results.line(
                "This home was enrolled before, so the new invitation was not used. \(entry) The gateway's operator "
                    + "changes name and prefix; another device needs another --home.")
        } else {
            Output.results.line("\(repin ? "Re-pinned" : "Made") this device's home in \(home.path). \(entry)")
        }
    }

    private func trustAnotherGateway(_ gateway: Endpoint, _ home: AgentHome) throws {
        let repinning = Repinning(home)
        if let ca {
            try repinning.trust(
                authorityAt: ca, gatewayName: gatewayName ?? gateway.host, gateway: gateway.description)
        } else if let pin {
            try repinning.trust(pin: pin, gateway: gateway.description)
        }
        guard !format.json else {
            return Output.results.object(JSONObject(home: home.path, "\(try home.identity().fingerprint)"))
        }
        Output.results.line(
            "The home \(home.path) trusts the gateway at \(gateway) now, and keeps its identity and its journal.")
    }
}

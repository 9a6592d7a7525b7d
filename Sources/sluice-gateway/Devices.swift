import ArgumentParser
import CommandSupport
import Cryptography
import GatewayKit
import Settings
import SystemSupport

struct Device: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Manages the devices that may write.", subcommands: [Invite.self, Add.self, List.self, Revoke.self])

    struct Invite: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Prints a code with which one new device registers itself, once.",
            discussion:
                "On the device: sluice-agent init --invite CODE. The code contains a secret: keep it confidential.")
        @Argument(help: "The name of the new device.") var name: String
        @OptionGroup var keys: DeviceKeyOption
        @OptionGroup var limits: DeviceLimitOptions
        @Option(help: GatewaySettings.table.help("gateway")) var gateway: String?
        @Option(help: "How long the code is valid, a minute to a year (default: 1h).") var validFor: TimeSpan?
        @OptionGroup var home: HomeOption
        @OptionGroup var format: JSONOption

        func run() async throws {
            let settings = try home.settings(["gateway": gateway])
            let listen = settings.listen.isReachable ? settings.listen : nil
            guard let endpoint = settings.gateway ?? listen else {
                throw ValidationError(
                    "It is not known how the device reaches this gateway; name it with --gateway HOST:PORT.")
            }
            let lifetime = validFor?.duration ?? .seconds(3_600)
            guard (.seconds(60)...(.seconds(366 * 86_400))).contains(lifetime) else {
                throw ValidationError(
                    "--valid-for is shorter than a minute or longer than a year; name another time, such as 1h.")
            }
            if endpoint.isLoopback {
                Output.advise("Only devices on this machine reach \(endpoint); for others say --gateway HOST:PORT.")
            }
            let options = DeviceOptions(device: name, prefix: keys.prefix, limits: limits.limits)
            let made = try home.gatewayToChange.inviteDevice(
                name: name, options: options, gateway: endpoint.description, lifetime: lifetime)
            if let advice = made.advice(about: name) { Output.advise("sluice-gateway: \(advice)") }
            guard !format.json else {
                return Output.results.object(JSONObject(name: name, options, gateway: endpoint.description, made))
            }
            Output.results.line(options.permission(of: name))
            Output.results.line(
                "On the device, which has to reach this gateway at \(endpoint), within "
                    + "\(lifetime.components.seconds / 60) minutes: sluice-agent init --invite CODE")
            Output.results.line(made.code)
        }
    }

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Adds a device; a running gateway admits it within seconds.")
        @Argument(help: "The device's name.") var name: String
        @Option(help: "What sluice-agent init printed on the device: sha256: and 64 digits.") var fingerprint:
            Fingerprint?
        @Flag(help: "Identify it by a certificate with this name (serve --ca); also admits a revoked name again.")
        var certificate = false
        @OptionGroup var keys: DeviceKeyOption
        @OptionGroup var limits: DeviceLimitOptions
        @OptionGroup var home: HomeOption
        @OptionGroup var format: JSONOption

        func validate() throws {
            guard (fingerprint != nil) != certificate else {
                throw ValidationError(
                    "A device is identified either by its key or by a certificate; add --fingerprint or --certificate, "
                        + "not both.")
            }
        }

        func run() throws {
            let limits = limits.limits
            let gateway = try home.gatewayToChange
            let advice = gateway.adviceAboutPrefixes
            let invited =
                if let fingerprint {
                    try gateway.addDevice(
                        name: name, fingerprint: fingerprint, prefix: keys.prefix, limits: limits)
                } else {
                    try gateway.addCertifiedDevice(name: name, prefix: keys.prefix, limits: limits)
                }
            let options = DeviceOptions(device: name, prefix: keys.prefix, limits: limits)
            if format.json {
                let identification = fingerprint == nil ? DeviceFields.certificate : DeviceFields.key
                Output.results.object(
                    JSONObject(name: name, identification, fingerprint: fingerprint.map { "\($0)" }, options))
            } else {
                Output.results.line(options.permission(of: name))
            }
            if let invited {
                let ended = MadeInvitation.advice(about: name, removedBeforeItsEnd: invited)
                Output.advise("sluice-gateway: \(ended)")
            }
            if let advice { Output.advise("sluice-gateway: \(advice)") }
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Takes a device off the list; a running gateway ends its connections within seconds.")
        @Argument(help: "The device's name.") var name: String
        @Option(help: GatewaySettings.table.help("ca")) var ca: String?
        @OptionGroup var home: HomeOption
        @OptionGroup var format: JSONOption

        func run() async throws {
            let gateway = try home.gatewayToChange
            let advice = gateway.adviceAboutPrefixes
            let done = try gateway.revokeDevice(name: name, hasAuthority: home.hasAuthority(flag: ca))
            if format.json {
                Output.results.object(JSONObject(name: name, done))
            } else {
                Output.results.line(done.sentence(about: name))
            }
            if let advice { Output.advise("sluice-gateway: \(advice)") }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists the devices, who is invited, and what devices reported last.",
            discussion: "A report is what a device told this gateway about itself. Nothing in it is proved.")
        @OptionGroup var home: HomeOption
        @OptionGroup var format: JSONOption

        func run() throws {
            guard !format.json else { return try home.gateway.deviceObjects { Output.results.json($0) } }
            var failure: GatewayHomeError?
            let text = try home.gateway.deviceLines { failure = $0 }
            for line in ListedDevices.lines(of: text, width: TerminalOutput.tableWidth) { Output.results.line(line) }
            if let failure { throw failure }
        }
    }
}

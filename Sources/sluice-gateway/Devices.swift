import ArgumentParser
import CommandSupport
import GatewayKit
import SecureChannel

struct Device: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Says which devices may write.", subcommands: [Add.self, List.self, Revoke.self])

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Adds a device; a running gateway takes note.")
        @Argument(help: "The device's name.") var name: String
        @Option(help: "What sluice-agent init printed on the device: sha256: and 64 digits.") var fingerprint:
            Fingerprint
        @Option(help: "The keys it may write: all that begin with this, which ends in a slash.") var prefix = ""
        @OptionGroup var home: HomeOption

        func run() throws { try home.gateway.addDevice(name: name, fingerprint: fingerprint, prefix: prefix) }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Takes a device off the list; a running gateway ends its connections within seconds.")
        @Argument(help: "The device's name.") var name: String
        @OptionGroup var home: HomeOption

        func run() throws { try home.gateway.revokeDevice(name: name) }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists the devices.")
        @OptionGroup var home: HomeOption

        func run() throws { print(try home.gateway.devices().text, terminator: "") }
    }
}

import ArgumentParser
import CommandSupport
import Cryptography
import GatewayKit
import SystemSupport

struct SiteIdentity: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "identity",
        abstract: "Shows and changes the key that the gateways of the site prove to agents.",
        discussion: """
            In this order, and each step in the home of every gateway of the site: announce; wait until list says that \
            the devices know the announced key; switch; wait again; retire. A running gateway follows within \
            seconds. Agents that trust an authority need none of this.
            """,
        subcommands: [List.self, Announce.self, Switch.self, Retire.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists the keys, and which devices know the announced or present one.",
            discussion: """
                A device learns an announced key when it connects, and confirms it when it connects the next time. \
                Each gateway lists the devices that have connected to it.
                """)
        @OptionGroup var home: HomeOption
        @OptionGroup var format: JSONOption

        func run() throws {
            guard !format.json else {
                for line in try SiteKeyReport.read(from: home.gateway).json { Output.results.json(line) }
                return
            }
            for line in try SiteKeyReport.read(from: home.gateway).lines { Output.results.line(line) }
        }
    }

    struct Announce: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes the site's next key and announces it to devices; its last line is the fingerprint.",
            discussion: """
                Where another gateway of the site has announced one, bring its files next.key and next.crt into this \
                home instead. To take an announcement back, remove both files.
                """)
        @Option(help: "The kind of the key (default: that of the present one).") var keyType: KeyType?
        @OptionGroup var home: HomeOption
        @OptionGroup var format: JSONOption

        func run() throws {
            let gateway = try home.gatewayToChange
            let next = try SiteKeyChange(of: gateway).announce(keyType)
            guard !format.json else {
                return Output.results.object(JSONObject(announced: next, in: gateway.siteKeyFiles))
            }
            Output.results.line(
                "Announced the site's next key. Bring \(gateway.siteKeyFiles.nextKeyPath) and "
                    + "\(gateway.siteKeyFiles.nextCertificatePath) to every gateway of the site.")
            Output.results.line("\(next)")
        }
    }

    struct Switch: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes the announced key the present one; its last line is the fingerprint.",
            discussion: """
                The old key's certificate is shown behind the new one until retire, so that devices that only know the \
                old key find the gateway, too. A running gateway ends its connections; agents reconnect at once. Exit \
                code 75: a known device does not know the announced key, and --force was not given.
                """)
        @Flag(help: "Switch even if a known device does not know the announced key.") var force = false
        @OptionGroup var home: HomeOption
        @OptionGroup var format: JSONOption

        func run() throws {
            let present = try SiteKeyChange(of: home.gatewayToChange).switchKey(force: force)
            guard !format.json else { return Output.results.object(JSONObject(present, SiteKeyFields.present)) }
            Output.results.line("The present key, which new devices pin, is now:")
            Output.results.line("\(present)")
        }
    }

    struct Retire: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows the present key alone; its last line is the fingerprint.",
            discussion: """
                Devices that only know an old key are locked out from then on. Exit code 75: a known device does not \
                know the present key, and --force was not given.
                """)
        @Flag(help: "Retire even if a known device does not know the present key.") var force = false
        @OptionGroup var home: HomeOption
        @OptionGroup var format: JSONOption

        func run() throws {
            let present = try SiteKeyChange(of: home.gatewayToChange).retire(force: force)
            guard !format.json else { return Output.results.object(JSONObject(present, SiteKeyFields.present)) }
            Output.results.line("The present key is shown alone:")
            Output.results.line("\(present)")
        }
    }
}

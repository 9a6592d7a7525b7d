import ArgumentParser
import CommandSupport
import Cryptography
import GatewayKit
import SystemSupport

struct Keys: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows and changes the keys that seal session tokens.", subcommands: [Rotate.self, List.self])

    struct Rotate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Seals with the next key, and makes another; running gateways follow within seconds.")
        @OptionGroup var home: HomeOption
        @OptionGroup var format: JSONOption

        func run() throws {
            let gateway = try home.gatewayToChange
            let ring = try gateway.rotateKeys()
            guard !format.json else { return Output.results.object(JSONObject(ring, path: gateway.keysPath)) }
            for line in ring.lines(width: TerminalOutput.tableWidth) { Output.results.line(line) }
            Output.results.line(
                "Rotated the keys. Bring \(gateway.keysPath) to every gateway of the site before the next rotation.")
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists the keys, oldest first, without the secrets.")
        @OptionGroup var home: HomeOption
        @OptionGroup var format: JSONOption

        func run() throws {
            guard !format.json else {
                for key in try home.gateway.keyRing().entries {
                    Output.results.object(
                        JSONObject<SealingKeyFields>([
                            .id: .string("\(key.id)"), .state: .string(key.state.rawValue),
                        ]))
                }
                return
            }
            for line in try home.gateway.keyRing().lines(width: TerminalOutput.tableWidth) { Output.results.line(line) }
        }
    }
}

extension KeyRing {
    fileprivate func lines(width: Int?) -> [String] {
        let rows = entries.map { TextTable.Row([.init("\($0.id)"), .init($0.state.rawValue)]) }
        return TextTable([.left, .left], rows: rows).lines(width: width)
    }
}

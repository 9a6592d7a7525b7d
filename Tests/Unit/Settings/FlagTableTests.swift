import AgentKit
import Foundation
import GatewayKit
import Settings
import Testing
import sluice_agent
import sluice_gateway

/// Every flag is either a setting, with a key and a variable of the same name, or stands in the list of the flags that
/// belong to one call.
@Suite struct FlagTableTests {
    /// The parts of ArgumentParser's description of a program that name commands and flags.
    private struct Tree: Decodable {
        struct Command: Decodable {
            struct Argument: Decodable {
                struct Name: Decodable {
                    var kind: String
                    var name: String
                }

                var kind: String
                var names: [Name]?
            }

            var commandName: String
            var subcommands: [Command]?
            var arguments: [Argument]?
        }

        var command: Command
    }

    private struct Flag: Hashable, CustomStringConvertible {
        var program: String
        var command: String
        var name: String

        var description: String { "\(program) \(command) --\(name)" }
    }

    private static func flags(_ json: String) throws -> [Flag] {
        let root = try JSONDecoder().decode(Tree.self, from: Data(json.utf8)).command
        var found: [Flag] = []
        func visit(_ command: Tree.Command, _ path: [String]) {
            let names = (command.arguments ?? []).filter { $0.kind != "positional" }.compactMap { argument in
                argument.names?.first { $0.kind == "long" }?.name
            }
            // A flag with two names, such as --receipts and --no-receipts, is one setting.
            for name in names where !names.contains(where: { "no-\($0)" == name }) {
                found.append(Flag(program: root.commandName, command: path.joined(separator: " "), name: name))
            }
            for command in command.subcommands ?? [] where command.commandName != "help" {
                visit(command, path + [command.commandName])
            }
        }
        visit(root, [])
        return found
    }

    private static let settings: [String: [String]] = [
        AgentSettings.table.program: AgentSettings.table.settings.filter { $0.scope == .everywhere }.map(\.name),
        GatewaySettings.table.program: GatewaySettings.table.settings.map(\.name),
    ]

    @Test func everyFlagIsASettingOrBelongsToOneCall() throws {
        let flags = try Self.flags(AgentCommandTree.json) + Self.flags(GatewayCommandTree.json)
        #expect(flags.count > 60)
        for flag in flags {
            let isOfOneCall = OneCallFlag.all.contains {
                $0.fits(program: flag.program, command: flag.command, flag: flag.name)
            }
            let isSetting = Self.settings[flag.program]?.contains(flag.name) == true
            #expect(isOfOneCall || isSetting, "\(flag) is neither a setting nor in OneCallFlag.all")
        }
    }

    @Test func everySettingIsAFlag() throws {
        for json in [AgentCommandTree.json, GatewayCommandTree.json] {
            let flags = try Self.flags(json).filter { flag in
                !OneCallFlag.all.contains { $0.fits(program: flag.program, command: flag.command, flag: flag.name) }
            }
            let program = try #require(flags.first?.program)
            #expect(Set(flags.map(\.name)) == Set(Self.settings[program] ?? []))
        }
    }

    @Test func everyFlagOfOneCallExists() throws {
        let flags = try Self.flags(AgentCommandTree.json) + Self.flags(GatewayCommandTree.json)
        for entry in OneCallFlag.all {
            #expect(
                flags.contains { entry.fits(program: $0.program, command: $0.command, flag: $0.name) },
                "\(entry.command ?? "") --\(entry.name)")
        }
    }

    @Test func namesAreNotTwice() {
        for names in [AgentSettings.table.settings.map(\.name), GatewaySettings.table.settings.map(\.name)] {
            #expect(Set(names).count == names.count)
        }
        #expect(SettingVariables.name(of: "limit-rate") == "SLUICE_LIMIT_RATE")
    }
}

import ArgumentParser
import CommandSupport
import GatewayKit
import Settings

struct Config: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Checks and shows the settings of this gateway.", subcommands: [Check.self, Show.self])

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Checks the settings file, the variables and the files that they name, and names every problem.",
            discussion: "Exit code 0: every setting can be used; 64: one cannot; 66: the named home does not exist.")
        @OptionGroup var home: HomeOption
        @OptionGroup var format: JSONOption

        func run() throws {
            try ConfigCommand.check(
                GatewaySettings.table, home: try home.checkedPlace, fileName: GatewaySettings.fileName,
                environment: home.environment, json: format.json, inspect: GatewaySettings.problems)
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows every setting in force, and where it comes from: a variable, the file or the default.")
        @OptionGroup var home: HomeOption
        @OptionGroup var format: JSONOption

        func run() throws {
            try ConfigCommand.show(
                GatewaySettings.table, home: try home.checkedPlace, fileName: GatewaySettings.fileName,
                environment: home.environment, json: format.json)
        }
    }
}

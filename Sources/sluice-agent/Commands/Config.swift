import AgentKit
import ArgumentParser
import CommandSupport
import Settings

struct Config: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Checks and shows the settings of this agent.", subcommands: [Check.self, Show.self])

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Checks the settings file, the variables and the files that they name, and names every problem.",
            discussion: """
                Exit code 0: every setting can be used; 64: one cannot; 66: the named home does not exist, or its \
                settings file cannot be read.
                """)
        @OptionGroup var home: HomeOption
        @OptionGroup var format: JSONOption

        func run() throws {
            try home.agent.checkSettingsFile()
            let agent = try home.agent
            try ConfigCommand.check(
                AgentSettings.table, home: try home.place, fileName: AgentSettings.fileName,
                environment: home.environment, json: format.json
            ) { AgentSettings.problems(of: $0, in: agent) }
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows every setting in force, and where it comes from: a variable, the file or the default.")
        @OptionGroup var home: HomeOption
        @OptionGroup var format: JSONOption

        func run() throws {
            try home.agent.checkSettingsFile()
            try ConfigCommand.show(
                AgentSettings.table, home: try home.place, fileName: AgentSettings.fileName,
                environment: home.environment, json: format.json)
        }
    }
}

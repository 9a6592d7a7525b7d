import AgentKit
import ArgumentParser
import CommandSupport
import Foundation
import Settings
import SystemSupport

/// The option that names the agent's home, and what a command reads from there.
struct HomeOption: ParsableArguments {
    @Option(
        help: "The agent's home directory (default: the variable SLUICE_HOME, else ~/\(AgentSettings.usualFolder)).")
    var home: String?

    /// The home, and where its name comes from.
    var place: ProgramHome {
        get throws {
            try ProgramHome(flag: home, environment: environment, folder: AgentSettings.usualFolder)
        }
    }

    var agent: AgentHome {
        get throws { AgentHome(path: try place.path) }
    }

    /// The settings that hold for a command. Throws if the home does not exist.
    ///
    /// - Parameter flags: the text of each flag that is a setting.
    func settings(_ flags: [String: String?]) throws -> AgentSettings {
        let home = try agent
        try home.check()
        return try AgentSettings.table.read(
            home: home.path, fileName: AgentSettings.fileName, environment: environment, flags: flags
        ).values
    }

    /// Names the problems of the settings on standard error. For commands that need no setting: what they list is right
    /// in spite of the problems, but a push would end with them.
    func warnAboutSettings() throws {
        do {
            _ = try settings([:])
        } catch let error as SettingsError {
            for line in error.lines { Output.advise("sluice-agent: \(line)") }
        }
    }

    /// Whether the settings, if they can be read, name folders for the service.
    var namesFolders: Bool {
        // try?: another message says why the settings cannot be used.
        (try? settings([:]))?.folders.isEmpty == false
    }

    var environment: [String: String] { ProcessInfo.processInfo.environment }
}

extension AgentSettings {
    /// The gateway that the command line or the settings name. Throws if none is named.
    var knownGateway: Endpoint {
        get throws {
            guard let gateway else {
                throw ValidationError(
                    "No gateway is known: run sluice-agent init, or name one with --gateway HOST:PORT.")
            }
            return gateway
        }
    }
}

import AgentKit
import AgentService
import ArgumentParser
import CommandSupport
import SystemSupport

// The commands that ask a running service.

/// How a command reaches the service.
struct ServiceOption: ParsableArguments {
    @OptionGroup var home: HomeOption

    var client: ControlClient {
        get throws {
            let home = try home.agent
            try home.check()
            return ControlClient(path: home.controlPath)
        }
    }
}

struct Pause: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Has a running service send nothing from a folder, until unpause.",
        discussion: "Its files are not deleted or moved either. A restart of the service changes nothing.")
    @Argument(help: "The folder's name in the settings; none for all.") var folder: String?
    @OptionGroup var service: ServiceOption

    func run() async throws {
        try await service.client.pause(folder)
        Output.results.line("Paused \(folder.folderWords).")
    }
}

struct Unpause: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Has a running service send from a folder again.")
    @Argument(help: "The folder's name in the settings; none for all.") var folder: String?
    @OptionGroup var service: ServiceOption

    func run() async throws {
        try await service.client.unpause(folder)
        Output.results.line("Unpaused \(folder.folderWords).")
    }
}

struct Rescan: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Has a running service scan a folder as soon as possible.",
        discussion: "The service finds files without this command, too: by notices of the system and by its own scans.")
    @Argument(help: "The folder's name in the settings; none for all.") var folder: String?
    @OptionGroup var service: ServiceOption

    func run() async throws {
        try await service.client.rescan(folder)
        Output.results.line("Scans \(folder.folderWords).")
    }
}

struct Retry: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Has a running service try files again that wait, are quarantined, or have a key that is taken.")
    @Argument(help: "Their ids, as status lists them.") var ids: [String] = []
    @Flag(help: "All of them.") var all = false
    @OptionGroup var service: ServiceOption

    func validate() throws {
        guard all == ids.isEmpty else {
            throw ValidationError(
                all ? "Give ids or --all, not both." : "Give the ids that sluice-agent status lists, or --all.")
        }
    }

    func run() async throws {
        let count = try await service.client.retry(ids)
        Output.results.line("Tries \(counted(count, "file")) again.")
    }
}

struct Flush: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Waits until a running service has proven every file that is pending now.",
        discussion: """
            Exit code 0: every file is proven or gone; 1: one could not be proven; 75: interrupted, or the service \
            ended before.
            """)
    @Flag(help: "Wait. sluice-agent status shows what is pending without waiting.") var wait = false
    @OptionGroup var service: ServiceOption

    func validate() throws {
        guard wait else {
            throw ValidationError(
                "Give --wait: this command ends when the pending files are proven; sluice-agent status lists them.")
        }
    }

    func run() async throws {
        let client = try service.client
        let waiting = Task { try await client.flush() }
        StopSignals.handle(stop: { waiting.cancel() })
        let unproven: Int
        do {
            unproven = try await waiting.value
        } catch ControlFailure.refused(let problem) {
            // The service refuses a flush only if it does not know all files, or cannot wait for its end.
            Output.advise("sluice-agent: \(problem)")
            throw ExitCode(ProgramExit.tryAgain.rawValue)
        } catch {
            guard waiting.isCancelled else { throw error }
            Output.advise("sluice-agent: interrupted; the service continues to send")
            throw ExitCode(ProgramExit.tryAgain.rawValue)
        }
        guard unproven == 0 else {
            Output.results.line("\(counted(unproven, "file")) could not be proven; sluice-agent status says why.")
            throw ExitCode(ProgramExit.failure.rawValue)
        }
        Output.results.line("Everything that was pending is proven.")
    }
}

struct Reload: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Has a running service read its settings again.",
        discussion: "If the settings cannot be used, those in force stay, and the exit code is 1.")
    @OptionGroup var service: ServiceOption

    func run() async throws {
        try await service.client.reload()
        Output.results.line("The service has read its settings again.")
    }
}

extension String? {
    /// A folder in a sentence; `nil` is all.
    fileprivate var folderWords: String { map { "the folder \($0)" } ?? "all folders" }
}

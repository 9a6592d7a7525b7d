import Foundation
import TestSupport
import Testing

/// A running agent service.
struct RunningService {
    let agent: AgentHandle
    let program: Program

    // MARK: The log

    /// Waits for an entry of the log that has this message and, if one is given, this path.
    ///
    /// - Parameter previous: considers only lines after this one.
    @discardableResult
    func waitForLog(
        _ message: String, path: String? = nil, after previous: Program.Line? = nil,
        within limit: Duration = Site.deadline
    ) async throws -> Program.Line {
        try await program.waitForLine(after: previous, of: .standardError, within: limit) { line in
            // Most lines need not be read as JSON.
            guard line.contains(message), let entry = LogEntry(line) else { return false }
            return entry.message.hasPrefix(message) && (path == nil || entry.metadata?["path"] == path)
        }
    }

    /// Waits until the service has proven the files of all these paths.
    func waitUntilProven(_ paths: String..., after previous: Program.Line? = nil) async throws {
        for path in paths { try await waitForLog("Proven", path: path, after: previous) }
    }

    /// Waits until the service has deleted the files of all these paths.
    func waitUntilDeleted(_ paths: String...) async throws {
        for path in paths { try await waitForLog("Deleted", path: path) }
    }

    /// The last line of the log so far, to wait for a later one.
    var lastLine: Program.Line? { program.lines.last }

    /// The line that reports the first proof.
    var lineOfFirstProof: Program.Line? { program.lines.first { $0.text.contains("\"Proven\"") } }

    // MARK: Commands

    /// Runs a command that asks the service.
    ///
    /// - Returns: its output.
    @discardableResult
    func ask(
        _ arguments: String..., exits status: Int32 = 0, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> String {
        let program = try await agent.runForPeople(arguments)
        #expect(program.exitStatus == .exited(status), "\(program.transcript)", sourceLocation: sourceLocation)
        return program.transcript
    }

    func status() async throws -> StatusOfService {
        let program = try await run(
            agent.program, ["status", "--home", agent.home, "--json"], within: Site.deadline)
        try #require(program.exitStatus == .exited(0), "\(program.transcript)")
        return StatusOfService(program)
    }

    /// Asks for the status until it is as wanted.
    ///
    /// - Parameters:
    ///   - awaited: the wanted status, in words that complete "waited for".
    ///   - meanwhile: called after each status that is not as wanted.
    @discardableResult
    func waitForStatus(
        _ awaited: String, within limit: Duration = Site.deadline,
        where wanted: @escaping @Sendable (StatusOfService) -> Bool,
        meanwhile: @escaping @Sendable () async throws -> Void = {}
    ) async throws -> StatusOfService {
        let last = Watched("")
        return try await withDeadline(limit, awaited, detail: { last.current + "\n" + program.transcript }) {
            while true {
                let status = try await status()
                if wanted(status) { return status }
                last.update { $0 = status.text }
                try await meanwhile()
                // The service reports no changes of its status, so ask again.
                try await Task.sleep(for: .milliseconds(200))
            }
        }
    }

    /// Ends the service in an orderly way.
    func stop(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        program.kill(SIGTERM)
        let ended = try await program.waitForExit(within: Site.deadline)
        #expect(ended == .exited(0), "\(program.transcript)", sourceLocation: sourceLocation)
    }
}

/// An entry of the service's log.
private struct LogEntry: Decodable {
    var message: String
    var metadata: [String: String]?

    /// - Returns: `nil` for a line that is no entry.
    init?(_ line: String) {
        // try?: the runtime may print a line of another form.
        guard let entry = try? JSONDecoder().decode(LogEntry.self, from: Data(line.utf8)) else { return nil }
        self = entry
    }
}

/// What `status --json` prints of a running service.
struct StatusOfService: Sendable {
    /// One of the printed objects, with the fields that tests look at.
    struct Line: Decodable, Sendable {
        var event: String
        var name: String?
        var folder: String?
        var id: String?
        var path: String?
        var state: String?
        var reason: String?
        var pending: Int?
        var proven: Int?
        var provenSinceStart: Int?
        var removedSinceStart: Int?
        var settingsProblem: String?
    }

    let text: String
    private let lines: [Line]

    init(_ program: Program) {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let printed = program.lines(of: .standardOutput)
        text = printed.joined(separator: "\n")
        // try?: a line that cannot be read is missing in the result, and the test that looks for it fails.
        lines = printed.compactMap { try? decoder.decode(Line.self, from: Data($0.utf8)) }
    }

    var service: Line? { lines.last { $0.event == "service" } }
    var folders: [Line] { lines.filter { $0.event == "folder" } }
    var troubles: [Line] { lines.filter { $0.event == "trouble" } }

    func folder(_ name: String) -> Line? { folders.first { $0.name == name } }

    func trouble(_ path: String) -> Line? { troubles.first { $0.path == path } }
}

extension AgentHandle {
    /// The words of a folder's settings that make a test short.
    static let quick = "ready: {when: idle, for: 1s}, rescan: 1s"

    private var settingsPath: String { home + "/agent.yaml" }

    /// Writes the settings: those of `init`, and these folders instead of any earlier ones.
    ///
    /// - Parameters:
    ///   - folders: the keys of each folder, as YAML has them between braces.
    ///   - settings: further lines of the settings.
    func watch(_ folders: String..., settings: [String] = []) throws {
        let written = try String(contentsOfFile: settingsPath, encoding: .utf8)
        let lines = written.split(separator: "\n", omittingEmptySubsequences: false)
        let before = (lines.prefix { $0 != "folders:" } + settings.map { $0[...] }).joined(separator: "\n")
        let list = folders.map { "  - {\($0)}\n" }.joined()
        try "\(before)\nfolders:\n\(list)".write(toFile: settingsPath, atomically: true, encoding: .utf8)
    }

    /// Runs the service while `body` runs, and kills it afterwards.
    func withService<Success>(
        environment variables: [String: String] = [:], _ body: (RunningService) async throws -> Success
    ) async throws -> Success {
        let arguments = ["run", "--home", home, "--log-format", "json"]
        let environment = Program.environment(adding: variables)
        return try await withProgram(program, arguments, environment: environment) { program in
            let service = RunningService(agent: self, program: program)
            try await service.waitForLog("Serving")
            return try await body(service)
        }
    }
}

extension Site {
    /// Settings of a folder below the site's directory, which this function makes.
    ///
    /// - Parameter more: further keys, as YAML has them between braces.
    func folder(_ name: String, _ more: String = "", quick: String = AgentHandle.quick) throws -> String {
        try FileManager.default.createDirectory(atPath: path(name), withIntermediateDirectories: true)
        return (["name: \(name)", "path: \(path(name))", quick, more].filter { !$0.isEmpty }).joined(separator: ", ")
    }

    func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: path(name)) }

    /// Renames a file as one step, as programs do that write a file under another name first.
    func rename(_ name: String, to other: String) throws {
        try #require(Foundation.rename(path(name), path(other)) == 0, "\(name): \(errno)")
    }

    /// Opens a file for writing, and makes it if there is none.
    func open(_ name: String) throws -> FileHandle {
        let url = directory.appending(path: name)
        if !exists(name) { try Data().write(to: url) }
        return try FileHandle(forWritingTo: url)
    }
}

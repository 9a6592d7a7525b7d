import Foundation
import NIOCore
import S3Servers
import TestSupport
import Testing

/// A site for one test: a store, homes of gateways with shared keys and devices, homes of agents, and files.
///
/// Runs the built programs on loopback, with all files below one temporary directory.
struct Site {
    let directory: URL
    let storage: any Storage

    static let deadline = Duration.seconds(60)

    /// The smallest part size of the site's store in bytes.
    var partBytes: Int { storage.partBytes }
    var partSize: String { "\(partBytes >> 20)MiB" }

    private var agentProgram: Executable { get throws { try .built("sluice-agent") } }
    private var gatewayProgram: Executable { get throws { try .built("sluice-gateway") } }

    /// Makes a site with one gateway's home, and removes the site even if `body` throws.
    static func with(
        _ kind: StorageKind = .directory, _ body: (Site) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory("site") { directory in
            try await kind.with(in: directory) { try await make(in: directory, on: $0, body) }
        }
    }

    /// Makes a site whose store exists already.
    static func with(_ storage: any Storage, _ body: (Site) async throws -> Void) async throws {
        try await withTemporaryDirectory("site") { try await make(in: $0, on: storage, body) }
    }

    private static func make(
        in directory: URL, on storage: any Storage, _ body: (Site) async throws -> Void
    ) async throws {
        let site = Site(directory: directory, storage: storage)
        let told = try await site.gateway(["init", site.path("gateway")])
        try told.joined(separator: "\n").write(toFile: site.path("pin"), atomically: true, encoding: .utf8)
        try await body(site)
    }

    /// Makes a site with a running gateway and a registered agent, the start of most tests.
    static func serving(
        _ kind: StorageKind = .directory, _ body: (Site, AgentHandle) async throws -> Void
    ) async throws {
        try await with(kind) { site in
            try await site.withGateway { gateway in
                try await body(site, site.makeAgent(port: gateway.port))
            }
        }
    }

    func path(_ name: String) -> String { directory.appending(path: name).path(percentEncoded: false) }

    /// The gateway's fingerprint, which agents pin. It is the last line that `init` has printed.
    var pin: String {
        get throws {
            let told = try String(contentsOfFile: path("pin"), encoding: .utf8)
            return String(try #require(told.split(separator: "\n").last))
        }
    }

    // MARK: Gateways

    /// Runs a command of a gateway to its end, and returns the lines of its standard output.
    @discardableResult
    func gateway(_ arguments: [String], exits status: Int32 = 0) async throws -> [String] {
        let program = try await run(
            try gatewayProgram, arguments, environment: Program.environment(adding: storage.environment),
            within: Self.deadline)
        try #require(program.exitStatus == .exited(status), "\(program.transcript)")
        return program.lines(of: .standardOutput)
    }

    /// Runs a command of a gateway that needs the store's options, such as `uploads list`.
    @discardableResult
    func administer(_ arguments: [String], exits status: Int32 = 0) async throws -> [String] {
        try await gateway(arguments + ["--home", path("gateway")] + storage.options, exits: status)
    }

    /// Makes another home for a gateway of this site, with the site's identity, keys and devices.
    func makeGatewayHome(_ name: String) throws {
        try FileManager.default.copyItem(atPath: path("gateway"), toPath: path(name))
    }

    /// Runs `body` while a gateway serves, and kills all its remaining processes afterwards.
    func withGateway<Success>(
        home: String = "gateway", _ options: [String] = [], environment variables: [String: String] = [:],
        _ body: (RunningGateway) async throws -> Success
    ) async throws -> Success {
        let arguments = ["serve", "--home", path(home), "--listen", "127.0.0.1:0"] + storage.options + options
        let environment = Program.environment(adding: storage.environment.merging(variables) { $1 })
        return try await withProgram(try gatewayProgram, arguments, environment: environment) { program in
            let line = try await program.waitForLine(of: .standardOutput) { $0.hasPrefix("listening on ") }
            let port = try #require(line.text.split(separator: ":").last.flatMap { Int($0) })
            return try await body(RunningGateway(program: program, port: port))
        }
    }

    /// Makes a site with three serving gateways: "gateway", "second" and "third".
    static func withThreeGateways(
        _ kind: StorageKind, _ body: (Site, [RunningGateway]) async throws -> Void
    ) async throws {
        try await with(kind) { site in
            try site.makeGatewayHome("second")
            try site.makeGatewayHome("third")
            try await site.withGateway { first in
                try await site.withGateway(home: "second") { second in
                    try await site.withGateway(home: "third") { try await body(site, [first, second, $0]) }
                }
            }
        }
    }

    // MARK: Agents

    /// Makes an agent's home and adds its device to the list in each gateway's home.
    ///
    /// - Parameter prefix: prefix of the device's object keys. Most tests let their device write any key, so that the
    ///   key of an object is the path of its file.
    @discardableResult
    func makeAgent(
        _ name: String = "agent", port: Int, prefix: String = "", limits: [String] = [],
        gateways: [String] = ["gateway"]
    ) async throws -> AgentHandle {
        let program = try await run(
            try agentProgram,
            ["init", "--home", path(name), "--gateway", "127.0.0.1:\(port)", "--pin", try pin],
            within: Self.deadline)
        try #require(program.exitStatus == .exited(0), "\(program.transcript)")
        let fingerprint = try #require(program.lines(of: .standardOutput).last)
        for home in gateways {
            let added = ["device", "add", name, "--fingerprint", fingerprint, "--prefix", prefix]
            try await gateway(added + ["--home", path(home)] + limits)
        }
        return AgentHandle(home: path(name), program: try agentProgram)
    }

    // MARK: Files and objects

    /// Makes a file of seeded random bytes.
    func makeFile(_ name: String, bytes: Int, seed: UInt64 = 1) throws -> URL {
        let url = directory.appending(path: name)
        try FileManager.default.createDirectory(
            at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try SeededFile(seed: seed, byteCount: bytes).write(to: url)
        return url
    }

    /// Expects that the object under the key equals the file byte for byte.
    func expectObject(
        _ key: String, equals file: URL, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        #expect(
            try await storage.digest(of: key) == fileDigest(file), "the object is not the file",
            sourceLocation: sourceLocation)
    }

    func expectNoObject(_ key: String, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        #expect(try await storage.digest(of: key) == nil, sourceLocation: sourceLocation)
    }

    /// Expects that the store has no unfinished upload, no session record and no staged file.
    func expectNothingUnfinished(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        #expect(try await storage.unfinished() == [], "left in the store", sourceLocation: sourceLocation)
    }
}

/// A serving gateway.
struct RunningGateway {
    let program: Program
    let port: Int

    /// Waits for a line of the log that contains all these words. Also considers lines that were logged before the
    /// call.
    func waitForLog(of words: String...) async throws {
        try await program.waitForLine(of: .standardError, within: Site.deadline) { line in
            words.allSatisfy { line.contains($0) }
        }
    }
}

/// An agent's home with the program to run in it.
struct AgentHandle {
    let home: String
    let program: Executable

    /// Runs a command with `--json` to its end.
    func run(
        _ arguments: [String], exits status: Int32 = 0, within limit: Duration = Site.deadline,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> AgentRun {
        try await start(arguments) { running in
            let ended = try await running.waitForExit(within: limit)
            #expect(ended == .exited(status), "\(running.transcript)", sourceLocation: sourceLocation)
            return AgentRun(running)
        }
    }

    /// Starts a command with `--json` and runs `body` beside it. Kills all its remaining processes afterwards. With
    /// `--verbose`, a command that transfers files prints the progress of every part, which many tests wait for.
    func start<Success>(_ arguments: [String], _ body: (Program) async throws -> Success) async throws -> Success {
        let transfers = ["push", "resume", "abort"].contains(arguments.first)
        let options = ["--home", home, "--json"] + (transfers ? ["--verbose"] : [])
        return try await withProgram(program, arguments + options, body)
    }
}

/// The JSON output of a run of the agent.
struct AgentRun {
    struct Event: Decodable {
        var event: String
        var key: String?
        var number: UInt32?
        var sent: UInt64?
        var stored: UInt64?
        var size: UInt64?
        var files: Int?
        var failed: Int?
        var bytes: UInt64?
        var bytesSent: UInt64?
        var bytesResumed: UInt64?
        var wireBytes: UInt64?
        var checksumSha256: String?
        var root: String?
        var etag: String?
        var partSize: UInt64?
        var outcome: String?
        var message: String?
        var text: String?
        var skipped: Bool?
        var unchanged: Int?
    }

    let events: [Event]

    init(_ program: Program) {
        events = program.lines(of: .standardOutput).compactMap { Self.event($0) }
    }

    static func event(_ line: String) -> Event? {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        // Ignore a line that is no event, such as the incomplete last line of a killed run.
        return try? decoder.decode(Event.self, from: Data(line.utf8))
    }

    /// The summary of the run, which is the last line of its output.
    var summary: Event {
        get throws { try #require(events.last { $0.event == "summary" }) }
    }

    var outcomes: [String] { events.filter { $0.event == "finished" }.compactMap(\.outcome) }

    /// Numbers of the parts that this run reported as stored.
    var storedParts: Set<UInt32> {
        Set(events.filter { $0.event == "part" && ($0.stored ?? 0) > 0 }.compactMap(\.number))
    }

    /// Numbers of the parts of which this run sent bytes.
    var sentParts: Set<UInt32> {
        Set(events.filter { $0.event == "part" && $0.stored == 0 && ($0.sent ?? 0) > 0 }.compactMap(\.number))
    }

    var notes: [String] { events.filter { $0.event == "note" }.compactMap(\.text) }
}

extension Program {
    /// Waits until the agent has reported this number of parts as stored.
    func waitForStoredParts(_ count: Int) async throws {
        let seen = Watched(Set<UInt32>())
        try await waitForLine(of: .standardOutput, within: Site.deadline) { line in
            guard let event = AgentRun.event(line), event.event == "part", (event.stored ?? 0) > 0,
                let number = event.number
            else { return false }
            return seen.update { numbers in
                numbers.insert(number)
                return numbers.count >= count
            }
        }
    }
}

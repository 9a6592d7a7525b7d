import Foundation
import TestSupport
import Testing

/// What a user sees of a refusal: an exit code, an outcome word for programs, and one sentence for people.
struct Refusal: Sendable {
    /// Exit code of the agent that refuses.
    let status: Int32
    /// The word in the field `outcome` of the `--json` output.
    let outcome: String
    /// Pattern of the words in the sentence that say what happened.
    let cause: String
    /// Pattern of the words in the sentence that say what the user can do.
    let remedy: String

    init(_ status: Int32, _ outcome: String, _ cause: String, do remedy: String) {
        self.status = status
        self.outcome = outcome
        self.cause = cause
        self.remedy = remedy
    }

    /// Expects one readable sentence with the cause and the advice.
    func expect(_ text: String, sourceLocation: SourceLocation) throws {
        #expect(
            text.contains(try Regex(cause)), "does not say \(cause): \(text)", sourceLocation: sourceLocation)
        #expect(
            text.contains(try Regex(remedy)), "does not say what to do, \(remedy): \(text)",
            sourceLocation: sourceLocation)
        expectReadable(text, sourceLocation: sourceLocation)
    }
}

/// Expects a line that a user can read, without type names or error codes.
func expectReadable(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) {
    let noise = ["UploadFailure", "Error Domain", "Optional(", "SQLite error", "NSError", "errno", "UserInfo"]
    let found = noise.filter { text.contains($0) }
    #expect(found.isEmpty, "not for people, \(found): \(text)", sourceLocation: sourceLocation)
    let codes = text.matches(of: /\b[a-z]+_[a-z_]+\b/).map { String($0.output) }
    #expect(codes.isEmpty, "a code where words belong, \(codes): \(text)", sourceLocation: sourceLocation)
}

extension AgentRun {
    /// The events of files that were not stored.
    var refusals: [Event] { events.filter { $0.event == "finished" && $0.message != nil } }

    /// Expects exactly one refused file, with this refusal.
    func expectRefusal(_ refusal: Refusal, sourceLocation: SourceLocation = #_sourceLocation) throws {
        try #require(refusals.count == 1, "\(refusals)", sourceLocation: sourceLocation)
        #expect(refusals[0].outcome == refusal.outcome, sourceLocation: sourceLocation)
        try refusal.expect(try #require(refusals[0].message), sourceLocation: sourceLocation)
        #expect(try summary.failed == 1, sourceLocation: sourceLocation)
    }
}

extension AgentHandle {
    /// Runs a command with and without `--json`. Expects that each run refuses one file and reports it once.
    func expectRefusal(
        _ arguments: [String], _ refusal: Refusal, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let told = try await run(arguments, exits: refusal.status, sourceLocation: sourceLocation)
        try told.expectRefusal(refusal, sourceLocation: sourceLocation)
        try await expectRefusalForPeople(arguments, refusal, sourceLocation: sourceLocation)
    }

    /// Runs a command without `--json`. Expects that it refuses one file and reports that in one readable line.
    func expectRefusalForPeople(
        _ arguments: [String], _ refusal: Refusal, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let read = try await runForPeople(arguments)
        #expect(read.exitStatus == .exited(refusal.status), "\(read.transcript)", sourceLocation: sourceLocation)
        for line in read.lines { expectReadable(line.text, sourceLocation: sourceLocation) }
        let cause = try Regex(refusal.cause)
        // Skip earlier notes about waiting and comparing. They contain the cause too, but are not the refusal.
        let sentences = read.lines.map(\.text).filter {
            $0.contains(cause) && !$0.contains(": waiting: ") && !$0.hasSuffix(": comparing")
        }
        try #require(sentences.count == 1, "\(read.transcript)", sourceLocation: sourceLocation)
        try refusal.expect(sentences[0], sourceLocation: sourceLocation)
    }

    /// Runs a command that fails before it examines any file. Expects one readable line on standard error and no other
    /// output.
    func expectRefusalAtOnce(
        _ arguments: [String], _ refusal: Refusal, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let read = try await runForPeople(arguments)
        #expect(read.exitStatus == .exited(refusal.status), "\(read.transcript)", sourceLocation: sourceLocation)
        try #require(read.lines.count == 1, "\(read.transcript)", sourceLocation: sourceLocation)
        #expect(read.lines[0].output == .standardError, sourceLocation: sourceLocation)
        try refusal.expect(read.lines[0].text, sourceLocation: sourceLocation)
    }

    /// Runs a push that ends before it has taken up all its files. Expects that each file has an outcome or counts as
    /// not begun, and that only a bounded number of files has this failure as its outcome.
    ///
    /// - Parameters:
    ///   - failure: the failure that ends the run.
    ///   - body: runs beside the push.
    func expectEnding(
        _ arguments: [String], _ failure: String, exits status: Int32, files: Int,
        _ body: (Program) async throws -> Void
    ) async throws {
        try await start(arguments) { program in
            try await body(program)
            let ended = try await program.waitForExit(within: Site.deadline)
            #expect(ended == .exited(status), "\(program.transcript)")
            let outcomes = AgentRun(program).outcomes
            // The run takes up 256 files at once, and may have examined a few more.
            #expect(outcomes.count { $0 == failure } <= 400, "\(outcomes.count)")
            let line = try #require(program.lines(of: .standardOutput).last)
            let summary = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            #expect(summary["ended"] as? String == failure, "\(line)")
            #expect(summary["files"] as? Int == outcomes.count, "\(line)")
            #expect(summary["not_begun"] as? Int == files - outcomes.count, "\(line)")
        }
    }

    /// Runs a command without `--json` and waits for its end.
    func runForPeople(_ arguments: [String]) async throws -> Program {
        try await TestSupport.run(program, arguments + ["--home", home], within: Site.deadline)
    }

    /// Waits until `status` prints this text.
    func waitUntilStatus(says text: String) async throws {
        try await withDeadline(Site.deadline, "status to say: \(text)") {
            var told = ""
            while !told.contains(text) { told = try await runForPeople(["status"]).transcript }
        }
    }

    /// The unfinished uploads, one in each line that `status` prints.
    func unfinished() async throws -> [String] {
        let status = try await runForPeople(["status"])
        #expect(status.exitStatus == .exited(0), "\(status.transcript)")
        return status.lines(of: .standardOutput).filter { $0.first?.isNumber == true }
    }
}

extension Site {
    /// Makes a shell script that runs `command` with the arguments of the script.
    func script(_ name: String, running command: String) throws -> Executable {
        let url = directory.appending(path: name)
        try Data("#!/bin/sh\n\(command) \"$@\"\n".utf8).write(to: url)
        let path = url.path(percentEncoded: false)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
        return Executable(path: path)
    }

    /// Runs a shell command in the site's directory.
    func shell(_ line: String) async throws {
        let program = try await run(
            Self.shell, ["-c", line], workingDirectory: directory, within: Self.deadline)
        try #require(program.exitStatus == .exited(0), "\(program.transcript)")
    }

    /// The agent, run by an unprivileged user. This user may open only files that are open to everyone, and gets no
    /// lease on files of other users.
    func unprivileged(_ agent: AgentHandle) async throws -> AgentHandle {
        // A user other than root is unprivileged already.
        guard geteuid() == 0 else { return agent }
        try FileManager.default.setAttributes([.posixPermissions: 0o711], ofItemAtPath: path(""))
        // The user may have no access to the directory of the built program, so the test copies it.
        let program = path("program")
        try FileManager.default.copyItem(atPath: agent.program.path, toPath: program)
        try await shell("chown -R 65534:65534 '\(agent.home)'")
        let command = "exec setpriv --reuid=65534 --regid=65534 --clear-groups '\(program)'"
        return AgentHandle(home: agent.home, program: try script("as an unprivileged user", running: command))
    }
}

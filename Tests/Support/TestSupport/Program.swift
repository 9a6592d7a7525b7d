package import Foundation

/// A program that runs as a process of its own, for tests of what is only true of processes.
///
/// Both outputs are read as they come, so the program never blocks on a full pipe. Its standard input is empty. It gets
/// a process group of its own, and what is left of the group is killed when the program ends or the scope does.
/// Should the test process itself die, the system kills the program.
package final class Program: Sendable {
    /// Where a line was printed.
    package enum Output: CaseIterable, Sendable {
        case standardOutput
        case standardError
    }

    /// A line that was printed, without its end.
    package struct Line: Sendable {
        /// Counts the lines of both outputs from 0 in the order in which they were read.
        package let index: Int
        package let output: Output
        package let text: String
    }

    /// How a program ended.
    package enum ExitStatus: Equatable, Sendable {
        case exited(Int32)
        case killed(signal: Int32)
    }

    package let executable: Executable
    package let processID: pid_t

    private let child: ChildProcess

    private init(executable: Executable, child: ChildProcess) {
        self.executable = executable
        self.processID = child.processID
        self.child = child
    }

    deinit {
        child.send(signal: SIGKILL)
    }

    /// Starts a program. ``withProgram(_:_:environment:workingDirectory:_:)`` does this and ends it in time.
    /// - Parameter environment: the whole of it; ``environment(adding:)`` makes one.
    package static func start(
        _ executable: Executable, _ arguments: [String] = [],
        environment: [String: String] = Program.environment(), workingDirectory: URL? = nil
    ) async throws -> Program {
        let child = try await ChildProcess.start(
            Launch(
                path: executable.path, arguments: arguments, environment: environment,
                workingDirectory: workingDirectory?.path(percentEncoded: false)))
        return Program(executable: executable, child: child)
    }

    /// The few variables that programs need anywhere, what the sanitizers they may be built with are told, and those
    /// given. Nothing else of the test's own environment reaches the program, so that a developer's settings cannot
    /// decide a test.
    package static func environment(adding variables: [String: String] = [:]) -> [String: String] {
        let own = ProcessInfo.processInfo.environment
        let names = ["PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "ASAN_OPTIONS", "TSAN_OPTIONS"]
        let kept = names.compactMap { name in own[name].map { (name, $0) } }
        return Dictionary(uniqueKeysWithValues: kept).merging(variables) { _, given in given }
    }

    // MARK: - What it prints

    /// All lines so far.
    package var lines: [Line] { child.record.current.lines }

    /// The texts of the lines that one output printed so far.
    package func lines(of output: Output) -> [String] {
        lines.filter { $0.output == output }.map(\.text)
    }

    /// Everything printed so far, for the comment of an expectation.
    package var transcript: String { child.record.current.transcript }

    /// Waits for a line, looking at those that were printed before, too.
    /// - Parameters:
    ///   - previous: only lines after this one count.
    ///   - output: only lines of this output count.
    /// - Throws: ``EndedEarly`` where the program ends without it, ``DeadlineExceeded``, `CancellationError`.
    @discardableResult
    package func waitForLine(
        after previous: Line? = nil, of output: Output? = nil, within limit: Duration = .seconds(30),
        where wanted: @escaping @Sendable (String) -> Bool
    ) async throws -> Line {
        let record = child.record
        let first = previous.map { $0.index + 1 } ?? 0
        let name = executable.path
        return try await withDeadline(
            limit, "a line of \(name)", detail: { record.current.transcript },
            {
                try await record.wait { record in
                    let line = record.lines.dropFirst(first).first { line in
                        (output == nil || line.output == output) && wanted(line.text)
                    }
                    if line == nil, let status = record.finalStatus {
                        throw EndedEarly(program: name, status: status, transcript: record.transcript)
                    }
                    return line
                }
            })
    }

    // MARK: - How it ends

    /// `nil` while it runs.
    package var exitStatus: ExitStatus? { child.record.current.status }

    /// Sends a signal. A program that has ended gets none, and neither does one that was given its number since.
    package func kill(_ signal: Int32) {
        child.send(signal: signal)
    }

    /// Waits until the program has ended and all that it printed has been read.
    @discardableResult
    package func waitForExit(within limit: Duration = .seconds(30)) async throws -> ExitStatus {
        let record = child.record
        return try await withDeadline(
            limit, "\(executable.path) to end", detail: { record.current.transcript },
            {
                try await record.wait { $0.finalStatus }
            })
    }

    // MARK: - What it uses

    /// The most memory that was ever resident at once. It is read every twentieth of a second; after the end it is the
    /// last value. A program that becomes another one (`exec`) begins anew.
    package var peakMemoryBytes: Int { child.peakMemoryBytes }

    /// Time spent on processors in user and kernel mode; after the end, that of its children which it waited for, too.
    package var processorSeconds: Double { child.processorSeconds }

    /// Open descriptors; 0 after the end.
    package var openDescriptorCount: Int { child.openDescriptorCount }
}

/// A program ended without doing what was waited for.
package struct EndedEarly: Error, CustomStringConvertible {
    package let program: String
    package let status: Program.ExitStatus
    package let transcript: String

    package var description: String { "\(program) ended (\(status)) before it printed the line\n\(transcript)" }
}

/// Runs `body` with a program, and kills what is left of it whatever happens.
package func withProgram<Success>(
    _ executable: Executable, _ arguments: [String] = [],
    environment: [String: String] = Program.environment(), workingDirectory: URL? = nil,
    _ body: (Program) async throws -> Success
) async throws -> Success {
    let program = try await Program.start(
        executable, arguments, environment: environment, workingDirectory: workingDirectory)
    let result: Result<Success, any Error>
    do {
        result = .success(try await body(program))
    } catch {
        result = .failure(error)
    }
    program.kill(SIGKILL)
    try await program.waitForExit()
    return try result.get()
}

/// Runs a program to its end and returns it for what it printed and how it ended.
package func run(
    _ executable: Executable, _ arguments: [String] = [],
    environment: [String: String] = Program.environment(), workingDirectory: URL? = nil,
    within limit: Duration = .seconds(30)
) async throws -> Program {
    try await withProgram(executable, arguments, environment: environment, workingDirectory: workingDirectory) {
        program in
        try await program.waitForExit(within: limit)
        return program
    }
}

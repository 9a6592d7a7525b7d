package import Foundation

/// A program in a child process, for tests that need real processes.
///
/// Both outputs are read continuously, so the program never blocks on a full pipe. Its standard input is empty. The
/// program has its own process group, and the rest of the group is killed when the program exits or its scope ends. If
/// the test process dies, the kernel kills the program.
package final class Program: Sendable {
    /// The output that a line was printed to.
    package enum Output: CaseIterable, Sendable {
        case standardOutput
        case standardError
    }

    /// A printed line without its line feed.
    package struct Line: Sendable {
        /// Position among the lines of both outputs, from 0, in the order of reading.
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

    /// Starts a program, which the caller has to end. ``withProgram(_:_:environment:workingDirectory:_:)`` does both.
    /// - Parameter environment: the complete environment; see ``environment(adding:)``.
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

    /// The environment for a program: a few required variables, the options of sanitizers, and the given variables.
    /// Other variables of the test process are not passed on, so that a developer's settings cannot influence a test.
    package static func environment(adding variables: [String: String] = [:]) -> [String: String] {
        let own = ProcessInfo.processInfo.environment
        let names = ["PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "ASAN_OPTIONS", "TSAN_OPTIONS"]
        let kept = names.compactMap { name in own[name].map { (name, $0) } }
        return Dictionary(uniqueKeysWithValues: kept).merging(variables) { _, given in given }
    }

    // MARK: - Output

    /// All lines printed so far.
    package var lines: [Line] { child.record.current.lines }

    /// The lines that one output has printed so far.
    package func lines(of output: Output) -> [String] {
        lines.filter { $0.output == output }.map(\.text)
    }

    /// Everything printed so far, for the message of an expectation.
    package var transcript: String { child.record.current.transcript }

    /// Waits for a line. Also considers lines that were printed before the call.
    /// - Parameters:
    ///   - previous: considers only lines after this one.
    ///   - output: considers only lines of this output.
    /// - Throws: ``EndedEarly`` if the program exits without the line, ``DeadlineExceeded``, `CancellationError`.
    @discardableResult
    package func waitForLine(
        after previous: Line? = nil, of output: Output? = nil, within limit: Duration = .seconds(120),
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

    // MARK: - Exit

    /// The exit status; `nil` while the program runs.
    package var exitStatus: ExitStatus? { child.record.current.status }

    /// Sends a signal. Does nothing after the program's exit, even if the process ID was reused.
    package func kill(_ signal: Int32) {
        child.send(signal: signal)
    }

    /// Waits until the program has exited and all its output has been read.
    @discardableResult
    package func waitForExit(within limit: Duration = .seconds(120)) async throws -> ExitStatus {
        let record = child.record
        return try await withDeadline(
            limit, "\(executable.path) to end", detail: { record.current.transcript },
            {
                try await record.wait { $0.finalStatus }
            })
    }

    // MARK: - Resource usage

    /// Peak resident memory in bytes, sampled every 50 ms. After the exit it is the last sample. The measurement starts
    /// again at an `exec`.
    package var peakMemoryBytes: Int { child.peakMemoryBytes }

    /// CPU time in user and kernel mode in seconds. After the exit it includes children that the program has waited
    /// for.
    package var processorSeconds: Double { child.processorSeconds }

    /// Number of open descriptors; 0 after the exit.
    package var openDescriptorCount: Int { child.openDescriptorCount }
}

/// The error for a program that exited before an awaited event.
package struct EndedEarly: Error, CustomStringConvertible {
    package let program: String
    package let status: Program.ExitStatus
    package let transcript: String

    package var description: String { "\(program) ended (\(status)) before it printed the line\n\(transcript)" }
}

/// Runs `body` with a program, and always kills the rest of its process group.
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

/// Runs a program to its exit. The returned value has its output and its exit status.
package func run(
    _ executable: Executable, _ arguments: [String] = [],
    environment: [String: String] = Program.environment(), workingDirectory: URL? = nil,
    within limit: Duration = .seconds(120)
) async throws -> Program {
    try await withProgram(executable, arguments, environment: environment, workingDirectory: workingDirectory) {
        program in
        try await program.waitForExit(within: limit)
        return program
    }
}

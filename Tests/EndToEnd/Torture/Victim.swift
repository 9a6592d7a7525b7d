import Foundation
import SeededRandom
import Synchronization
import TestSupport

/// A program that is restarted repeatedly and may be stopped or killed at any time.
final class Victim: Sendable {
    private struct State {
        var generator: SeededGenerator
        var program: Program?
        var startedAt = ContinuousClock.now
        var isReady = false
        var isStopped = false
        /// `nil` if the process was not killed.
        var killedIn: Tally.Phase?
        /// How long the last start took. A kill during the next start comes at a random time within this duration.
        var startDuration = Duration.milliseconds(60)
        var isSpared = false
    }

    /// How a process ended.
    enum Ending: Equatable {
        case killed
        case exited(Int32)
        /// A signal that the torture program did not send has ended the process.
        case crashed(signal: Int32)
        /// The process did not end in time, and was killed.
        case hung
    }

    private static let startKillPercent = 11
    /// Time that an agent needs to read its home and start connecting on a busy machine.
    private static let agentStartMax = Duration.milliseconds(250)
    /// A process that runs longer than this hangs: no batch takes so long, even with faults.
    private static let lifeMax = Duration.seconds(400)

    let role: Tally.Role
    let name: String
    private let executable: Executable
    private let environment: [String: String]
    private let log: Log
    private let tally: Tally
    private let state: Mutex<State>

    init(
        _ role: Tally.Role, name: String, executable: Executable, environment: [String: String], log: Log,
        tally: Tally, seed: UInt64
    ) {
        self.role = role
        self.name = name
        self.executable = executable
        self.environment = Program.environment(adding: environment)
        self.log = log
        self.tally = tally
        self.state = Mutex(State(generator: SeededGenerator(seed: seed)))
    }

    /// Runs one process of the program to its end.
    ///
    /// - Parameters:
    ///   - isReady: called with each line of standard output; returns `true` for the line that ends the start.
    ///   - onReady: called with the line for which `isReady` returned `true`.
    func run(
        _ arguments: [String], isReady: @escaping @Sendable (String) -> Bool = { _ in true },
        onReady: @escaping @Sendable (String) async throws -> Void = { _ in }
    ) async throws -> (ending: Ending, program: Program) {
        let program = try await Program.start(executable, arguments, environment: environment)
        began(program)
        let readiness = Task {
            // The wait fails if the process ends before it is ready. The exit status then shows the reason.
            guard let line = try? await program.waitForLine(of: .standardOutput, within: Self.lifeMax, where: isReady)
            else { return }
            self.state.withLock { state in
                guard state.killedIn == nil else { return }
                state.isReady = true
                state.startDuration = ContinuousClock.now - state.startedAt
            }
            try await onReady(line.text)
        }
        let ending = await end(of: program)
        readiness.cancel()
        if case .failure(let error) = await readiness.result, !(error is CancellationError) { throw error }
        try log.write(name, arguments, program, "\(ending)")
        tell(ending, program)
        return (ending, program)
    }

    private func began(_ program: Program) {
        let delay: Duration? = state.withLock { state in
            state.program = program
            state.startedAt = .now
            (state.isReady, state.isStopped, state.killedIn) = (false, false, nil)
            guard !state.isSpared, Int.random(in: 0..<100, using: &state.generator) < Self.startKillPercent else {
                return nil
            }
            return state.startDuration * Double.random(in: 0...1, using: &state.generator)
        }
        tally.count { $0.starts[role, default: 0] += 1 }
        guard let delay else { return }
        Task {
            await pause(delay)
            kill(program)
        }
    }

    private func end(of program: Program) async -> Ending {
        let status: Program.ExitStatus
        do {
            // A gateway runs until it is terminated.
            status = try await program.waitForExit(within: role == .gateway ? .seconds(86_400) : Self.lifeMax)
        } catch {
            program.kill(SIGKILL)
            return .hung
        }
        let killedIn = state.withLock { state in
            state.program = nil
            return state.killedIn
        }
        switch status {
        case .killed(SIGKILL) where killedIn != nil:
            tally.count { $0.kills[.init(role: role, phase: killedIn ?? .work), default: 0] += 1 }
            return .killed
        case .killed(let signal): return .crashed(signal: signal)
        case .exited(let code): return .exited(code)
        }
    }

    private func tell(_ ending: Ending, _ program: Program) {
        switch ending {
        case .killed: break
        case .exited(let code): tally.count { $0.endings["\(role.rawValue) exits \(code)", default: 0] += 1 }
        case .crashed(let signal):
            tally.violation("\(name) crashed by signal \(signal)\n\(program.transcript.suffix(2_000))")
        case .hung: tally.violation("\(name) does not end\n\(program.transcript.suffix(2_000))")
        }
        let errors = program.lines(of: .standardError)
        for line in errors where line.contains("Fatal error") || line.contains("Crash") {
            tally.violation("\(name): \(line)")
        }
    }

    /// Kills the present process.
    ///
    /// - Parameter program: the process to kill if it is still the present one; `nil` for any present process.
    /// - Returns: whether a process was killed.
    @discardableResult
    func kill(_ program: Program? = nil) -> Bool {
        state.withLock { state in
            guard let running = state.program, program == nil || running === program, state.killedIn == nil,
                running.exitStatus == nil, !state.isSpared || state.isStopped
            else { return false }
            // If the network is down, an agent may work for long before its first output.
            let isOld = role == .agent && ContinuousClock.now - state.startedAt > Self.agentStartMax
            state.killedIn = state.isStopped ? .stop : state.isReady || isOld ? .work : .start
            running.kill(SIGKILL)
            return true
        }
    }

    /// Suspends or resumes the victim's process, if one is running.
    func setStopped(_ isStopped: Bool) {
        state.withLock { state in
            guard let running = state.program, state.isStopped != isStopped, !isStopped || !state.isSpared else {
                return
            }
            state.isStopped = isStopped
            running.kill(isStopped ? SIGSTOP : SIGCONT)
        }
    }

    /// Protects the process from kills and stops, or ends this protection.
    func spare(_ isSpared: Bool = true) {
        state.withLock { $0.isSpared = isSpared }
    }

    /// Sends SIGTERM to the present process, if one is running.
    func terminate() {
        state.withLock { $0.program?.kill(SIGTERM) }
    }
}

/// The output of a site's processes, which is kept if a violation occurred.
struct Log: Sendable {
    let directory: URL
    private let lock = LogLock()

    init(directory: URL) throws {
        self.directory = directory
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    }

    func write(_ name: String, _ arguments: [String], _ program: Program, _ ending: String) throws {
        let text = "\n==== \(Date.now) \(arguments.joined(separator: " "))\n\(program.transcript)\n==== \(ending)\n"
        try lock.append(text, to: directory.appending(path: "\(name).log"))
    }
}

private final class LogLock: Sendable {
    private let mutex = Mutex(())

    func append(_ text: String, to file: URL) throws {
        try mutex.withLock { _ in
            guard let handle = FileHandle(forWritingAtPath: file.path(percentEncoded: false)) else {
                return try Data(text.utf8).write(to: file)
            }
            try handle.seekToEnd()
            try handle.write(contentsOf: Data(text.utf8))
            try handle.close()
        }
    }
}

/// Waits for a time that the caller has drawn at random. Here the sleep itself is the purpose.
func pause(_ duration: Duration) async {
    // If the task is cancelled, the sleep ends early. The caller checks for the cancellation.
    try? await Task.sleep(for: duration)
}

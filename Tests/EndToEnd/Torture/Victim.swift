import Foundation
import SeededRandom
import Synchronization
import TestSupport

/// A program that is started again and again, and may be stopped or killed at any moment of its life.
final class Victim: Sendable {
    private struct State {
        var generator: SeededGenerator
        var program: Program?
        var startedAt = ContinuousClock.now
        var isReady = false
        var isStopped = false
        /// Set once it is killed: what it was at.
        var killedIn: Tally.Phase?
        /// How long the last start took, for kills during the next one.
        var startDuration = Duration.milliseconds(60)
        var isSpared = false
    }

    /// How a process has ended.
    enum Ending: Equatable {
        case killed
        case exited(Int32)
        /// By a signal that nobody here sent.
        case crashed(signal: Int32)
        /// It did not end in time, and was killed.
        case hung
    }

    /// Of 100 starts, so many are cut short.
    private static let startKillPercent = 11
    /// What an agent needs to read its home and begin to connect, on a busy machine.
    private static let agentStartMax = Duration.milliseconds(250)
    /// Longer than any upload of a batch takes under faults.
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
    ///   - isReady: told every line of its standard output; true for the one with which its start is over.
    ///   - onReady: told that line.
    func run(
        _ arguments: [String], isReady: @escaping @Sendable (String) -> Bool = { _ in true },
        onReady: @escaping @Sendable (String) async throws -> Void = { _ in }
    ) async throws -> (ending: Ending, program: Program) {
        let program = try await Program.start(executable, arguments, environment: environment)
        began(program)
        let readiness = Task {
            // Fails where the process ends without becoming ready, which its ending tells.
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
            // A gateway lives until it is told to end.
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

    /// Kills the process of now.
    ///
    /// - Parameter program: only if it is this one.
    /// - Returns: whether there was one.
    @discardableResult
    func kill(_ program: Program? = nil) -> Bool {
        state.withLock { state in
            guard let running = state.program, program == nil || running === program, state.killedIn == nil,
                running.exitStatus == nil, !state.isSpared || state.isStopped
            else { return false }
            // An agent without a link may be long at work before it has anything to tell.
            let isOld = role == .agent && ContinuousClock.now - state.startedAt > Self.agentStartMax
            state.killedIn = state.isStopped ? .stop : state.isReady || isOld ? .work : .start
            running.kill(SIGKILL)
            return true
        }
    }

    /// Stops the process of now, or lets it go on.
    func setStopped(_ isStopped: Bool) {
        state.withLock { state in
            guard let running = state.program, state.isStopped != isStopped, !isStopped || !state.isSpared else {
                return
            }
            state.isStopped = isStopped
            running.kill(isStopped ? SIGSTOP : SIGCONT)
        }
    }

    /// From now on nobody is killed or stopped here, or everybody again.
    func spare(_ isSpared: Bool = true) {
        state.withLock { $0.isSpared = isSpared }
    }

    /// Asks the process of now to end.
    func terminate() {
        state.withLock { $0.program?.kill(SIGTERM) }
    }
}

/// What the processes of a site printed, kept where something was wrong.
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

/// One writer at a time.
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

/// Lets time pass: a torturer's moments are drawn, not waited for.
func pause(_ duration: Duration) async {
    // Cancelled while asleep: whoever waits looks for himself.
    try? await Task.sleep(for: duration)
}

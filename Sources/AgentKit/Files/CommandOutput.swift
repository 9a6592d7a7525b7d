import FoundationEssentials
import Synchronization
package import TransferCore

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// A child program whose standard output is uploaded. The child inherits standard input and standard error.
package final class CommandOutput: Sendable {
    /// Reading end of the pipe from the program's standard output.
    package let descriptor: Int32
    private let process: pid_t
    private let name: String
    private let ending = Ending()

    /// Interval, in milliseconds, between two checks whether the program has exited. A program may close its output
    /// some time before it exits.
    private static let pause: Int32 = 20

    /// Starts a program, which the system looks up in `PATH`.
    ///
    /// - Parameter command: name and arguments of the program.
    package static func start(_ command: [String]) throws(UploadFailure) -> CommandOutput {
        let name = command.first ?? ""
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw .cannotStart(name, errno) }
        defer { close(ends[1]) }
        for end in ends where fcntl(end, F_SETFD, FD_CLOEXEC) != 0 {
            let number = errno
            close(ends[0])
            throw .cannotStart(name, number)
        }
        do throws(UploadFailure) {
            return CommandOutput(descriptor: ends[0], process: try spawn(command, output: ends[1]), name: name)
        } catch {
            close(ends[0])
            throw error
        }
    }

    private init(descriptor: Int32, process: pid_t, name: String) {
        (self.descriptor, self.process, self.name) = (descriptor, process, name)
    }

    deinit {
        close(descriptor)
        // Nothing reads the program's output any more, so its next write would end it with SIGPIPE.
        if ending.status(of: process) == nil { kill(process, SIGTERM) }
    }

    /// Sends SIGTERM to the program if it still runs.
    func stop() {
        if ending.status(of: process) == nil { kill(process, SIGTERM) }
    }

    /// Waits until the program has exited.
    ///
    /// - Parameter isStopped: called repeatedly while the method waits; `true` ends the wait.
    /// - Throws: `incomplete` if the program failed, `stopped` if `isStopped` returned true.
    func waitForSuccess(unless isStopped: () -> Bool) throws(UploadFailure) {
        while !isStopped() {
            guard let status = ending.status(of: process) else {
                poll(nil, 0, Self.pause)
                continue
            }
            let signal = status & 0x7F
            guard signal == 0 else { throw .incomplete("the command \(name) was ended by signal \(signal)") }
            let code = (status >> 8) & 0xFF
            guard code == 0 else { throw .incomplete("the command \(name) ended with exit status \(code)") }
            return
        }
        throw UploadFailure.interrupted
    }

    private static func spawn(_ command: [String], output: Int32) throws(UploadFailure) -> pid_t {
        let name = command.first ?? ""
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        var result = posix_spawn_file_actions_init(&actions)
        guard result == 0 else { throw .cannotStart(name, result) }
        defer { posix_spawn_file_actions_destroy(&actions) }
        result = posix_spawnattr_init(&attributes)
        guard result == 0 else { throw .cannotStart(name, result) }
        defer { posix_spawnattr_destroy(&attributes) }
        // The child must not inherit signals that this process ignores or blocks.
        var none = sigset_t()
        var all = sigset_t()
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF))
        result = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
        guard result == 0 else { throw .cannotStart(name, result) }
        let words = command.map { strdup($0) } + [nil]
        let variables = ProcessInfo.processInfo.environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in words + variables { free(text) } }
        var process: pid_t = 0
        result = posix_spawnp(&process, name, &actions, &attributes, words, variables)
        guard result == 0 else { throw .cannotStart(name, result) }
        return process
    }
}

/// The exit status of a child process. Calls `waitpid` until the call succeeds, and never again: from then on the
/// system may give the process ID to another process.
private final class Ending: Sendable {
    private let known = Mutex<Int32?>(nil)

    /// Status as `waitpid` returns it; `nil` while the process runs.
    func status(of process: pid_t) -> Int32? {
        known.withLock { known in
            if known == nil {
                var status: Int32 = 0
                switch waitpid(process, &status, WNOHANG) {
                case process: known = status
                case -1 where errno == ECHILD: known = Self.unknown
                default: break
                }
            }
            return known
        }
    }

    /// The status that is used if other code in this process has called `waitpid` for the child. The real status is
    /// lost, so it counts as a failure.
    private static let unknown: Int32 = 0xFF << 8
}

extension UploadFailure {
    fileprivate static func cannotStart(_ name: String, _ number: Int32) -> UploadFailure {
        UploadFailure(
            .unreadable,
            "the command \(name) cannot be started (\(systemMessage(number))); check its name and its permissions")
    }
}

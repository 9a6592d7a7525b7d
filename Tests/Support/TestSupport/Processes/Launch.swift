import Foundation

/// How to start a child process.
struct Launch: Sendable {
    let path: String
    let arguments: [String]
    let environment: [String: String]
    let workingDirectory: String?

    /// The command line. The program comes last, after wrapper programs. Each of these sets something up and then
    /// executes the program that follows it.
    private var command: [String] {
        var command: [String] = []
        #if os(Linux)
            // Only a process itself can ask the kernel to kill it when its parent dies. `setpriv` asks, and then
            // executes the program.
            command += ["setpriv", "--pdeathsig", "KILL", "--"]
        #endif
        if let workingDirectory {
            command += ["env", "--chdir=\(workingDirectory)"]
        }
        return command + [path] + arguments
    }

    /// Spawns the process in its own process group, with an empty standard input and with the two descriptors as its
    /// outputs. The process inherits no other descriptor. No signal is blocked or ignored in it. On Linux the kernel
    /// kills the process when the calling thread ends.
    func spawn(standardOutput: CInt, standardError: CInt) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        try check("posix_spawn_file_actions_init", posix_spawn_file_actions_init(&actions))
        defer { posix_spawn_file_actions_destroy(&actions) }
        try prepare(&actions, standardOutput: standardOutput, standardError: standardError)

        var attributes = posix_spawnattr_t()
        try check("posix_spawnattr_init", posix_spawnattr_init(&attributes))
        defer { posix_spawnattr_destroy(&attributes) }
        try prepare(&attributes)

        var processID: pid_t = 0
        let variables = environment.map { "\($0.key)=\($0.value)" }
        let command = command
        let result = withCStrings(command) { words in
            withCStrings(variables) { variables in
                posix_spawnp(&processID, command[0], &actions, &attributes, words, variables)
            }
        }
        try check("posix_spawnp \(command[0])", result)
        return processID
    }

    private func prepare(
        _ actions: inout posix_spawn_file_actions_t, standardOutput: CInt, standardError: CInt
    ) throws {
        try check("addopen", posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0))
        try check("adddup2", posix_spawn_file_actions_adddup2(&actions, standardOutput, 1))
        try check("adddup2", posix_spawn_file_actions_adddup2(&actions, standardError, 2))
        // Sockets may lack close-on-exec, and a copy in the child would keep the connection open. Closing an unused
        // descriptor number is harmless.
        for descriptor in 3..<max(256, try highestDescriptor() + 64) {
            try check("addclose", posix_spawn_file_actions_addclose(&actions, descriptor))
        }
    }

    private func highestDescriptor() throws -> CInt {
        try FileManager.default.contentsOfDirectory(atPath: "/dev/fd").compactMap { CInt($0) }.max() ?? 2
    }

    private func prepare(_ attributes: inout posix_spawnattr_t) throws {
        var signals = sigset_t()
        sigemptyset(&signals)
        try check("setsigmask", posix_spawnattr_setsigmask(&attributes, &signals))
        sigfillset(&signals)
        try check("setsigdefault", posix_spawnattr_setsigdefault(&attributes, &signals))
        try check("setpgroup", posix_spawnattr_setpgroup(&attributes, 0))
        let flags = Int16(POSIX_SPAWN_SETPGROUP) | Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF)
        try check("setflags", posix_spawnattr_setflags(&attributes, flags))
    }
}

/// For calls that return an error number instead of setting `errno`.
private func check(_ call: String, _ result: CInt) throws {
    guard result == 0 else { throw SystemCallFailure(call, code: result) }
}

private func withCStrings<Result>(
    _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
) -> Result {
    let copies = strings.map { strdup($0) }
    defer {
        for copy in copies { free(copy) }
    }
    return body(copies + [nil])
}

import TestSupport
import Testing

/// Runs a program of the system to its end, for comparing with what the rest of the world computes.
/// - Returns: the lines of its standard output.
func output(of name: String, _ arguments: String...) async throws -> [String] {
    let program = try await run(Executable.inSearchPath(name), arguments)
    try #require(program.exitStatus == .exited(0), "\(name) \(arguments): \(program.transcript)")
    return program.lines(of: .standardOutput)
}

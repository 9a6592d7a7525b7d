/// The error for a system program that failed.
struct ProgramFailed: Error, CustomStringConvertible {
    let call: String
    let transcript: String

    var description: String { "\(call) failed:\n\(transcript)" }
}

/// Runs a system program to its exit, for comparison with independent implementations.
/// - Returns: the lines of its standard output.
/// - Throws: ``ProgramFailed`` also if the exit code is not 0.
@discardableResult
package func output(of name: String, _ arguments: String...) async throws -> [String] {
    try await output(of: name, arguments)
}

/// Like `output(of:_:)`, with the arguments in an array.
@discardableResult
package func output(of name: String, _ arguments: [String]) async throws -> [String] {
    let program = try await run(Executable.inSearchPath(name), arguments)
    guard program.exitStatus == .exited(0) else {
        throw ProgramFailed(call: "\(name) \(arguments)", transcript: program.transcript)
    }
    return program.lines(of: .standardOutput)
}

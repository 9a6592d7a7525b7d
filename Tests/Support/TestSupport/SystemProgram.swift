/// A program of the system did not do what it was called for.
struct ProgramFailed: Error, CustomStringConvertible {
    let call: String
    let transcript: String

    var description: String { "\(call) failed:\n\(transcript)" }
}

/// Runs a program of the system to its end, for comparing with what the rest of the world computes.
/// - Returns: the lines of its standard output.
/// - Throws: also where it exits with another code than 0.
@discardableResult
package func output(of name: String, _ arguments: String...) async throws -> [String] {
    try await output(of: name, arguments)
}

/// The same, with arguments that are at hand in an array.
@discardableResult
package func output(of name: String, _ arguments: [String]) async throws -> [String] {
    let program = try await run(Executable.inSearchPath(name), arguments)
    guard program.exitStatus == .exited(0) else {
        throw ProgramFailed(call: "\(name) \(arguments)", transcript: program.transcript)
    }
    return program.lines(of: .standardOutput)
}

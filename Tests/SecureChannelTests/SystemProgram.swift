import Foundation
import TestSupport
import Testing

extension Executable {
    /// A program of the system, looked up in the search path.
    /// - Throws: ``ProgramMissing``: a test that needs it fails and is not skipped.
    static func inSearchPath(_ name: String) throws -> Executable {
        let directories = ProcessInfo.processInfo.environment["PATH", default: ""].split(separator: ":")
        let path = directories.map { "\($0)/\(name)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
        guard let path else { throw ProgramMissing(name: name) }
        return Executable(path: path)
    }
}

/// A program that the tests compare with is not installed.
struct ProgramMissing: Error, CustomStringConvertible {
    let name: String

    var description: String { "no program \(name) in the search path: install it" }
}

/// Runs a program of the system to its end, for comparing with what the rest of the world computes.
/// - Returns: the lines of its standard output.
func output(of name: String, _ arguments: String...) async throws -> [String] {
    let program = try await run(Executable.inSearchPath(name), arguments)
    try #require(program.exitStatus == .exited(0), "\(name) \(arguments): \(program.transcript)")
    return program.lines(of: .standardOutput)
}

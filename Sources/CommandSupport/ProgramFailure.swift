package import ArgumentParser
import Foundation

extension AsyncParsableCommand {
    /// Parses the process's arguments, runs the command that they name, and ends the process.
    ///
    /// - Parameter explain: returns an exit code and a sentence for a person if it knows the error. For other errors it
    ///   returns `nil`, and their own description is printed.
    package static func runProcess(
        explain: (any Error) -> (exitCode: Int32, sentence: String)?
    ) async -> Never {
        if let typo = CommandTypo(arguments: CommandLine.arguments.dropFirst(), of: configuration) {
            FileHandle.standardError.write(Data("\(_commandName): \(typo.sentence(program: _commandName))\n".utf8))
            exit(withError: ExitCode(64))
        }
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
            exit(withError: nil)
        } catch {
            guard let (exitCode, sentence) = explain(error) else { exit(withError: error) }
            FileHandle.standardError.write(Data("\(_commandName): \(sentence)\n".utf8))
            exit(withError: ExitCode(exitCode))
        }
    }
}

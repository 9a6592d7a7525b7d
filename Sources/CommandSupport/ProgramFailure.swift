package import ArgumentParser
import Foundation
import Settings
package import SystemSupport
import TransferCommon

extension AsyncParsableCommand {
    /// Runs the command that the process's arguments name, and ends the process.
    ///
    /// The program calls this from a function that is not `async`. An `async` function would begin too late: before it
    /// begins, the runtime opens a descriptor. If standard output is closed, this descriptor gets the number of
    /// standard output.
    ///
    /// - Parameter explain: returns an exit status and a sentence for a person if it knows the error. For other errors
    ///   it returns `nil`, and their own description is printed.
    package static func runProgram(
        explain: @escaping @Sendable (any Error) -> (status: ProgramExit, sentence: String)?
    ) -> Never {
        StandardDescriptors.secure()
        DescriptorLimit.raise(to: DescriptorLimit.usual)
        if let shortage = DescriptorLimit.shortage(of: DescriptorLimit.current) {
            Output.advise("\(_commandName): \(shortage); \(DescriptorLimit.advice).")
            endProcess(.tryAgain)
        }
        MemoryAllocator.keepFreedMemory()
        Task { @MainActor in await runProcess(explain: explain) }
        dispatchMain()
    }

    private static func runProcess(
        explain: @Sendable (any Error) -> (status: ProgramExit, sentence: String)?
    ) async -> Never {
        if let typo = CommandTypo(arguments: CommandLine.arguments.dropFirst(), of: configuration) {
            Output.advise("\(_commandName): \(typo.sentence(program: _commandName))")
            endProcess(.usage)
        }
        if let value = NegativeValue(arguments: CommandLine.arguments.dropFirst()) {
            Output.advise("\(_commandName): \(value.sentence)")
            endProcess(.usage)
        }
        if let value = QuantityValue(arguments: CommandLine.arguments.dropFirst()) {
            Output.advise("\(_commandName): \(value.sentence)")
            endProcess(.usage)
        }
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
            endProcess(.success)
        } catch let error as SettingsError {
            for line in error.lines { Output.advise("\(_commandName): \(line)") }
            endProcess(.usage)
        } catch let error as MissingHome {
            Output.advise("\(_commandName): \(error)")
            endProcess(error.exitStatus)
        } catch {
            if let (status, sentence) = explain(error) {
                Output.advise("\(_commandName): \(sentence)")
                endProcess(status)
            }
            // Help and the version are results; descriptions of errors are not. An error that is only an exit code has
            // no text.
            let code = exitCode(for: error)
            let text = showingControlsOfArguments(in: fullMessage(for: error, columns: nil))
            if code.isSuccess { Output.results.lines(text) } else if !text.isEmpty { Output.advise(lines: text) }
            Output.endProcess(code.rawValue, program: _commandName)
        }
    }

    /// Makes the control characters of arguments visible in a message that quotes them. A script may have made an
    /// argument of a file's name, and a line feed in the name must not begin a new line of the output.
    private static func showingControlsOfArguments(in text: String) -> String {
        CommandLine.arguments.reduce(text) { text, argument in
            let visible = argument.withVisibleControls
            return visible == argument ? text : text.replacingOccurrences(of: argument, with: visible)
        }
    }

    private static func endProcess(_ status: ProgramExit) -> Never {
        Output.endProcess(status.rawValue, program: _commandName)
    }
}

import GRDB
import TransferCore

/// The message and the exit code of a command of the agent that fails. The message is a sentence with advice for the
/// user.
package struct AgentFailure: Equatable, Sendable {
    /// Exit code with the meaning of `RunSummary.exitCode`.
    package let exitCode: Int32
    package let sentence: String

    /// Makes the message for an error that ends a command.
    ///
    /// - Returns: `nil` for an error that the user cannot act on.
    package init?(_ error: any Error) {
        switch error {
        case let error as AgentHomeError:
            exitCode = error.exitCode
            sentence = error.description
        case let error as UploadFailure:
            exitCode = error.kind.exitCode
            sentence = error.sentence(.runAgain)
        case let error as EnrolmentFailure:
            exitCode = error.exitCode
            sentence = error.sentence
        case let error as DatabaseError:
            let failure = JournalWriter.failure(error)
            exitCode = failure.kind.exitCode
            sentence = failure.sentence(.runAgain)
        default:
            return nil
        }
    }
}

import GRDB
package import SystemSupport
import TransferCore

/// The message and the exit code of a command of the agent that fails. The message is a sentence with advice for the
/// user.
package struct AgentFailure: Equatable, Sendable {
    /// Exit status with the meaning of `RunSummary.exitStatus`.
    package let exitStatus: ProgramExit
    package let sentence: String

    /// Makes the message for an error that ends a command.
    ///
    /// - Returns: `nil` for an error that the user cannot act on.
    package init?(_ error: any Error) {
        switch error {
        case let error as AgentHomeError:
            exitStatus = error.exitStatus
            sentence = error.description
        case let error as UploadFailure:
            exitStatus = error.kind.exitStatus
            sentence = error.sentence(.runAgain)
        case let error as EnrolmentFailure:
            exitStatus = error.exitStatus
            sentence = error.sentence
        case let error as DatabaseError:
            let failure = JournalWriter.failure(error)
            exitStatus = failure.kind.exitStatus
            sentence = failure.sentence(.runAgain)
        default:
            return nil
        }
    }
}

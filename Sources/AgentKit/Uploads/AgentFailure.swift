import GRDB
import TransferCore

/// What an error that ends a command of the agent means to its user, and what to do about it.
package struct AgentFailure: Equatable, Sendable {
    /// As `RunSummary.exitCode`.
    package let exitCode: Int32
    package let sentence: String

    /// - Returns: `nil` for an error that says nothing a user could act on.
    package init?(_ error: any Error) {
        switch error {
        case let error as AgentHomeError:
            exitCode = error.exitCode
            sentence = error.description
        case let error as UploadFailure:
            exitCode = error.kind.exitCode
            sentence = error.sentence
        case let error as EnrolmentFailure:
            exitCode = error.exitCode
            sentence = error.sentence
        case let error as DatabaseError:
            let failure = JournalWriter.failure(error)
            exitCode = failure.kind.exitCode
            sentence = failure.sentence
        default:
            return nil
        }
    }
}

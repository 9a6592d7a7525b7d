import GRDB
import TransferCore

/// Why a command of the agent fails, as a sentence with advice for the user and an exit code.
package struct AgentFailure: Equatable, Sendable {
    /// Same values as `RunSummary.exitCode`.
    package let exitCode: Int32
    package let sentence: String

    /// - Returns: `nil` for an error that the user cannot act on.
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

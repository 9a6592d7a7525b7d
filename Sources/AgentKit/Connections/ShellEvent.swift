package import TransferCore

/// An event that the shell reports to the observer of the run.
package enum ShellEvent: Sendable {
    case submitted(UploadID, path: String, key: String, UploadRequest.Purpose)
    case report(UploadID, AgentReport, UploadProgress?)
    case finished(UploadID, UploadOutcome, UploadProgress)
    /// The agent refused a file before its upload began.
    ///
    /// - Parameter isResumable: whether the journal has an unfinished upload of the file.
    case refused(path: String, key: String, UploadFailure, isResumable: Bool = false)
    /// The agent will ask a gateway whether the store holds a file of `bytes` bytes.
    case asked(UploadID, path: String, key: String, bytes: UInt64)
    case answered(UploadID, ProofOutcome)
    /// The check of a file ended without asking a gateway.
    case checked(CheckedFile)
    /// A message about a file that is still being uploaded.
    case note(key: String, String)
    /// The push has left out these special files.
    case leftOut(SpecialFiles)
    /// A gateway has named the device's store and prefix, and they are not those that were known before.
    case site(DeviceSite)
    /// The run waits for a gateway.
    case awaitingGateway(GatewayAbsence.Notice)
    /// The machine has ended the run. The outcomes of uploads that end with it follow.
    case ended(UploadFailure)
    /// The run submits no more files: `count` files were submitted to the shell. `notBegun` counts the files that the
    /// run did not reach because it was stopped or has ended.
    case allSubmitted(count: Int, notBegun: NotBegun)
}

import TransferCore

/// What the shell reports to the observer of the run.
enum ShellEvent: Sendable {
    case submitted(UploadID, path: String, key: String, UploadRequest.Purpose)
    case report(UploadID, AgentReport, UploadProgress?)
    case finished(UploadID, UploadOutcome, UploadProgress)
    /// A file that never became an upload.
    ///
    /// - Parameter isResumable: the journal has an unfinished upload of it.
    case refused(path: String, key: String, UploadFailure, isResumable: Bool = false)
    /// A gateway is to be asked about a file, of so many bytes.
    case asked(UploadID, path: String, key: String, bytes: UInt64)
    case answered(UploadID, ProofOutcome)
    /// A file that no gateway is asked about.
    case checked(CheckedFile)
    /// Something that is no file's outcome.
    case note(key: String, String)
    /// All files were handed in, `count` of them to the shell; the others were not, because the run was stopped.
    case allSubmitted(count: Int, notBegun: NotBegun)
}

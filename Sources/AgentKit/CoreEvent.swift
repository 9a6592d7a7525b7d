import TransferCore

/// What the core tells whoever watches.
enum CoreEvent: Sendable {
    case submitted(UploadID, path: String, key: String, UploadRequest.Purpose)
    case report(UploadID, AgentReport, UploadProgress?)
    case finished(UploadID, UploadOutcome, UploadProgress)
    /// A file that never became an upload.
    case refused(path: String, key: String, UploadFailure)
    /// All files were handed in, so many of them to the core.
    case allSubmitted(count: Int)
}

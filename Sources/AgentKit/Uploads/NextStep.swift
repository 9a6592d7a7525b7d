import TransferCommon
package import TransferCore

/// What the user can do after work has failed, as soon as the cause is gone. The advice for a failure ends with it.
package enum NextStep: Hashable, Sendable, CaseIterable {
    /// The journal has the upload, so a later run continues from what is stored.
    case pushOrResume
    /// The journal has no upload from which a later run could continue.
    case push
    /// A stream was being sent. It cannot be read a second time, so nothing of it can be resumed.
    case pushStream
    /// An upload was being dropped. The journal keeps the mark, and the next run that reaches a gateway drops the
    /// upload.
    case drop
    case check
    /// A service is sending, which never gives up.
    case service
    /// The command has failed before its work began.
    case runAgain

    /// The next step after the upload of a file has failed.
    ///
    /// - Parameter path: the file's path, or `SourceStream.path`.
    package init(after failure: UploadFailure, path: String, _ figures: UploadProgress) {
        self =
            if figures.isDropping {
                .drop
            } else if path == SourceStream.path {
                .pushStream
            } else if failure.isKept, figures.isResumable {
                .pushOrResume
            } else {
                .push
            }
    }

    /// The step in words.
    ///
    /// - Parameter moment: when to do it, as in "when there is room"; empty for as soon as the cause is gone.
    func words(_ moment: String = "") -> String {
        let again = moment.isEmpty ? "again" : "again \(moment)"
        return switch self {
        case .pushOrResume: "push or resume \(again)"
        case .push: "push \(again)"
        case .pushStream: "push the stream \(again), from its beginning"
        case .drop: "a push or resume drops it when it reaches the gateway"
        case .check: "check \(again)"
        case .service: "the service sends it \(again)"
        case .runAgain: "run the command \(again)"
        }
    }

    /// Advice about the cause of a failure, followed by the step in words.
    func words(behind advice: String, _ moment: String = "") -> String {
        self == .drop ? "\(advice); \(words())" : "\(advice), then \(words(moment))"
    }
}

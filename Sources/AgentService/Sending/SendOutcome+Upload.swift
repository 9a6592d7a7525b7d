package import AgentKit
package import FolderCore
package import TransferCommon
import TransferCore

// What the outcome of an upload or a question means for the item.

extension GateCause {
    /// The cause of a failure that concerns all files; `nil` if it concerns the file alone.
    init?(_ failure: UploadFailure) {
        switch failure.kind {
        case .changed, .wrongFile, .missing, .unreadable, .stillWritten, .incomplete, .keyInvalid, .keyTaken,
            .keyUnsupported, .sizeUnsupported, .partSizeUnsupported, .metadataInvalid, .contentRefused, .superseded,
            .sessionLost:
            return nil
        case .unreachable, .gatewayAtWork, .stopped, .outcomeUnknown, .gatewayFailed, .tooManyOpenFiles:
            self = .network
        case .busy, .storeUnavailable: self = .busy(retryAfter: .zero)
        case .storeFull, .storeRefuses, .bucketMissing, .journalFull, .versionUnsupported, .protocolViolation:
            self = .failing(failure.cause)
        case .fenced: self = .fenced
        case .notAuthorised, .gatewayUntrusted: self = .unauthorised
        }
    }
}

extension SendOutcome {
    /// The outcome of a failed upload.
    init(_ failure: UploadFailure) {
        if let cause = GateCause(failure) {
            self = .failed(cause)
            return
        }
        switch failure.kind {
        case .changed, .wrongFile, .stillWritten, .incomplete: self = .changed
        case .missing: self = .missing
        case .keyTaken: self = .keyTaken
        // Another run has taken the upload over, or another command has dropped it: it begins anew.
        case .superseded, .sessionLost: self = .changed
        case .unreadable: self = .unreadable(failure.cause)
        default: self = .refused(failure.cause)
        }
    }
}

extension ProveAnswer {
    /// - Parameter store: the store of the gateway that has answered; `nil` if it is unknown.
    package init(_ result: CheckedFile.Result, store: StoreIdentity?) {
        switch result {
        case .failed(let failure):
            // A file that cannot be read says nothing of the gateway: other files are sent as before.
            self = GateCause(failure).map(Self.failed) ?? .unknown
        case .found(let finding):
            switch finding.state {
            case .proven: self = store.map { .proven(store: $0) } ?? .unknown
            case .absent: self = .absent
            case .different, .changed: self = .different
            case .notSent, .otherStore, .otherKey, .stillWritten, .unknown: self = .unknown
            }
        }
    }
}

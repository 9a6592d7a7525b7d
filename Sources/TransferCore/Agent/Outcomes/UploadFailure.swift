/// Why an upload failed, in this run or for good.
package struct UploadFailure: Error, Hashable, Sendable {
    /// One word for each cause; programs read it in `--json`.
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        case changed, wrongFile, missing, unreadable
        /// A process is writing the file, so the agent does not send the file yet.
        case stillWritten
        /// The process, or the whole system, has as many files and sockets open as it may have.
        case tooManyOpenFiles
        /// The source of the bytes failed, or gave more or fewer bytes than it should: nothing is stored.
        case incomplete
        case keyInvalid, keyTaken, keyUnsupported
        case sizeUnsupported, partSizeUnsupported, metadataInvalid
        case storeRefuses, bucketMissing, contentRefused
        /// The gateway is connected and has not answered for a long time.
        case gatewayAtWork
        case unreachable, storeUnavailable, storeFull, busy, fenced, stopped, journalFull
        /// The gateway has a defect, or gives a code that this agent does not know.
        case gatewayFailed
        case sessionLost, outcomeUnknown, superseded
        case versionUnsupported, notAuthorised, gatewayUntrusted, protocolViolation
    }

    package var kind: Kind
    /// A sentence for people; empty if `kind` says enough.
    package var message: String
    /// The path of the file, if the path is not UTF-8 and is therefore shown with replacements elsewhere; otherwise
    /// empty.
    package var pathBytes: [UInt8] = []

    package init(_ kind: Kind, _ message: String = "") {
        self.kind = kind
        self.message = message
    }

    /// Whether the upload stays in the journal, so that a later run can continue it.
    package var isKept: Bool {
        switch kind {
        case .changed, .wrongFile, .stillWritten, .tooManyOpenFiles, .missing, .unreadable, .gatewayAtWork,
            .unreachable, .storeUnavailable, .storeFull, .busy, .gatewayFailed, .fenced, .stopped, .journalFull,
            .storeRefuses, .bucketMissing, .versionUnsupported, .notAuthorised, .gatewayUntrusted, .protocolViolation,
            .outcomeUnknown:
            true
        case .keyInvalid, .keyTaken, .keyUnsupported, .sizeUnsupported, .partSizeUnsupported, .metadataInvalid,
            .contentRefused, .incomplete, .sessionLost, .superseded:
            false
        }
    }
}

// The failures of a file that changes while the agent uses it, and of a run that ends. Several types report them.

extension UploadFailure {
    /// A read found another stamp than the one with which the upload began.
    package static let changedWhileRead = UploadFailure(.changed, "the file changed while it was being read")
    /// The file ended before the end of the part that was being read.
    package static let cutShortWhileRead = UploadFailure(.changed, "the file was cut short while it was being read")
    /// The file has another stamp or other content than when its stored parts were read.
    package static let changedWhileSent = UploadFailure(.changed, "the file changed while it was being sent")
    /// The file ended before the end of the chunk that was to be sent.
    package static let cutShortWhileSent = UploadFailure(.changed, "the file was cut short while it was being sent")
    /// The run has made no progress for too long, and no gateway has said why.
    package static let noGateway = UploadFailure(.unreachable, "the gateway could not be reached")

    /// The user has stopped the run.
    package static let interrupted = UploadFailure(.stopped, "interrupted")

    /// A gateway that answers PING has not given an answer that it owes. `isKept`: a later run can continue.
    package static func gatewayAtWork(isKept: Bool) -> UploadFailure {
        let message = "the gateway is connected and still at work on it"
        return UploadFailure(.gatewayAtWork, isKept ? message + "; what was sent is kept" : message)
    }
}

/// How an upload ended in this run.
package enum UploadOutcome: Hashable, Sendable {
    case stored(UploadReceipt, wasThere: Bool)
    case dropped
    case failed(UploadFailure)

    /// Whether this outcome deletes the journal's row even if the session's last request may have taken effect.
    var forgetsUnknownOutcome: Bool {
        switch self {
        case .stored: false
        case .dropped: true
        case .failed(let failure): !failure.isKept
        }
    }
}

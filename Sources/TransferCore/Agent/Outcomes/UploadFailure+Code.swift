package import WireProtocol

// Which failure an upload reports when the gateway ends it with an error code.

extension UploadFailure {
    /// The failure for a code of session or part scope.
    package init(_ code: ErrorCode, message: String) {
        self.init(Kind(code), message)
        guard message.isEmpty, kind == .protocolViolation || kind == .gatewayFailed else { return }
        self.message = "the gateway refuses it (\(code.words))"
    }

    /// The failure of an upload whose session cannot be used any more, after `losses` lost sessions of the file.
    init(lossAfter code: ErrorCode, losses: Int, isStream: Bool) {
        let message =
            if isStream {
                "what was sent of the stream cannot be used any more (\(code.words)), and it cannot be read again"
            } else if code == .sessionLost {
                "the store lost this upload \(losses) times, perhaps because of its expiry rules"
            } else {
                "what was sent could not be used any more \(losses) times, at last because of this: \(code.words)"
            }
        self.init(.sessionLost, message)
    }

    /// The failure for a code of connection scope.
    package init(ofConnection code: ErrorCode, message: String) {
        self.init(Kind(code), message)
        switch kind {
        case .fenced: self.message = "another agent with this device's identity has taken over"
        case .notAuthorised: self.message = "the gateway does not know this device"
        case .protocolViolation: self.message = "the gateway ended the connection (\(code.words))"
        default: break
        }
    }
}

extension UploadFailure.Kind {
    fileprivate init(_ code: ErrorCode) {
        self =
            switch code {
            case .keyInvalid: .keyInvalid
            case .keyTaken: .keyTaken
            case .keyUnsupported: .keyUnsupported
            case .sizeUnsupported: .sizeUnsupported
            case .partSizeUnsupported: .partSizeUnsupported
            case .metadataInvalid: .metadataInvalid
            case .storeRefuses: .storeRefuses
            case .bucketMissing: .bucketMissing
            case .contentRefused: .contentRefused
            case .storeUnavailable: .storeUnavailable
            case .storeFull: .storeFull
            case .busy: .busy
            case .draining, .tokenKeyUnknown, .partInterrupted: .unreachable
            case .fenced: .fenced
            case .tokenInvalid, .tokenForeign, .sessionLost, .rootMismatch, .listInvalid: .sessionLost
            case .outcomeUnknown: .outcomeUnknown
            case .superseded: .superseded
            case .digestMismatch: .changed
            case .notAuthorised, .invitationInvalid: .notAuthorised
            case .versionUnsupported: .versionUnsupported
            case .tooManyConnections, .idle: .unreachable
            default: Self.ofUnnamed(code)
            }
    }

    /// The failure for a code that has no kind of its own. If the agent tries again after the code, the gateway has a
    /// defect or is of a later version than the agent. The other codes say that a side broke the protocol.
    private static func ofUnnamed(_ code: ErrorCode) -> Self {
        switch FailureRule.of(code)?.reaction {
        case .report, .stop: .protocolViolation
        case .reconnect, .tryAgain, .beginAnew, .readAgain, nil: .gatewayFailed
        }
    }
}

import WireProtocol

// What a code of the gateway is called where it ends an upload.

extension UploadFailure {
    /// A code of session or part scope.
    init(_ code: ErrorCode, message: String) {
        self.init(Kind(code), message)
        if message.isEmpty, kind == .protocolViolation { self.message = "the gateway refuses it (\(code.words))" }
    }

    /// A code of connection scope.
    init(ofConnection code: ErrorCode, message: String) {
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
            default: .protocolViolation
            }
    }
}

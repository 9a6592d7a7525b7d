import WireProtocol

extension StoreFailure {
    /// What the agent is told when this ends an opening, a completion or a session.
    var refusal: SessionRefused {
        switch self {
        case .uploadUnknown: SessionRefused(.sessionLost)
        case .unavailable(let retryAfter): SessionRefused(.storeUnavailable, retryAfter: retryAfter)
        case .outcomeUnknown: SessionRefused(.storeUnavailable, retryAfter: .seconds(1))
        case .full: SessionRefused(.storeFull, retryAfter: .seconds(5), message: "the store is full")
        case .denied: SessionRefused(.storeRefuses, message: "the store refuses the gateway's credentials or rights")
        case .bucketMissing: SessionRefused(.bucketMissing, message: "the gateway's bucket or directory is missing")
        case .digestMismatch: SessionRefused(.digestMismatch)
        case .partsInvalid: SessionRefused(.listInvalid, message: "the store does not have the parts in this form")
        case .keyTaken: SessionRefused(.keyTaken, message: "the key holds another object")
        case .objectGone, .conflict: SessionRefused(.storeUnavailable, retryAfter: .seconds(1))
        case .keyUnsupported(let message): SessionRefused(.keyUnsupported, message: message)
        case .refused(let message): SessionRefused(.contentRefused, message: message)
        case .cancelled: SessionRefused(.storeUnavailable)
        }
    }
}

extension StoreAnswer {
    /// What the agent is told of an answer that does not fit its request: the failure, or our own defect.
    var refusal: SessionRefused {
        guard case .failed(let failure) = self else { return SessionRefused(.internal) }
        return failure.refusal
    }
}

import WireProtocol

extension StoreFailure {
    /// The refusal that names this failure to the agent.
    ///
    /// - Parameter scope: session or part. If the table of §12 does not allow the failure's code in this scope, the
    ///   refusal has another code.
    func refusal(in scope: FailureRule.Scope) -> SessionRefused {
        let refusal = refusal
        if FailureRule.allows(refusal.code, in: scope) { return refusal }
        guard self == .digestMismatch else {
            // The code is not allowed in this scope: the store gave an answer that does not fit the request.
            return SessionRefused(
                .storeUnavailable, retryAfter: .seconds(1), message: "the store gave an answer that makes no sense here"
            )
        }
        return SessionRefused(.contentRefused, message: refusal.message)
    }

    private var refusal: SessionRefused {
        switch self {
        case .uploadUnknown: SessionRefused(.sessionLost, message: "the store no longer has the upload")
        case .unavailable(let retryAfter):
            SessionRefused(.storeUnavailable, retryAfter: retryAfter, message: "the store is not available")
        case .outcomeUnknown, .objectGone, .conflict:
            SessionRefused(.storeUnavailable, retryAfter: .seconds(1), message: "the store is not available")
        case .full: SessionRefused(.storeFull, retryAfter: .seconds(5), message: "the store is full")
        case .denied: SessionRefused(.storeRefuses, message: "the store refuses the gateway's credentials or rights")
        case .bucketMissing: SessionRefused(.bucketMissing, message: "the gateway's bucket or directory is missing")
        case .digestMismatch:
            SessionRefused(.digestMismatch, message: "the bytes do not have the digest that was offered")
        case .partsInvalid: SessionRefused(.listInvalid, message: "the store does not have the parts in this form")
        case .keyTaken: SessionRefused(.keyTaken, message: "the key holds another object")
        case .keyUnsupported(let message):
            SessionRefused(
                .keyUnsupported, message: message.isEmpty ? "the store cannot hold an object under this key" : message)
        case .refused(let message):
            SessionRefused(.contentRefused, message: message.isEmpty ? "the store refuses this file" : message)
        case .cancelled: SessionRefused(.storeUnavailable, message: "the gateway gave the request to the store up")
        }
    }
}

extension StoreAnswer {
    /// The refusal for an answer other than the expected one: the store's failure, or an error of this program if the
    /// answer does not fit the request.
    func refusal(in scope: FailureRule.Scope) -> SessionRefused {
        guard case .failed(let failure) = self else {
            return .defect("the store's answer does not fit what it was asked")
        }
        return failure.refusal(in: scope)
    }
}

package import TransferCommon
import WireProtocol

// For each failure of a store, a short name by which the machines match it, and the gateway's answer to the agent.

extension StoreError {
    package static let uploadUnknown = StoreError(.uploadUnknown)
    package static let bucketMissing = StoreError(.bucketMissing)
    package static let denied = StoreError(.denied)
    package static let full = StoreError(.full)
    package static let digestMismatch = StoreError(.digestMismatch)
    package static let keyTaken = StoreError(.keyTaken)
    package static let objectGone = StoreError(.objectGone)
    package static let conflict = StoreError(.conflict)
    package static let outcomeUnknown = StoreError(.outcomeUnknown)
    package static let cancelled = StoreError(.cancelled)

    /// - Parameter retryAfter: the pause that the store asks for; zero if it asks for none.
    package static func unavailable(retryAfter: Duration) -> StoreError {
        StoreError(retryAfter > .zero ? .throttled(retryAfter: retryAfter) : .unavailable)
    }

    /// - Parameter parts: the parts that the store does not have as they were listed; empty if it does not say which.
    package static func partsInvalid(_ parts: [PartNumber]) -> StoreError { StoreError(.partsInvalid(parts)) }

    /// - Parameter message: why the store cannot hold the key, in words for a person.
    package static func keyUnsupported(message: String) -> StoreError { StoreError(.keyUnsupported, message) }

    /// A refusal that no repetition changes, with the reason in words for a person.
    package static func refused(message: String) -> StoreError { StoreError(.unsupported, message) }

    /// If the store is busy or unreachable, and the request itself may be right: the pause that the store asks for, or
    /// zero if it asks for none. `nil` after any other failure.
    package var retryAfter: Duration? {
        switch reason {
        // A damaged answer may come from a proxy instead of the store, so the request is worth repeating.
        case .unavailable, .completionInProgress, .damaged: .zero
        case .throttled(let retryAfter): retryAfter ?? .seconds(1)
        case .bucketMissing, .uploadUnknown, .denied, .full, .digestMismatch, .sizeMismatch, .partsInvalid, .keyTaken,
            .objectGone, .conflict, .keyUnsupported, .tooLarge, .unsupported, .bodyFailed, .outcomeUnknown, .cancelled:
            nil
        }
    }

    /// Whether the store gave no answer, or failed without asking for a pause; the request may still take effect.
    package var isLoss: Bool { reason == .outcomeUnknown || retryAfter == .zero }

    /// The refusal that names this failure to the agent, in the scope of a session or a part. If the table of §12 does
    /// not allow its code in this scope, the refusal has another code.
    func refusal(in scope: FailureRule.Scope) -> SessionRefused {
        let refusal = refusal
        if FailureRule.allows(refusal.code, in: scope) { return refusal }
        guard refusal.code == .digestMismatch else {
            // The code is not allowed in this scope: the store gave an answer that does not fit the request.
            return SessionRefused(
                .storeUnavailable, retryAfter: .seconds(1), message: "the store gave an answer that makes no sense here"
            )
        }
        return SessionRefused(.contentRefused, message: refusal.message)
    }

    private var refusal: SessionRefused {
        switch reason {
        case .uploadUnknown: SessionRefused(.sessionLost, message: "the store no longer has the upload")
        case .unavailable, .throttled, .completionInProgress, .damaged:
            SessionRefused(
                .storeUnavailable, retryAfter: retryAfter ?? .zero, message: "the store is not available")
        case .outcomeUnknown, .objectGone, .conflict:
            SessionRefused(.storeUnavailable, retryAfter: .seconds(1), message: "the store is not available")
        case .full: SessionRefused(.storeFull, retryAfter: .seconds(5), message: "the store is full")
        case .denied: SessionRefused(.storeRefuses, message: "the store refuses the gateway's credentials or rights")
        case .bucketMissing: SessionRefused(.bucketMissing, message: "the gateway's bucket or directory is missing")
        case .digestMismatch, .sizeMismatch:
            SessionRefused(.digestMismatch, message: "the bytes do not have the digest that was offered")
        case .partsInvalid: SessionRefused(.listInvalid, message: "the store does not have the parts in this form")
        case .keyTaken: SessionRefused(.keyTaken, message: "the key holds another object")
        case .keyUnsupported:
            SessionRefused(
                .keyUnsupported,
                message: sentence.isEmpty ? "the store cannot hold an object under this key" : sentence)
        case .tooLarge, .unsupported:
            SessionRefused(.contentRefused, message: sentence.isEmpty ? "the store refuses this file" : clause)
        case .bodyFailed, .cancelled:
            SessionRefused(.storeUnavailable, message: "the gateway gave the request to the store up")
        }
    }
}

extension StoreAnswer {
    /// The refusal for an unexpected answer: the store's failure, or an error of this program.
    func refusal(in scope: FailureRule.Scope) -> SessionRefused {
        guard case .failed(let error) = self else {
            return .defect("the store's answer does not fit what it was asked")
        }
        return error.refusal(in: scope)
    }
}
